"""Work on all processors: the same results in the same order, and forks only where no thread can be hurt by them.

A program of its own runs each case, because a test runner may have threads.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from farshore.proof.side_by_side import mapped

PROCESSORS = len(os.sched_getaffinity(0))
PROLOGUE = """
import os, signal, sys, threading
from farshore.proof.side_by_side import mapped
HERE, NUMBERS = os.getpid(), tuple(range(1203))
def quiet(done): pass
"""


def program(text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "always", "-c", PROLOGUE + text]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_results_are_in_order_and_progress_is_reported() -> None:
    reported: list[int] = []
    numbers = tuple(range(1203))
    assert mapped(lambda number: number * number, numbers, reported.append) == [n * n for n in numbers]
    assert reported[0] == 0
    assert reported == sorted(set(reported))


@pytest.mark.skipif(PROCESSORS == 1, reason="with one processor there is one process")
def test_several_processes_return_the_same_in_order() -> None:
    done = program(
        "results = mapped(lambda n: (n, os.getpid()), NUMBERS, quiet)\n"
        "assert [n for n, _ in results] == list(NUMBERS)\n"
        "print(len({pid for _, pid in results}))\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{min(PROCESSORS, 2)}\n", "")


@pytest.mark.parametrize(
    "start", ["threading.Thread(target=end.wait).start()", "_thread.start_new_thread(end.wait, ())"]
)
def test_no_process_is_forked_beside_a_thread(start: str) -> None:
    """Python says so from 3.12 on: the copy could wait for ever for a lock that the thread held.

    The second kind of thread, as a library starts them, is one that the module ``threading`` does not know.
    """
    done = program(
        f"import _thread\nend = threading.Event()\n{start}\n"
        "results = mapped(lambda n: (n, os.getpid()), NUMBERS, quiet)\n"
        "end.set()\n"
        "assert results == [(n, HERE) for n in NUMBERS]\n"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(PROCESSORS == 1, reason="with one processor there is one process")
def test_a_thread_may_be_started_by_the_first_report() -> None:
    """A reporter that draws by a thread of its own starts it when there is something to draw: after the forks."""
    done = program(
        "end = threading.Event()\n"
        "def report(done):\n"
        "    if done == 0: threading.Thread(target=end.wait).start()\n"
        "results = mapped(lambda n: os.getpid(), NUMBERS, report)\n"
        "end.set()\n"
        "print(len(set(results)))\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{min(PROCESSORS, 2)}\n", "")


@pytest.mark.skipif(PROCESSORS == 1, reason="with one processor there is one process")
def test_a_process_that_dies_is_reported() -> None:
    done = program(
        "def work(n):\n"
        "    if os.getpid() != HERE: raise SystemExit(3)\n"
        "    return n\n"
        "try: mapped(work, NUMBERS, quiet)\n"
        "except ChildProcessError as error: print(error)\n"
    )
    assert done.returncode == 0
    assert "ended before it was done" in done.stdout


@pytest.mark.skipif(PROCESSORS == 1, reason="with one processor there is one process")
def test_a_process_that_is_ended_writes_nothing_of_its_own() -> None:
    done = program(
        "def work(n):\n"
        "    if os.getpid() != HERE: os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return n\n"
        "def ended(number, frame): raise KeyboardInterrupt(number)\n"
        "signal.signal(signal.SIGTERM, ended)\n"
        "try: mapped(work, NUMBERS, quiet)\n"
        "except ChildProcessError: print('ended')\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
