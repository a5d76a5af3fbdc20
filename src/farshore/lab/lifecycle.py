"""The life cycle of a lab: up, down, or both around a run of checks. It is never half up, and down leaves nothing."""

from __future__ import annotations

import contextlib
import datetime
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from farshore.errors import FarshoreError, MachineError
from farshore.lab.record import Record
from farshore.lab.registry import LabEntry, claimed, clear_remains
from farshore.reporter import SILENT, Reporter

if TYPE_CHECKING:  # to take a lab down needs none of these
    from farshore.conformance.check import Result
    from farshore.fabric.model import Fabric
    from farshore.intent.model import Intent
    from farshore.lab.lab_init import Begin, Progress
    from farshore.machine.inside import Child
    from farshore.machine.world import World
    from farshore.plan.model import Plan

_DOWN_SECONDS = 60.0
_POLL = 0.02
_LOG_TAIL = 5


def up(
    name: str,
    intent: Path,
    fabric: Fabric,
    reporter: Reporter = SILENT,
    *,
    own_servers: frozenset[str] = frozenset(),
) -> Record:
    """Bring a lab up that outlives this process. It does not answer as ``own_servers``. Raises as :func:`passing`."""
    with _lab(name, intent, fabric, reporter, stays=True, own_servers=own_servers) as record:
        return record


def passing(
    name: str, intent: Path, fabric: Fabric, reporter: Reporter = SILENT
) -> contextlib.AbstractContextManager[Record]:
    """Bring a lab up for the length of the body; it ends with the body, or with this process.

    Raises MachineError, with everything cleaned up, where a tool or a permission is missing; UsageError where a lab
    of this name is up already.
    """
    return _lab(name, intent, fabric, reporter, stays=False)


def run(file: Path, intent: Intent, plan: Plan, fabric: Fabric, reporter: Reporter = SILENT) -> tuple[Result, ...]:
    """Make a lab of its own name, make every check, and return the results in the order of the checks.

    Raises MachineError where a tool or a permission is missing.
    """
    from farshore.conformance.expectations import expectations
    from farshore.conformance.run_checks import run_checks

    checks = expectations(intent, plan, fabric)
    results: dict[str, Result] = {}
    with passing(f"run-{os.getpid()}", file, fabric, reporter) as record:
        reporter.started("checks")
        for result in run_checks(record.world, checks, fabric):
            results[result.name] = result
            reporter.advanced(len(results), len(checks), result.name)
        reporter.finished("checks")
    return tuple(results[check.name] for check in checks)


@contextlib.contextmanager
def _lab(
    name: str,
    intent: Path,
    fabric: Fabric,
    reporter: Reporter,
    *,
    stays: bool,
    own_servers: frozenset[str] = frozenset(),
) -> Iterator[Record]:
    from farshore.engine.haproxy import master
    from farshore.engine.nftables import nft
    from farshore.lab.lab_init import Job, lab_init, read_keys
    from farshore.machine.inside import ChildEndedError, creating

    nft.program()
    if fabric.proxies:
        master.program()
    job = Job(name, fabric, read_keys(fabric, intent), own_servers)
    with claimed(name) as (entry, lock), contextlib.ExitStack() as leftovers, contextlib.ExitStack() as life:
        leftovers.callback(entry.erase_locked)
        try:
            log = entry.open_log()
            life.callback(os.close, log)
            world, first = life.enter_context(creating(log, (lock,), lab_init, job))
            record = _recorded(entry, world, fabric, intent)
            _build(first, reporter)
            if stays:
                first.detach()
                record = _kept(entry, record)
                leftovers.pop_all()
        except ChildEndedError as error:
            raise _ended(entry) from error
        except (FarshoreError, OSError) as error:
            raise MachineError(f"lab {name!r} cannot be built: {error}") from error
        yield record


def _recorded(entry: LabEntry, world: World, fabric: Fabric, intent: Path) -> Record:
    """Write the record of a lab and return it."""
    from farshore.engine.placement import namespaced_nodes

    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    where, nodes = str(intent.resolve()), namespaced_nodes(fabric)
    record = Record(entry.name, world.pid, world.started, os.geteuid(), fabric.design, where, created, nodes)
    entry.write(record)
    return record


def _kept(entry: LabEntry, record: Record) -> Record:
    """Note that a lab stays, and return its record. Who is killed before leaves a lab that lives all the same."""
    kept = replace(record, stays=True)
    try:
        entry.write(kept)
    except BaseException:
        record.world.wait(_DOWN_SECONDS, kill=True)
        raise
    return kept


def _build(first: Child[Progress | None, Begin, None], reporter: Reporter) -> None:
    from farshore.lab.lab_init import Begin

    reporter.started("lab")
    first.send(Begin.BEGIN)
    while (progress := first.receive()) is not None:
        reporter.advanced(progress.done, progress.total, progress.item)
    reporter.finished("lab")


def _ended(entry: LabEntry) -> MachineError:
    try:
        lines = entry.log_lines()
    except FileNotFoundError:
        return MachineError(f"lab {entry.name!r} was taken down while it was being built")
    end_of_log = ": " + " / ".join(lines[-_LOG_TAIL:]) if lines else ""
    return MachineError(f"lab {entry.name!r} ended while it was being built{end_of_log}")


def down(entry: LabEntry) -> None:
    """Take a lab down, whatever state it is in.

    Raises MachineError where its processes do not end, or its folder holds what is not the lab's.
    """
    deadline = time.monotonic() + _DOWN_SECONDS
    # A lab that is only being built may have no record yet, and one whose command was killed ends by itself.
    while (world := entry.living_world()) is not None or entry.is_locked():
        if world is not None:
            # It gives up its files, the lock among them, a moment before it has ended.
            world.wait(max(deadline - time.monotonic(), _POLL), kill=True)
            if not entry.is_locked():
                continue
        if time.monotonic() > deadline:
            raise MachineError(f"lab {entry.name!r} does not end within {_DOWN_SECONDS:.0f} s; see {entry.log_path}")
        time.sleep(_POLL)
    if others := entry.erase():
        raise MachineError(
            f"lab {entry.name!r} is down, but {entry.folder} holds what is not the lab's: {', '.join(others)}; "
            f"move it elsewhere, then run: farshore lab down --name {entry.name}"
        )
    clear_remains()
