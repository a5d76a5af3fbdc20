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

from farshore.engine.netfilter import namespace
from farshore.engine.netfilter.places import namespace_name
from farshore.errors import MachineError
from farshore.lab import worlds
from farshore.lab.answer import Fetched, Seen, parsed
from farshore.lab.check import Talk
from farshore.lab.place import Record

_PATIENCE = 5.0  # seconds for an answer that must come
_PART = 65536


def fetch(record: Record, talks: Sequence[Talk]) -> tuple[Fetched, ...]:
    """Have every talk's node fetch from its service, and return what came of each, in order.

    All of them are connected before the first speaks. Raises MachineError where the lab cannot be entered.
    """
    command = [sys.executable, "-m", "farshore.lab.fetch"]
    done = subprocess.run(command, input=pickle.dumps((record, tuple(talks))), stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise MachineError("nothing could be fetched in the lab: see the message above")
    return tuple(
        Fetched(Seen(**said["seen"]) if said["seen"] else None, said["failure"]) for said in json.loads(done.stdout)
    )


def main() -> None:
    """Read a task from standard input, enter the lab, fetch, and write what came of it as JSON."""
    # The bytes come from the command that started this very process, over its own pipe.
    record, talks = pickle.loads(sys.stdin.buffer.read())  # noqa: S301
    worlds.enter(record)
    sys.stdout.write(json.dumps([asdict(fetched) for fetched in _fetch_all(talks)]))


def _fetch_all(talks: Sequence[Talk]) -> list[Fetched]:
    with contextlib.ExitStack() as stack:
        connections = [_connected(talk, stack) for talk in talks]
        for talk, connection in zip(talks, connections, strict=True):
            if isinstance(connection, socket.socket):
                connection.sendall(f"GET / HTTP/1.0\r\nHost: {talk.destination}\r\n\r\n".encode())
        return [_answer(connection) for connection in connections]


def _connected(talk: Talk, stack: contextlib.ExitStack) -> socket.socket | str:
    """Return a connection from the talk's node, or why there is none."""
    with namespace.entered(namespace_name(talk.node)):
        own = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    own.settimeout(_PATIENCE)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((str(talk.source), talk.source_port))
        own.connect((str(talk.destination), talk.port.number))
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
