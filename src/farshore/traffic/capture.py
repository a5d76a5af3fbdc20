"""Send packets on the links of a world, and capture every link.

One socket stands in every node for as long as the capture, for closing such a socket costs far more than a packet.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from farshore.engine.nftables import nft
from farshore.engine.nftables.desired import compile_fabric
from farshore.engine.placement import instance_ends
from farshore.fabric.model import EndSystem, Fabric
from farshore.fabric.names import LinkEnd, NodeName
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.port import Port, Protocol
from farshore.traffic.packet import decode
from farshore.traffic.settling import Settling, wait_for_server

_ETH_P_ALL = 0x0003
_ETH_P_IP = 0x0800
_PACKET_OUTGOING = 4
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_LARGEST_PACKET = 65535
_CONNECTION_SECONDS = 60.0  # a safety net: only walks that a service answers open connections
_RECEIVE_BUFFER = 4 << 20
# A receive buffer as small as any machine gives holds what so many packets leave on one node's wires.
_SENT_AT_ONCE = 16

# Keeps an end system's own kernel and servers from answering. What is injected passes beside these rules.
_MUTE = "table inet farshore_mute { chain out { type filter hook output priority 0; policy drop; }; }"


@dataclass(frozen=True, slots=True)
class RawPacket:
    """A packet that is put on the wire behind an interface."""

    end: LinkEnd
    content: bytes


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP connection that a node opens, and what it sends on it: a proxy answers nothing less."""

    node: NodeName
    source: tuple[str, int]
    destination: tuple[str, int]
    request: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Packets that are sent and connections that are opened at once.

    Of what the wires carry, only packets that contain one of the ``marks`` are returned, or all where there is none.
    """

    packets: tuple[RawPacket | Connection, ...]
    marks: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class CapturedPacket:
    """A packet as it was captured leaving a node by an interface, or arriving at it."""

    end: LinkEnd
    leaving: bool
    content: bytes


class TooBusyError(Exception):
    """Packets came faster than they could be read: what was captured is not all there was."""


class Capture:
    """Senders and receivers in the nodes of a world that holds a fabric."""

    def __init__(self, fabric: Fabric, *, only: Collection[NodeName] | None = None, mute: bool = False) -> None:
        """Open a receiver in every node, or in ``only`` these of the fabric.

        With ``mute`` no end system answers by itself; it stays so for as long as the world lives.
        """
        desired = compile_fabric(fabric)
        if mute:
            for node in fabric.end_systems:
                with PRIVATE.entered(namespace_name(node.name)):
                    subprocess.run([nft.program(), _MUTE], check=True)
        # A proxy is one node of the fabric and has a namespace for each of its interfaces.
        self._ends = {there: here for here, there in instance_ends(fabric).items()}
        self._far_macs = {
            LinkEnd(node.name, i.name): bytes.fromhex(i.far_mac.replace(":", ""))
            for node in desired.nodes.values()
            for i in node.interfaces
        }
        self._servers = {} if mute else {node.name: node for node in fabric.end_systems if node.listens}
        self._settling = Settling()
        self._senders: dict[NodeName, socket.socket] = {}
        self._receivers: dict[int, tuple[NodeName, socket.socket]] = {}
        self._poll = select.poll()
        instances = {there.node: here.node for there, here in self._ends.items()}
        for name in desired.nodes:
            if only is None or instances.get(name, name) in only:
                receiver = _receiver(name)
                self._receivers[receiver.fileno()] = (name, receiver)
                self._poll.register(receiver, select.POLLIN)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        """Close senders and receivers."""
        self._settling.close()
        for sender in self._senders.values():
            sender.close()
        for _, receiver in self._receivers.values():
            receiver.close()

    def run(self, batch: Batch) -> list[CapturedPacket]:
        """Send a batch and return what was captured of it, in the order in which each node saw it.

        It is over when no packet of it is under way any more, every connection has ended, and every server has
        answered what has arrived at it. Raises TooBusyError where the receivers have missed packets.
        """
        self._drain()
        captured: list[CapturedPacket] = []
        connections: list[threading.Thread] = []
        for start in range(0, len(batch.packets), _SENT_AT_ONCE):
            for packet in batch.packets[start : start + _SENT_AT_ONCE]:
                if isinstance(packet, Connection):
                    connections.append(threading.Thread(target=_converse, args=(packet,), daemon=True))
                    connections[-1].start()
                else:
                    self._send(packet)
            captured += self._arrivals(batch.marks, 0)
        self._settling.settle()
        for connection in connections:
            while connection.is_alive():
                captured += self._arrivals(batch.marks, 0.01)
        captured += self._arrivals(batch.marks, 0)
        for server, port in self._unanswered(captured):
            wait_for_server(server.name, str(server.address.ip), port)
        self._settling.settle()
        captured += self._arrivals(batch.marks, 0)
        self._require_all()
        return captured

    def _send(self, packet: RawPacket) -> None:
        node = packet.end.node
        if node not in self._senders:
            with PRIVATE.entered(namespace_name(node)):
                # Of protocol 0: it sends, and receives nothing.
                self._senders[node] = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        where = (packet.end.interface, _ETH_P_IP, 0, 0, self._far_macs[packet.end])
        self._senders[node].sendto(packet.content, where)

    def _arrivals(self, marks: Sequence[bytes], seconds: float) -> Iterator[CapturedPacket]:
        for descriptor, _ in self._poll.poll(seconds * 1000):
            node, receiver = self._receivers[descriptor]
            for content, (interface, protocol, kind, *_) in _received(receiver):
                end = LinkEnd(node, interface)
                wanted = not marks or any(mark in content for mark in marks)
                if protocol == _ETH_P_IP and end in self._far_macs and wanted:
                    yield CapturedPacket(self._ends.get(end, end), kind == _PACKET_OUTGOING, content)

    def _unanswered(self, captured: Sequence[CapturedPacket]) -> list[tuple[EndSystem, int]]:
        """Return the servers, with the port, at which more datagrams have arrived than left: servers echo datagrams."""
        pending: Counter[tuple[NodeName, int]] = Counter()
        for each in captured:
            server = self._servers.get(each.end.node)
            packet = decode(each.content) if server else None
            if server and packet is not None and packet.protocol is Protocol.UDP:
                port = packet.source_port if each.leaving else packet.destination_port
                if Port(Protocol.UDP, port) in server.listens:
                    pending[each.end.node, port] += -1 if each.leaving else 1
        return [(self._servers[name], port) for (name, port), number in pending.items() if number > 0]

    def _drain(self) -> None:
        """Forget what passed before: in a lab that others use there may be any amount of it."""
        for _, receiver in self._receivers.values():
            for _ in _received(receiver):
                pass
            _missed(receiver)

    def _require_all(self) -> None:
        overrun = [node for node, receiver in self._receivers.values() if _missed(receiver)]
        if overrun:
            raise TooBusyError(f"more packets passed than could be read at {', '.join(overrun)}")


def _converse(connection: Connection) -> None:
    """Open a connection, send the request, and read the answer to its end. What comes of it the wires show."""
    with contextlib.suppress(OSError), _opened(connection) as own:
        own.sendall(connection.request)
        while own.recv(_LARGEST_PACKET):
            pass


def _opened(connection: Connection) -> socket.socket:
    with PRIVATE.entered(namespace_name(connection.node)):
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.settimeout(_CONNECTION_SECONDS)
    own.bind(connection.source)
    own.connect(connection.destination)
    return own


def _receiver(node: NodeName) -> socket.socket:
    with PRIVATE.entered(namespace_name(node)):
        # Only a socket for all protocols receives what leaves.
        receiver = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    receiver.setblocking(False)
    return receiver


def _received(receiver: socket.socket) -> Iterator[tuple[bytes, Any]]:
    while True:
        try:
            yield receiver.recvfrom(_LARGEST_PACKET)
        except BlockingIOError:
            return


def _missed(receiver: socket.socket) -> int:
    """Return how many packets a receiver has missed since it was last asked."""
    _, missed = struct.unpack("=II", receiver.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
    return int(missed)
