"""The keeper: the first process of a lab. It builds the fabric, answers as its services, and stays.

Until it is told to stay, it is tied to the command that started it by a pipe: if that command dies, however
it dies, the keeper ends, and the kernel ends the lab with it.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from farshore.engine.haproxy.process import Appliance
from farshore.engine.nftables.apply import apply
from farshore.engine.nftables.desired import compile_fabric
from farshore.errors import EXIT_MACHINE, FarshoreError
from farshore.lab.job import LENGTH, STAY, Job, decode
from farshore.lab.keys import introductions, variables
from farshore.lab.registry import LabEntry, Record, start_time
from farshore.machine import world as worlds
from farshore.machine.placement import namespace_name
from farshore.reporter import Reporter
from farshore.traffic import servers

# Below the lab's own /run, which nobody outside sees.
_PROXY_FOLDER = Path("/run/farshore")


def _read_exactly(length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = os.read(0, length - len(parts))
        if not part:
            os._exit(EXIT_MACHINE)  # the command that started us is gone
        parts += part
    return bytes(parts)


def main() -> None:
    """Read a job from standard input and become a lab. Events go to standard output, a JSON line each."""
    try:
        length = int.from_bytes(_read_exactly(LENGTH), "big")
        job = decode(_read_exactly(length))
        worlds.leave()
        go_read, go_write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(go_write)
            # The record must stand before anything is built, so that "down" finds whatever there is.
            if os.read(go_read, 1) != b"g":
                os._exit(EXIT_MACHINE)
            os.close(go_read)
            _first_process(job)
        started = start_time(child)
        if started is None:
            raise ChildProcessError("the lab's first process has ended at once")
        created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        nodes = tuple(job.fabric.nodes)
        record = Record(job.name, child, started, job.fabric.design, job.intent, created, nodes)
        LabEntry(job.name, Path(job.folder)).write(record)
        os.write(go_write, b"g")
    except (FarshoreError, OSError) as error:
        _fail(error)
    # The child holds the pipes; the process that made it is not needed any more.
    os._exit(0)


def _first_process(job: Job) -> None:
    threading.Thread(target=_watch_tie, daemon=True).start()
    try:
        worlds.furnish()
        apply(compile_fabric(job.fabric), _Progress())
        answering = tuple(node for node in job.fabric.end_systems if node.name not in job.own_servers)
        servers.serve(answering, introductions(job.fabric), job.keys)
        for proxy in job.fabric.proxies:
            appliance = Appliance(_PROXY_FOLDER / namespace_name(proxy.name))
            appliance.apply(proxy, variables(job.keys))
    except (FarshoreError, OSError) as error:
        _fail(error)
    # The first process inherits the orphans of the lab; ignoring their end, it has the kernel bury them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _say("ready")
    threading.Event().wait()


class _Progress(Reporter):
    """Passes the engine's progress on to the command that waits for the lab."""

    def advanced(self, done: int, total: int, item: str = "") -> None:
        _say("progress", done=done, total=total, item=item)


def _watch_tie() -> None:
    told = b""
    while told != STAY:
        part = os.read(0, len(STAY))
        if not part:
            os._exit(EXIT_MACHINE)
        told += part
    with contextlib.suppress(BrokenPipeError):  # the command is gone, but it has told us to stay
        _say("stays")
    # Nobody reads any more; a write would end in a broken pipe.
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)
    os.close(silence)


def _say(event: str, **details: object) -> None:
    line = json.dumps({"event": event, **details}) + "\n"
    os.write(1, line.encode())


def _fail(error: Exception) -> None:
    _say("failed", message=str(error))
    with contextlib.suppress(OSError):  # the log is on a full disk: what matters has been said
        traceback.print_exception(error, file=sys.stderr)
    os._exit(EXIT_MACHINE)


if __name__ == "__main__":
    main()
