"""Parallel work on all processors, with the same result as in sequence.

Processes are forked, whatever way of starting them a Python prefers (3.14 starts a server that forks), for a forked
process shares the fabric that is to be proven: handing it over takes longer than the proof. A fork copies no thread
but the one that forks, and a lock that another thread holds stays locked for ever in the copy; Python warns of it from
3.12 on. So a program with other threads, such as an API's server, has its work done in its own process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# A process of its own costs as much as proving some hundred tenants.
_WORTH_A_PROCESS = 500
_REPORTED_EVERY = 100


def mapped(work: Callable[[Item], Result], items: Sequence[Item], report: Callable[[int], None]) -> list[Result]:
    """Return the work's result for each item, in order. ``report`` is called with how many of all are done.

    Forked processes share what there is to read and return what they made through a pipe. The first report comes
    after the forks, so it may start a thread.

    Raises:
        ChildProcessError: A process ended before it was done; it has said why on standard error.
    """
    processes = max(1, min(len(os.sched_getaffinity(0)), len(items) // _WORTH_A_PROCESS))
    # Of the system's threads: those that a library starts are unknown to Python's module of that name.
    if sum(1 for _ in Path("/proc/self/task").iterdir()) > 1:
        processes = 1
    shares = [items[number::processes] for number in range(processes)]
    context = multiprocessing.get_context("fork")
    others = []
    for share in shares[1:]:
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=_hand_back, args=(work, share, sending), daemon=True)
        process.start()
        sending.close()
        others.append((process, receiving))
    done: list[list[Result]] = [[]]
    for number, item in enumerate(shares[0]):
        if number % _REPORTED_EVERY == 0:
            report(number * processes)
        done[0].append(work(item))
    for process, receiving in others:
        try:
            done.append(receiving.recv())
        except EOFError:
            raise ChildProcessError(f"process {process.pid} ended before it was done") from None
        finally:
            process.join()
    results: list[Result | None] = [None] * len(items)
    for number, share_done in enumerate(done):
        results[number::processes] = share_done
    return [result for result in results if result is not None]


def _hand_back(work: Callable[[Item], Result], share: Sequence[Item], sending: Connection) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Of a program that is ended, the process that was started alone says so.
        signal.signal(number, signal.SIG_DFL)
    sending.send([work(item) for item in share])
    sending.close()
