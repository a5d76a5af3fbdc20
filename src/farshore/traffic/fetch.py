"""Fetch what a lab's services answer, all at the same moment, and bring the answers home."""

from __future__ import annotations

import contextlib
import json
import pickle
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from farshore.conformance.answer import Fetched, Seen, parsed
from farshore.conformance.check import Exchange
from farshore.errors import MachineError
from farshore.lab.registry import Record
from farshore.machine import namespace
from farshore.machine import world as worlds
from farshore.machine.placement import namespace_name

_PATIENCE = 5.0  # seconds for an answer that must come
_PART = 65536


def fetch(record: Record, exchanges: Sequence[Exchange]) -> tuple[Fetched, ...]:
    """Have every exchange's node fetch from its service, and return what came of each, in order.

    All of them are connected before the first speaks. Raises MachineError where the lab cannot be entered.
    """
    command = [sys.executable, "-m", "farshore.traffic.fetch"]
    done = subprocess.run(command, input=pickle.dumps((record, tuple(exchanges))), stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise MachineError("nothing could be fetched in the lab: see the message above")
    return tuple(
        Fetched(Seen(**said["seen"]) if said["seen"] else None, said["failure"]) for said in json.loads(done.stdout)
    )


def main() -> None:
    """Read a task from standard input, enter the lab, fetch, and write what came of it as JSON."""
    # The bytes come from the command that started this very process, over its own pipe.
    record, exchanges = pickle.loads(sys.stdin.buffer.read())  # noqa: S301
    worlds.enter(record)
    sys.stdout.write(json.dumps([asdict(fetched) for fetched in _fetch_all(exchanges)]))


def _fetch_all(exchanges: Sequence[Exchange]) -> list[Fetched]:
    with contextlib.ExitStack() as stack:
        connections = [_connected(exchange, stack) for exchange in exchanges]
        for exchange, connection in zip(exchanges, connections, strict=True):
            if isinstance(connection, socket.socket):
                connection.sendall(f"GET / HTTP/1.0\r\nHost: {exchange.destination}\r\n\r\n".encode())
        return [_answer(connection) for connection in connections]


def _connected(exchange: Exchange, stack: contextlib.ExitStack) -> socket.socket | str:
    """Return a connection from the exchange's node, or why there is none."""
    with namespace.entered(namespace_name(exchange.node)):
        own = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    own.settimeout(_PATIENCE)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((str(exchange.source), exchange.source_port))
        own.connect((str(exchange.destination), exchange.port.number))
    except OSError as error:
        return f"no connection: {error}"
    return own


def _answer(connection: socket.socket | str) -> Fetched:
    if isinstance(connection, str):
        return Fetched(None, connection)
    answer = b""
    try:
        while part := connection.recv(_PART):
            answer += part
    except OSError as error:
        return Fetched(None, f"no answer: {error}")
    return parsed(answer)


if __name__ == "__main__":
    main()
