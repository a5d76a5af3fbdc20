"""IPv4 packets as bytes, built and parsed here, as no program sends many of those that must be dropped."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import pairwise

from farshore.port import Protocol

_NUMBERS = {Protocol.ICMP: 1, Protocol.TCP: 6, Protocol.UDP: 17}
_PROTOCOLS = {number: protocol for protocol, number in _NUMBERS.items()}
_VERSION_AND_LENGTH = 0x45
_TTL = 64
_IP_HEADER = 20
_UNIT = 8  # bytes, in which the offset of a fragment counts
_MORE_FRAGMENTS = 0x2000
_LEAST_BODY = 8  # what an ICMP error quotes at least of a packet's body (RFC 792)
ECHO_REPLY = 0
DESTINATION_UNREACHABLE = 3
ECHO_REQUEST = 8
TIME_EXCEEDED = 11
PARAMETER_PROBLEM = 12
ICMP_ERRORS = frozenset({DESTINATION_UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM})
PORT_UNREACHABLE = 3
FRAGMENTATION_NEEDED = 4
TCP_SYN = 0x02
TCP_ACK = 0x10
_TCP_HEADER_WORDS = 5
_TCP_WINDOW = 65535


@dataclass(frozen=True, slots=True)
class WirePacket:
    """A packet to send, or one that was captured. For ICMP echo the source port is the identifier.

    An ICMP error, known by its ``icmp_type``, has a ``quoted`` packet, and ``next_mtu`` where it says that
    fragmentation is needed.
    """

    protocol: Protocol
    source: IPv4Address
    destination: IPv4Address
    source_port: int
    destination_port: int
    tcp_flags: int = TCP_SYN
    sequence: int = 1
    acknowledgment: int = 0
    icmp_type: int = ECHO_REQUEST
    icmp_code: int = 0
    next_mtu: int = 0
    quoted: WirePacket | None = None

    def __str__(self) -> str:
        """Return ``tcp 10.1.1.1:40000 > 10.2.2.1:443``."""
        if self.protocol is Protocol.ICMP:
            return f"icmp {self.source} > {self.destination}"
        return f"{self.protocol} {self.source}:{self.source_port} > {self.destination}:{self.destination_port}"


def encode(packet: WirePacket, payload: bytes) -> bytes:
    """Return the whole IPv4 packet, checksums included (RFC 791, 792, 768, 9293).

    The payload of an ICMP error is that of the packet it quotes.
    """
    match packet.protocol:
        case Protocol.ICMP:
            body = _icmp(packet, payload)
        case Protocol.UDP:
            body = _udp(packet, payload)
        case Protocol.TCP:
            body = _tcp(packet, payload)
    return _ip_header(packet, len(body)) + body


def _ip_header(packet: WirePacket, body_length: int) -> bytes:
    def header(checksum: int) -> bytes:
        return struct.pack(
            "!BBHHHBBH4s4s",
            _VERSION_AND_LENGTH,
            0,
            _IP_HEADER + body_length,
            0,
            0,
            _TTL,
            _NUMBERS[packet.protocol],
            checksum,
            packet.source.packed,
            packet.destination.packed,
        )

    return header(checksum(header(0)))


def _icmp(packet: WirePacket, payload: bytes) -> bytes:
    if packet.quoted is None:
        rest = struct.pack("!HH", packet.source_port, 1) + payload
    else:
        rest = struct.pack("!HH", 0, packet.next_mtu) + encode(packet.quoted, payload)

    def message(check: int) -> bytes:
        return struct.pack("!BBH", packet.icmp_type, packet.icmp_code, check) + rest

    return message(checksum(message(0)))


def _udp(packet: WirePacket, payload: bytes) -> bytes:
    def datagram(check: int) -> bytes:
        ports_and_length = (packet.source_port, packet.destination_port, 8 + len(payload))
        return struct.pack("!HHHH", *ports_and_length, check) + payload

    # RFC 768: a checksum that comes out as zero is sent as all ones, for zero means that there is none.
    return datagram(checksum(_pseudo_header(packet, 8 + len(payload)) + datagram(0)) or 0xFFFF)


def _tcp(packet: WirePacket, payload: bytes) -> bytes:
    def segment(check: int) -> bytes:
        return (
            struct.pack(
                "!HHIIBBHHH",
                packet.source_port,
                packet.destination_port,
                packet.sequence,
                packet.acknowledgment,
                _TCP_HEADER_WORDS << 4,
                packet.tcp_flags,
                _TCP_WINDOW,
                check,
                0,
            )
            + payload
        )

    return segment(checksum(_pseudo_header(packet, 20 + len(payload)) + segment(0)))


def _pseudo_header(packet: WirePacket, length: int) -> bytes:
    return struct.pack(
        "!4s4sBBH", packet.source.packed, packet.destination.packed, 0, _NUMBERS[packet.protocol], length
    )


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:  # noqa: PLR2004 - sixteen bits
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# --- fragments (RFC 791 section 3.2), cut as a test wants them ------------------------------------------


def fragment(packet: bytes, identification: int, start: int, end: int) -> bytes:
    """Return the fragment with the bytes from ``start`` to ``end`` of a packet's payload, checksum included.

    ``packet`` has a header of 20 bytes, without options. Only the last fragment may end elsewhere than at a multiple of
    8 bytes. Raises ValueError for bounds that no fragment has.
    """
    payload = packet[_IP_HEADER:]
    more = end < len(payload)
    if not 0 <= start < end <= len(payload) or start % _UNIT or (more and end % _UNIT):
        raise ValueError(f"no fragment of {len(payload)} bytes goes from {start} to {end}")
    part = payload[start:end]
    offset = start // _UNIT | (_MORE_FRAGMENTS if more else 0)
    header = packet[:2] + struct.pack("!HHH", _IP_HEADER + len(part), identification, offset) + packet[8:10]
    return header + struct.pack("!H", checksum(header + b"\0\0" + packet[12:20])) + packet[12:20] + part


def fragments(packet: bytes, identification: int, cuts: Sequence[int]) -> tuple[bytes, ...]:
    """Return a packet as fragments, in order, cut where ``cuts`` say, in bytes of its payload."""
    bounds = (0, *cuts, len(packet) - _IP_HEADER)
    return tuple(fragment(packet, identification, start, end) for start, end in pairwise(bounds))


# --- reading ---------------------------------------------------------------------------------------


def decode(content: bytes) -> WirePacket | None:
    """Read an IPv4 packet, None where it is none, or of no protocol that services offer.

    Eight bytes of its body suffice, as in what ICMP errors quote; what is not there is read as zero.
    """
    if len(content) < _IP_HEADER or content[0] >> 4 != _VERSION_AND_LENGTH >> 4:
        return None
    start = (content[0] & 0x0F) * 4
    protocol, body = _PROTOCOLS.get(content[9]), content[start:]
    if protocol is None or len(body) < _LEAST_BODY:
        return None
    source, destination = IPv4Address(content[12:16]), IPv4Address(content[16:20])
    first, second = struct.unpack_from("!HH", body)
    match protocol:
        case Protocol.UDP:
            return WirePacket(protocol, source, destination, first, second)
        case Protocol.TCP:
            sequence, acknowledgment, flags = struct.unpack_from("!IIxB", body.ljust(_IP_HEADER, b"\0"), 4)
            return WirePacket(protocol, source, destination, first, second, flags, sequence, acknowledgment)
        case Protocol.ICMP:
            return _decode_icmp(source, destination, body)


def _decode_icmp(source: IPv4Address, destination: IPv4Address, body: bytes) -> WirePacket:
    kind, code = body[0], body[1]
    identifier, last = struct.unpack_from("!HH", body, 4)
    if kind in ICMP_ERRORS:
        mtu = last if (kind, code) == (DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED) else 0
        quoted = decode(body[_LEAST_BODY:])
        icmp = {"icmp_type": kind, "icmp_code": code, "next_mtu": mtu}
        return WirePacket(Protocol.ICMP, source, destination, 0, 0, **icmp, quoted=quoted)
    return WirePacket(Protocol.ICMP, source, destination, identifier, identifier, icmp_type=kind, icmp_code=code)
