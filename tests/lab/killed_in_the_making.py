"""Make a lab and have one of its processes killed at a chosen moment: run by test_lab_killed, as a program."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

import lab_life

from farshore.errors import FarshoreError
from farshore.lab import lifecycle
from farshore.lab.registry import entry
from farshore.machine import inside
from farshore.reporter import Reporter

_started: list[int] = []


def kill_command(_name: str) -> None:
    """Kill the command that makes the lab: this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_starter(_name: str) -> None:
    """Kill the process that the command started: our child, not waited for yet, so nobody else has its number."""
    os.kill(_started[0], signal.SIGKILL)


def kill_first(name: str) -> None:
    """Kill the first process of the lab, if there is one yet."""
    record = entry(name).read()
    if record is not None:
        lab_life.kill(record.pid)
        lab_life.until(lambda: not record.is_up)


VICTIMS = {"command": kill_command, "starter": kill_starter, "first": kill_first}


def set_trap(strike: Callable[[], None], moment: str) -> Reporter:
    """See to it that ``strike`` is called at the moment; return the reporter that the lab is to be made with.

    Moments are "claimed", before the lab has a process; seconds after its start, as in "after 0.1"; a share of the
    work, as in "share 0.5"; and "detaching", when all is ready and the first process is about to be detached.
    """
    kind, _, number = moment.partition(" ")
    real_detach, real_popen = inside.Child.detach, inside.subprocess.Popen

    def detach(child: inside.Child[object, object, object]) -> None:
        if kind == "detaching":
            strike()
        real_detach(child)

    def popen(*arguments: object, **named: object) -> object:
        if kind == "claimed":
            strike()
        process = real_popen(*arguments, **named)  # type: ignore[call-overload]
        if not _started:
            _started.append(process.pid)
            if kind == "after":
                threading.Timer(float(number), strike).start()
        return process

    class Trap(Reporter):
        def advanced(self, done: int, total: int, item: str = "") -> None:  # noqa: ARG002 - the event's own form
            if kind == "share" and done >= float(number) * total:
                strike()

    inside.Child.detach, inside.subprocess.Popen = detach, popen  # type: ignore[assignment, method-assign, misc]
    return Trap()


def main() -> None:
    """Take the lab's name, whom to kill, and when. Exits as the command would."""
    name, victim, moment = sys.argv[1:]
    reporter = set_trap(lambda: VICTIMS[victim](name), moment)
    try:
        lifecycle.up(name, lab_life.ARTICLE, lab_life.article(), reporter)
    except FarshoreError as error:
        sys.stderr.write(f"{error}\n")
        os._exit(error.exit_status)
    os._exit(0)


if __name__ == "__main__":
    main()
