"""What runs inside a world: building a fabric, talking in its nodes, listening on its wires."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import mmap
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from farshore.conformance import run_checks
from farshore.conformance.check import Check, Result
from farshore.engine.nftables import nft
from farshore.engine.nftables.desired import compile_fabric
from farshore.engine.nftables.engine import Nftables
from farshore.fabric.model import Fabric
from farshore.machine.apply import apply
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.port import Protocol
from farshore.traffic import servers
from farshore.traffic.packet import checksum
from farshore.traffic.settling import Settling

PATIENCE = 60.0  # seconds for what must come: a safety net, for what is lost is known by what else has settled
_GLANCE = 0.02  # seconds for what usually comes, before everything under way is waited for
_ETH_P_ALL = 0x0003
_ETH_P_IP = 0x0800
IP_MTU_DISCOVER = 10
DONT, PROBE = 0, 3
_LARGEST = 65535
# The ring of a packet socket: see packet_mmap in the kernel's documentation.
_SOL_PACKET, _PACKET_RX_RING, _PACKET_VERSION, _TPACKET_V2 = 263, 5, 10, 1
_TP_STATUS_USER, _TP_STATUS_LOSING = 1, 4
_SOCKET_ADDRESS = 32  # behind the header of each frame
_FRAME, _FRAMES, _BLOCK = 2048, 512, 1 << 16
ECHO_REPLY, UNREACHABLE, ECHO_REQUEST, TIME_EXCEEDED, PARAMETER_PROBLEM = 0, 3, 8, 11, 12
PORT_UNREACHABLE, FRAGMENTATION_NEEDED = 3, 4
_ERRORS = (UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM)


def build(fabric: Fabric) -> list[str]:
    """Apply a fabric; return the changes as text."""
    return [str(change) for change in apply(compile_fabric(fabric), (Nftables(),), PRIVATE)]


def make_checks(checks: Iterable[Check], fabric: Fabric) -> list[Result]:
    """Make checks in this world; its services must serve."""
    results: list[Result] = []
    run_checks.make_checks(list(checks), fabric, results.append)
    return results


def serve_lab(fabric: Fabric) -> None:
    """Serve as a lab does."""
    servers.serve(fabric.end_systems, {}, {})


# --- sockets ---------------------------------------------------------------------------------------


def open_socket(node: str, kind: int, protocol: int = 0, family: int = socket.AF_INET) -> socket.socket:
    """Open a socket in a node."""
    with PRIVATE.entered(namespace_name(node)):
        return socket.socket(family, kind, protocol)


@functools.cache
def _settling() -> Settling:
    return Settling()


def settle() -> None:
    """Return when nothing that has been sent is under way any more, and our echo servers have answered it."""
    _settling().settle()
    for receiver, answering in _echoing:
        _answer_all(receiver, answering)
    _settling().settle()


def comes(own: socket.socket) -> bool:
    """Return whether something can be read, now or when everything under way has arrived."""
    if not select.select([own], [], [], _GLANCE)[0]:
        settle()
    return bool(select.select([own], [], [], 0)[0])


def receive(own: socket.socket) -> tuple[bytes, tuple[str, int]]:
    """Return a datagram and its source. Raises TimeoutError where none is under way."""
    if not comes(own):
        raise TimeoutError("everything has arrived, and this has not")
    data, source = own.recvfrom(_LARGEST)
    return data, source


def tcp(node: str, source: str, source_port: int, destination: str, port: int) -> socket.socket:
    """Connect from a node. Raises OSError, TimeoutError where the first packet or its answer is lost."""
    own = open_socket(node, socket.SOCK_STREAM)
    own.setblocking(False)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((source, source_port))
        _connect(own, (destination, port))
    except OSError:
        own.close()
        raise
    own.settimeout(PATIENCE)
    return own


def _connect(own: socket.socket, where: tuple[str, int]) -> None:
    failure = own.connect_ex(where)
    if failure == errno.EINPROGRESS:
        if not select.select([], [own], [], _GLANCE)[1]:
            settle()
        if not select.select([], [own], [], 0)[1]:
            raise TimeoutError("the connection's first packet, or its answer, is lost")
        failure = own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure:
        raise OSError(failure, os.strerror(failure))


def udp(node: str, source: str, source_port: int, destination: str | None = None, port: int = 0) -> socket.socket:
    """Open a datagram socket in a node, connected where a destination is given."""
    own = open_socket(node, socket.SOCK_DGRAM)
    own.settimeout(PATIENCE)
    own.bind((source, source_port))
    if destination is not None:
        own.connect((destination, port))
    return own


def serve_echo(fabric: Fabric) -> None:
    """Serve every port of every service: say first (TCP) or in front (UDP) who is asking, then echo."""
    for node in fabric.end_systems:
        for port in node.listens:
            here = (str(node.address.ip), port.number)
            if port.protocol is Protocol.TCP:
                listener = open_socket(node.name, socket.SOCK_STREAM)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(here)
                listener.listen(1024)
                threading.Thread(target=_accept, args=(listener,), daemon=True).start()
            elif port.protocol is Protocol.UDP:
                receiver = open_socket(node.name, socket.SOCK_DGRAM)
                receiver.bind(here)
                receiver.setblocking(False)
                answering = threading.Lock()
                _echoing.append((receiver, answering))
                threading.Thread(target=_answer, args=(receiver, answering), daemon=True).start()


def _accept(listener: socket.socket) -> None:
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=_echo, args=(connection, peer), daemon=True).start()


def _echo(connection: socket.socket, peer: tuple[str, int]) -> None:
    with connection, contextlib.suppress(OSError):
        connection.sendall(json.dumps(peer).encode() + b"\n")
        while part := connection.recv(_LARGEST):
            connection.sendall(part)


# The sockets of our UDP echoes, and what each is held by while it answers.
_echoing: list[tuple[socket.socket, threading.Lock]] = []


def _answer(receiver: socket.socket, answering: threading.Lock) -> None:
    while True:
        select.select([receiver], [], [])
        _answer_all(receiver, answering)


def _answer_all(receiver: socket.socket, answering: threading.Lock) -> None:
    """Answer everything that has arrived. Afterwards nothing that had arrived before is without its answer."""
    with answering:
        while True:
            try:
                data, peer = receiver.recvfrom(_LARGEST)
                receiver.sendto(json.dumps(peer).encode() + b"\n" + data, peer)
            except BlockingIOError:
                return
            except OSError:
                continue


def ask(own: socket.socket, data: bytes) -> tuple[str, int, bytes]:
    """Ask a UDP echo of ours; return the address and port it saw, and the echo.

    Raises OSError, TimeoutError where the question or the answer is lost.
    """
    own.send(data)
    answer, _ = receive(own)
    seen, _, echo = answer.partition(b"\n")
    address, port = json.loads(seen)
    return address, port, echo


def read_line(own: socket.socket) -> bytes:
    """Return a line from a stream, without reading beyond it."""
    line = b""
    while not line.endswith(b"\n"):
        part = own.recv(1)
        if not part:
            break
        line += part
    return line


def read_exactly(own: socket.socket, length: int) -> bytes:
    """Return so many bytes from a stream."""
    data = bytearray()
    while len(data) < length:
        part = own.recv(length - len(data))
        if not part:
            raise ConnectionError(f"ended after {len(data)} of {length} bytes")
        data += part
    return bytes(data)


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait until something is so; tell whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# --- ICMP ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Icmp:
    """An ICMP message as a host got it: for an error, ``quoted`` are the addresses of the packet it quotes."""

    kind: int
    code: int
    source: str
    mtu: int = 0
    quoted: tuple[str, str] | None = None
    payload: bytes = b""


class Pinger:
    """A raw ICMP socket in a node."""

    def __init__(self, node: str, source: str) -> None:
        self.socket = open_socket(node, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.bind((source, 0))

    def send(
        self, destination: str, identifier: int, *, ttl: int = 64, payload: bytes = b"", may_fragment: bool = True
    ) -> None:
        """Send an echo request."""
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DONT if may_fragment else PROBE)
        message = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, identifier, 1) + payload
        check = struct.pack("!H", checksum(message))
        self.socket.sendto(message[:2] + check + message[4:], (destination, 0))

    def receive(self, wanted: Callable[[Icmp], bool] = lambda _message: True) -> Icmp | None:
        """Return the first message that is wanted and no request, None where none is under way."""
        while comes(self.socket):
            message = read_icmp(self.socket.recv(_LARGEST))
            if message.kind != ECHO_REQUEST and wanted(message):
                return message
        return None

    def ping(self, destination: str, identifier: int, **options: object) -> Icmp | None:
        """Send an echo request and return what comes of it."""
        self.send(destination, identifier, **options)  # type: ignore[arg-type]
        return self.receive()


def read_icmp(packet: bytes) -> Icmp:
    """Read an ICMP message with its IP header."""
    header = (packet[0] & 0x0F) * 4
    kind, code = packet[header], packet[header + 1]
    source = str(IPv4Address(packet[12:16]))
    if kind in _ERRORS:
        inner = packet[header + 8 :]
        quoted = (str(IPv4Address(inner[12:16])), str(IPv4Address(inner[16:20])))
        return Icmp(kind, code, source, int.from_bytes(packet[header + 6 : header + 8], "big"), quoted)
    return Icmp(kind, code, source, payload=packet[header + 8 :])


# --- wires -----------------------------------------------------------------------------------------


class Wire:
    """Hears every IPv4 packet that enters or leaves a node by one interface, or the first part of a long one.

    It has the kernel copy packets into a ring as they pass. What is read from the socket later is not what was
    on the wire: a NAT device writes the new addresses into the very memory of all fragments but the first.
    """

    def __init__(self, node: str, interface: str) -> None:
        self.node, self.interface = node, interface
        self.socket = open_socket(node, socket.SOCK_DGRAM, 0, socket.AF_PACKET)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
        ring = struct.pack("IIII", _BLOCK, _FRAMES * _FRAME // _BLOCK, _FRAME, _FRAMES)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, ring)
        self.ring = mmap.mmap(self.socket.fileno(), _FRAMES * _FRAME)
        self.next = 0
        self.socket.bind((interface, _ETH_P_ALL))

    def heard(self) -> Iterator[bytes]:
        """Yield what was heard since the last call."""
        while True:
            start = self.next * _FRAME
            status, _, length, _, network = struct.unpack_from("IIIHH", self.ring, start)
            if not status & _TP_STATUS_USER:
                return
            assert not status & _TP_STATUS_LOSING, f"{self.node} {self.interface}: too much to hear"
            content = self.ring[start + network : start + network + length]
            (protocol,) = struct.unpack_from("!H", self.ring, start + _SOCKET_ADDRESS + 2)
            struct.pack_into("I", self.ring, start, 0)
            self.next = (self.next + 1) % _FRAMES
            if protocol == _ETH_P_IP:
                yield content


def addresses(packet: bytes) -> Iterator[IPv4Address]:
    """Yield every address in a packet: of its header, and of the packet that an ICMP error quotes."""
    header = (packet[0] & 0x0F) * 4
    yield IPv4Address(packet[12:16])
    yield IPv4Address(packet[16:20])
    is_later_fragment = int.from_bytes(packet[6:8], "big") & 0x1FFF
    if packet[9] == socket.IPPROTO_ICMP and not is_later_fragment and packet[header] in _ERRORS:
        yield from addresses(packet[header + 8 :])


def nft_in(node: str, text: str) -> None:
    """Load nftables commands in a node, as somebody who meddles would."""
    with PRIVATE.entered(namespace_name(node)):
        nft._run(["-f", "-"], text)


def rules_in(node: str) -> str:
    """Return the rule set of a node."""
    with PRIVATE.entered(namespace_name(node)):
        return nft._listing()
