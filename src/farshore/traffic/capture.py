"""The ears and hands in a lab: a process inside it that puts packets on wires and returns what all wires carried.

It holds one socket in every node, for closing such a socket costs far more than a packet does, and goes through
volley after volley until whoever started it lets go.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from farshore.engine.nftables import nft
from farshore.engine.nftables.desired import compile_fabric
from farshore.fabric.model import Fabric, LinkEnd
from farshore.fabric.names import NodeName
from farshore.lab.registry import Record
from farshore.machine import namespace
from farshore.machine import world as worlds
from farshore.machine.placement import instance_ends, namespace_name

LENGTH = 8
_ETH_P_ALL = 0x0003
_ETH_P_IP = 0x0800
_PACKET_OUTGOING = 4
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_LARGEST_PACKET = 65535
_CONVERSATION_SECONDS = 5.0
_RECEIVE_BUFFER = 4 << 20
# A receive buffer as small as any machine gives holds what so many packets leave on one node's wires.
_CASTS_AT_ONCE = 16

# Keeps an end system's own kernel and servers from answering. What is injected passes beside these rules.
_MUTE = "table inet farshore_mute { chain out { type filter hook output priority 0; policy drop; }; }"


@dataclass(frozen=True, slots=True)
class Task:
    """Where to listen. With ``mute`` no end system answers by itself; it stays so for the lab's whole life."""

    record: Record
    fabric: Fabric
    mute: bool


@dataclass(frozen=True, slots=True)
class Cast:
    """A packet to be put on the wire behind an interface."""

    end: LinkEnd
    content: bytes


@dataclass(frozen=True, slots=True)
class Conversation:
    """A connection to be opened from a node, and what is to be said on it: a proxy answers nothing less."""

    node: NodeName
    source: tuple[str, int]
    destination: tuple[str, int]
    said: bytes


@dataclass(frozen=True, slots=True)
class Volley:
    """Packets to be sent and connections to be opened at once, and what to wait for.

    Only packets that contain one of the ``marks`` are returned. It is over when there was none for ``silence``
    seconds, and in any case after ``patience`` seconds.
    """

    casts: tuple[Cast | Conversation, ...]
    marks: tuple[bytes, ...]
    silence: float
    patience: float


@dataclass(frozen=True, slots=True)
class Sight:
    """A packet as it was seen leaving a node by an interface, or arriving at it."""

    end: LinkEnd
    leaving: bool
    content: bytes


class TooBusyError(Exception):
    """Packets came faster than they could be read: what was seen is not all there was."""


class _Capture:
    """All the sockets, for one lab."""

    def __init__(self, fabric: Fabric) -> None:
        desired = compile_fabric(fabric)
        # A proxy is one node of the fabric and has a namespace for each of its interfaces.
        self._ends = {there: here for here, there in instance_ends(fabric).items()}
        self._far_macs = {
            LinkEnd(node.name, i.name): bytes.fromhex(i.far_mac.replace(":", ""))
            for node in desired.nodes.values()
            for i in node.interfaces
        }
        self._hands: dict[NodeName, socket.socket] = {}
        self._ears: dict[int, tuple[NodeName, socket.socket]] = {}
        self._poll = select.poll()
        for node in desired.nodes:
            ear = _ear(node)
            self._ears[ear.fileno()] = (node, ear)
            self._poll.register(ear, select.POLLIN)

    def run(self, volley: Volley) -> list[Sight]:
        """Send a volley and return what was seen of it, in the order in which each node saw it."""
        self._drain()
        seen: list[Sight] = []
        for start in range(0, len(volley.casts), _CASTS_AT_ONCE):
            for cast in volley.casts[start : start + _CASTS_AT_ONCE]:
                if isinstance(cast, Conversation):
                    threading.Thread(target=_converse, args=(cast,), daemon=True).start()
                else:
                    self._inject(cast)
            seen += self._arrivals(volley.marks, 0)
        end = time.monotonic() + volley.patience
        last = time.monotonic()
        while (now := time.monotonic()) < min(end, last + volley.silence):
            arrived = list(self._arrivals(volley.marks, min(end, last + volley.silence) - now))
            seen += arrived
            last = time.monotonic() if arrived else last
        self._require_all()
        return seen

    def _inject(self, cast: Cast) -> None:
        if cast.end.node not in self._hands:
            with namespace.entered(namespace_name(cast.end.node)):
                # Of protocol 0: it sends, and receives nothing.
                self._hands[cast.end.node] = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        where = (cast.end.interface, _ETH_P_IP, 0, 0, self._far_macs[cast.end])
        self._hands[cast.end.node].sendto(cast.content, where)

    def _arrivals(self, marks: Sequence[bytes], seconds: float) -> Iterator[Sight]:
        for descriptor, _ in self._poll.poll(seconds * 1000):
            node, ear = self._ears[descriptor]
            for content, (interface, protocol, kind, *_) in _received(ear):
                end = LinkEnd(node, interface)
                if protocol == _ETH_P_IP and end in self._far_macs and any(mark in content for mark in marks):
                    yield Sight(self._ends.get(end, end), kind == _PACKET_OUTGOING, content)

    def _drain(self) -> None:
        """Forget what passed before: in a lab that others use there may be any amount of it."""
        for _, ear in self._ears.values():
            for _ in _received(ear):
                pass
            _dropped(ear)

    def _require_all(self) -> None:
        deaf = [node for node, ear in self._ears.values() if _dropped(ear)]
        if deaf:
            raise TooBusyError(f"more packets passed than could be read at {', '.join(deaf)}")


