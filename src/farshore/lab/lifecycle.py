"""A lab's life: up, found again, down. Nothing is ever half up, and down leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from farshore.engine.haproxy import process
from farshore.engine.nftables import nft
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.lab.job import STAY, Job, encode
from farshore.lab.keys import read_keys
from farshore.lab.registry import LabEntry, Record, claimed, is_alive
from farshore.reporter import SILENT, Reporter

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

    Raises MachineError, with everything cleaned up, where the machine cannot; UsageError where a lab of
    this name is up already.
    """
    return _lab(name, intent, fabric, reporter, stays=False)


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
    nft.program()
    if fabric.proxies:
        process.program()
    keys = read_keys(fabric, intent)
    with claimed(name) as (here, lock), _erased_at_the_end(here) as kept, _lab_init(here, lock) as lab_init:
        try:
            job = Job(name, str(here.folder), str(intent.resolve()), fabric, keys, own_servers)
            record = _build(lab_init, here, encode(job), reporter)
            if stays:
                if not _tell(lab_init, STAY) or not _agrees_to_stay(lab_init):
                    raise _ended(here)
                kept.set()
            yield record
        finally:
            if not kept.is_set():
                _end(lab_init)


@contextlib.contextmanager
def _erased_at_the_end(here: LabEntry) -> Iterator[threading.Event]:
    """Leave nothing of a lab behind, unless the event that is yielded is set: it is kept then."""
    kept = threading.Event()
    try:
        yield kept
    finally:
        if not kept.is_set():
            _is_gone(here, kill=False)
            here.erase()


def _agrees_to_stay(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether the keeper says that it stays; it says nothing more where it has died."""
    return any(event["event"] == "stays" for event in _events(process))


def down(here: LabEntry) -> None:
    """Take a lab down, whatever state it is in. Raises MachineError where its processes do not die."""
    deadline = time.monotonic() + _DOWN_SECONDS
    # A lab that is only being made has no record yet, and one whose command was killed ends by itself.
    while here.is_locked() or not _is_gone(here, kill=True):
        _is_gone(here, kill=True)
        if time.monotonic() > deadline:
            raise MachineError(f"lab {here.name!r} does not end in {_DOWN_SECONDS:.0f} s: see {here.log_path}")
        time.sleep(_POLL)
    here.erase()


@contextlib.contextmanager
def _first_process(record: Record) -> Iterator[int | None]:
    """Yield a handle on the lab's first process, None where it is gone: its number may be somebody else's now."""
    try:
        handle = os.pidfd_open(record.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle if is_alive(record) else None
    finally:
        os.close(handle)


def _is_gone(here: LabEntry, *, kill: bool) -> bool:
    """Wait for the lab's first process to end, which it does after all the others of the lab.

    It gives up its files, the lock among them, a moment earlier. With ``kill`` it is told to.
    """
    record = here.read()
    if record is None:
        return True
    with _first_process(record) as handle:
        if handle is None:
            return True
        if kill:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        ended, _, _ = select.select([handle], [], [], _DOWN_SECONDS)
        return bool(ended)


@contextlib.contextmanager
def _lab_init(here: LabEntry, lock: int) -> Iterator[subprocess.Popen[bytes]]:
    with here.log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "farshore.lab.lab_init"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,
        )
    with process:  # closes the pipes at its end, and thereby ends a keeper that was not told to stay
        yield process


def _build(process: subprocess.Popen[bytes], here: LabEntry, job: bytes, reporter: Reporter) -> Record:
    reporter.started("lab")
    _tell(process, job)
    for event in _events(process):
        match event["event"]:
            case "progress":
                reporter.advanced(event["done"], event["total"], event["item"])
            case "failed":
                raise MachineError(f"lab {here.name!r} could not be made: {event['message']}")
            case "ready":
                record = here.read()
                if record is None:
                    raise MachineError(f"lab {here.name!r} was taken away while it was being made")
                reporter.finished("lab")
                return record
    raise _ended(here)


def _events(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None  # noqa: S101 - started with a pipe
    for line in process.stdout:
        yield json.loads(line)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of a keeper and wait until it, and so its lab, is gone."""
    assert process.stdin is not None  # noqa: S101 - started with a pipe
    with contextlib.suppress(BrokenPipeError):  # what was never read by a keeper that has ended already
        process.stdin.close()
    for _ in _events(process):
        pass


def _ended(here: LabEntry) -> MachineError:
    lines = here.log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last_words = ": " + " / ".join(lines[-_LOG_TAIL:]) if lines else ""
    return MachineError(f"lab {here.name!r} ended while it was being made{last_words}")


def _tell(process: subprocess.Popen[bytes], what: bytes) -> bool:
    """Tell a keeper something, and the caller whether it still listened. What it said before tells why not."""
    assert process.stdin is not None  # noqa: S101 - started with a pipe
    try:
        process.stdin.write(what)
        process.stdin.flush()
    except BrokenPipeError:
        return False
    return True
