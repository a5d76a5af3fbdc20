"""A lab's life: up, found again, down. Nothing is ever half up, and down leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from farshore.engine.netfilter import nft
from farshore.engine.netfilter.desired import require_runnable
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.lab.job import STAY, Job, encode
from farshore.lab.place import Place, Record, claimed, is_alive

Reporter = Callable[[int, int, str], None]
_DOWN_SECONDS = 60.0
_LOG_TAIL = 5


def up(name: str, intent: Path, fabric: Fabric, report: Reporter) -> Record:
    """Bring a lab up that outlives this process. Raises as :func:`passing` does."""
    with _lab(name, intent, fabric, report, stays=True) as record:
        return record


def passing(name: str, intent: Path, fabric: Fabric, report: Reporter) -> contextlib.AbstractContextManager[Record]:
    """Bring a lab up for the length of the body; it ends with the body, or with this process.

    Raises MachineError, with everything cleaned up, where the machine cannot; UsageError where a lab of
    this name is up already.
    """
    return _lab(name, intent, fabric, report, stays=False)


@contextlib.contextmanager
def _lab(name: str, intent: Path, fabric: Fabric, report: Reporter, *, stays: bool) -> Iterator[Record]:
    require_runnable(fabric)
    nft.program()
    with claimed(name) as (here, lock), _keeper(here, lock) as process:
        kept = False
        try:
            job = Job(name, str(here.folder), str(intent.resolve()), fabric)
            record = _build(process, here, encode(job), report)
            if stays:
                _tell(process, STAY)
                kept = True
            yield record
        finally:
            if not kept:
                _end(process)
                _wait_for_end(here)
                here.erase()


def down(here: Place) -> None:
    """Take a lab down, whatever state it is in. Raises MachineError where its processes do not die."""
    record = here.read()
    if record is not None:
        with _first_process(record) as handle:
            if handle is not None:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
    if not _wait_for_end(here):
        raise MachineError(f"lab {here.name!r} does not end in {_DOWN_SECONDS:.0f} s: see {here.log_path}")
    # A lab that was being made when its command was killed ends by itself: its lock says when.
    if not here.wait_unlocked(_DOWN_SECONDS):
        raise MachineError(f"lab {here.name!r} still has processes after {_DOWN_SECONDS:.0f} s: see {here.log_path}")
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


def _wait_for_end(here: Place) -> bool:
    """Wait until the lab's first process has ended, which it does after all the others of the lab.

    It gives up its files, the lock among them, a moment earlier.
    """
    record = here.read()
    if record is None:
        return True
    with _first_process(record) as handle:
        if handle is None:
            return True
        ended, _, _ = select.select([handle], [], [], _DOWN_SECONDS)
        return bool(ended)


@contextlib.contextmanager
def _keeper(here: Place, lock: int) -> Iterator[subprocess.Popen[bytes]]:
    with here.log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "farshore.lab.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,
        )
    with process:  # closes the pipes at its end, and thereby ends a keeper that was not told to stay
        yield process


def _build(process: subprocess.Popen[bytes], here: Place, job: bytes, report: Reporter) -> Record:
    _tell(process, job)
    for event in _events(process):
        match event["event"]:
            case "progress":
                report(event["done"], event["total"], event["what"])
            case "failed":
                raise MachineError(f"lab {here.name!r} could not be made: {event['message']}")
            case "ready":
                record = here.read()
                if record is not None:
                    return record
    raise MachineError(f"lab {here.name!r} ended while it was being made{_last_words(here)}")


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


def _last_words(here: Place) -> str:
    lines = here.log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return ": " + " / ".join(lines[-_LOG_TAIL:]) if lines else ""


def _tell(process: subprocess.Popen[bytes], what: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - started with a pipe
    try:
        process.stdin.write(what)
        process.stdin.flush()
    except BrokenPipeError:
        # It has ended already; what it said before, read next, tells why.
        return