def _converse(conversation: Conversation) -> None:
    """Open a connection, say what is to be said, and hear the answer out. What comes of it the wires show."""
    with contextlib.suppress(OSError), _connection(conversation) as own:
        own.sendall(conversation.said)
        while own.recv(_LARGEST_PACKET):
            pass


def _connection(conversation: Conversation) -> socket.socket:
    with namespace.entered(namespace_name(conversation.node)):
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.settimeout(_CONVERSATION_SECONDS)
    own.bind(conversation.source)
    own.connect(conversation.destination)
    return own


def _ear(node: NodeName) -> socket.socket:
    with namespace.entered(namespace_name(node)):
        # Only a socket for all protocols hears what leaves.
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    ear.setblocking(False)
    return ear


def _received(ear: socket.socket) -> Iterator[tuple[bytes, Any]]:
    while True:
        try:
            yield ear.recvfrom(_LARGEST_PACKET)
        except BlockingIOError:
            return


def _dropped(ear: socket.socket) -> int:
    """Return how many packets a socket has missed since it was last asked."""
    _, missed = struct.unpack("=II", ear.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
    return int(missed)


# --- the process -----------------------------------------------------------------------------------


def main() -> None:
    """Read a task from standard input, enter the lab, and go through volleys until the input ends."""
    task = _read()
    assert isinstance(task, Task)  # noqa: S101 - what the starter writes first
    worlds.enter(task.record)
    if task.mute:
        for node in task.fabric.end_systems:
            with namespace.entered(namespace_name(node.name)):
                subprocess.run([nft.program(), _MUTE], check=True)
    capture = _Capture(task.fabric)
    _write(None)
    while (volley := _read()) is not None:
        try:
            _write(capture.run(volley))
        except TooBusyError as error:
            _write(error)


def framed(value: object) -> bytes:
    """Return a value as bytes that begin with their own number."""
    content = pickle.dumps(value)
    return len(content).to_bytes(LENGTH, "big") + content


def _write(value: object) -> None:
    content = memoryview(framed(value))
    while content:
        content = content[os.write(1, content) :]


def _read() -> Any:
    length = _read_exactly(LENGTH)
    # The bytes come from the command that started this very process, over its own pipe.
    return pickle.loads(_read_exactly(int.from_bytes(length, "big"))) if length else None  # noqa: S301


def _read_exactly(length: int) -> bytes:
    """Read so many bytes, past any buffer, for entering a lab forks; fewer only where the input ends."""
    parts = bytearray()
    while len(parts) < length:
        part = os.read(0, length - len(parts))
        if not part:
            break
        parts += part
    return bytes(parts)


if __name__ == "__main__":
    # What is pickled must be known by its module's own name, not as __main__'s.
    importlib.import_module("farshore.traffic.capture").main()
