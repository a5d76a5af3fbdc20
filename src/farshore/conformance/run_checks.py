"""Send somebody into a lab to make the attempts, and hear what comes of them."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence

from farshore.conformance.attempts import attempt_all, say
from farshore.conformance.check import Check, Outcome, Result
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.lab.registry import Record
from farshore.machine import world as worlds


def visit(record: Record, checks: Sequence[Check], fabric: Fabric) -> Iterator[Result]:
    """Make every attempt in a lab that is up and yield the results as they come.

    Raises MachineError where not every check was answered.
    """
    command = [sys.executable, "-m", "farshore.conformance.run_checks"]
    task = pickle.dumps((record, tuple(checks), fabric))
    answered = 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as visitor:
        assert visitor.stdin is not None  # noqa: S101 - started with pipes
        assert visitor.stdout is not None  # noqa: S101
        visitor.stdin.write(task)
        visitor.stdin.close()
        try:
            for line in visitor.stdout:
                said = json.loads(line)
                answered += 1
                yield Result(said["name"], Outcome(said["expected"]), said["observed"])
        except BaseException:
            visitor.kill()  # somebody wants to stop, and waiting for all the answers would not be stopping
            raise
    if visitor.returncode != 0 or answered != len(checks):
        raise MachineError(f"only {answered} of {len(checks)} checks could be made: see the message above")


def main() -> None:
    """Read a task from standard input, enter the lab, and make the attempts."""
    # The bytes come from the command that started this very process, over its own pipe.
    record, checks, fabric = pickle.loads(sys.stdin.buffer.read())  # noqa: S301
    worlds.enter(record)
    attempt_all(checks, fabric, say)


if __name__ == "__main__":
    main()
