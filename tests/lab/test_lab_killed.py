"""Whoever is killed, and whenever: "lab down" leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import lab_life
import pytest
from lab_life import LACKING, until

from farshore.errors import EXIT_MACHINE
from farshore.lab.registry import FOLDER_VARIABLE, clear_remains, entry

pytestmark = pytest.mark.kernel

# From before the lab's processes start, over all of their work, to the moment when the lab is detached.
STARTING = [f"after {number * 0.04:.2f}" for number in range(7)]
WORKING = [f"share {number / 6:.2f}" for number in range(6)]
MOMENTS = {
    "command": ["claimed", *STARTING, *WORKING, "detaching"],
    "starter": [f"after {number * 0.02:.2f}" for number in range(12)],
    "first": [*STARTING[2:], *WORKING, "detaching"],
}
CASES = [(victim, moment) for victim, moments in MOMENTS.items() for moment in moments]


@pytest.mark.parametrize(("victim", "moment"), CASES)
def test_killed_while_it_is_made(labs: Path, victim: str, moment: str) -> None:
    before = lab_life.machine()
    done = subprocess.run(
        [sys.executable, "-m", "killed_in_the_making", "victim", victim, moment],
        env=os.environ | {FOLDER_VARIABLE: str(labs), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if LACKING in done.stderr:
        pytest.skip(done.stderr.strip())
    if victim == "command":
        assert done.returncode in (-signal.SIGKILL, 0)  # by the clock it may have been quicker
    else:
        assert done.returncode in (EXIT_MACHINE, 0), done.stderr
    if (victim, moment) == ("first", "detaching"):
        assert done.returncode == EXIT_MACHINE  # it must not say that a dead lab is up
    if done.returncode == EXIT_MACHINE:
        assert "lab 'victim'" in done.stderr
        assert not labs.exists()  # it has cleaned up by itself
    if done.returncode == 0:
        lab_life.down("victim")
    else:
        assert until(lambda: not entry("victim").is_locked())
        clear_remains()  # as the next command does, whichever it is
    # A process that never was on record may still be on its way out when its lock is free.
    assert lab_life.until(lambda: lab_life.processes(labs) == [])
    assert not labs.exists()
    assert lab_life.machine() == before


@pytest.mark.parametrize("victim", ["first", "any"])
def test_killed_when_it_is_up(labs: Path, victim: str) -> None:
    assert lab_life.run(labs, "lab", "up", str(lab_life.ARTICLE), "--name", "victim").returncode == 0
    record = entry("victim").read()
    assert record is not None
    found = lab_life.processes(labs)
    assert record.pid in found
    lab_life.kill(record.pid if victim == "first" else found[-1])
    done = lab_life.run(labs, "lab", "down", "--name", "victim")
    assert done.returncode == 0, done.stderr
    assert lab_life.processes(labs) == []
    assert not labs.exists()


def test_a_program_in_the_lab_dies_with_it(labs: Path) -> None:
    lab_life.run(labs, "lab", "up", str(lab_life.ARTICLE), "--name", "mine")
    with lab_life.start(labs, "lab", "exec", "customer-a/alice", "--", "sh", "-c", "echo here; sleep 600") as sleeping:
        assert sleeping.stdout is not None
        assert sleeping.stdout.readline() == "here\n"
        assert lab_life.run(labs, "lab", "down").returncode == 0
        assert sleeping.wait(lab_life.PATIENCE) == 128 + signal.SIGKILL
    assert until(lambda: lab_life.processes(labs) == [])


@pytest.mark.parametrize(
    "moment", ["farshore.lab.lab_init:", "farshore.conformance.run_checks:"], ids=["making", "checking"]
)
def test_a_run_that_is_killed_takes_its_lab_along(labs: Path, moment: str) -> None:
    """Kill it while the lab is built, and while the checks are made: by then only its tie tells the lab."""
    with lab_life.start(labs, "lab", "run", str(lab_life.ARTICLE)) as running:
        name = f"run-{running.pid}"

        def has_come() -> bool:
            return entry(name).read() is not None and lab_life.runs(labs, moment)

        assert until(lambda: has_come() or running.poll() is not None)
        if running.poll() == EXIT_MACHINE:
            assert running.stderr is not None
            pytest.skip(running.stderr.read())
        running.kill()
    assert until(lambda: lab_life.processes(labs) == [] and not entry(name).is_locked())
    assert lab_life.run(labs, "lab", "status").stdout == "no lab is up\n"  # it clears away what is left
    assert not labs.exists()
