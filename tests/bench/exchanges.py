"""What a node does while it is measured: answer, ask and wait, connect and close. Runs inside the lab."""

from __future__ import annotations

import multiprocessing
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE

_ACCEPTORS = 2
_BACKLOG = 4096
_PATIENCE = 60.0  # seconds: a safety net
_LEAST_WORKERS = 4
_WARM_UP = 200
# Closing with a reset leaves no port waiting, so that many connections can follow each other.
_CLOSE_AT_ONCE = struct.pack("ii", 1, 0)

# Forked by a server: this process has threads.
_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload([__name__])


def start_in(node: str, function: Callable[..., None], *arguments: object) -> multiprocessing.process.BaseProcess:
    """Start a function in a process of its own, in a node's network."""
    process = _forking.Process(target=_run_in, args=(node, function, *arguments), daemon=True)
    process.start()
    return process


def _run_in(node: str, function: Callable[..., None], *arguments: object) -> None:
    with PRIVATE.entered(namespace_name(node)):
        function(*arguments)


def echo_on(address: str, port: int, ready: Any) -> None:
    """Send every datagram back to where it came from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((address, port))
        ready.set()
        while True:
            content, sender = own.recvfrom(2048)
            own.sendto(content, sender)


def accept_on(address: str, port: int, ready: Any) -> None:
    """Accept every connection and close it, in several processes."""
    with socket.create_server((address, port), backlog=_BACKLOG) as own:
        for _ in range(_ACCEPTORS - 1):
            if os.fork() == 0:
                break
        ready.set()
        while True:
            connection, _ = own.accept()
            connection.close()


def event() -> Any:
    """Return an event that processes share."""
    return _forking.Event()


def round_trips(node: str, address: str, port: int, samples: int) -> list[float]:
    """Return the times in microseconds that so many datagrams took to a service and back, one after another."""
    with PRIVATE.entered(namespace_name(node)):
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    times = []
    with own:
        own.settimeout(_PATIENCE)
        own.connect((address, port))
        content = bytes(64)
        for _ in range(_WARM_UP + samples):
            begun = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            own.send(content)
            own.recv(2048)
            times.append((time.clock_gettime_ns(time.CLOCK_MONOTONIC) - begun) / 1000)
    return times[_WARM_UP:]


def connections(nodes: Sequence[str], address: str, port: int, seconds: float) -> float:
    """Return how many new connections a second all nodes together made, each closed before its next."""
    workers = [nodes[number % len(nodes)] for number in range(max(len(nodes), _LEAST_WORKERS))]
    begin = _forking.Barrier(len(workers))
    made: Any = _forking.Queue()
    processes = [start_in(node, _connect_again_and_again, address, port, seconds, begin, made) for node in workers]
    total = sum(made.get(timeout=seconds + _PATIENCE) for _ in workers)
    for process in processes:
        process.join()
    return float(total / seconds)


def _connect_again_and_again(address: str, port: int, seconds: float, begin: Any, made: Any) -> None:
    begin.wait()
    count = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as own:
            own.settimeout(_PATIENCE)
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)
            own.connect((address, port))
            own.recv(1)
            count += 1
    made.put(count)
