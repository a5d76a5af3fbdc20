"""IPv4 packets as bytes, made by hand: what no honest program would send is what must be refused."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

from farshore.port import Protocol

_NUMBERS = {Protocol.ICMP: 1, Protocol.TCP: 6, Protocol.UDP: 17}
_VERSION_AND_LENGTH = 0x45
_TTL = 64
ECHO_REQUEST = 8
TCP_SYN = 0x02
TCP_ACK = 0x10
_TCP_HEADER_WORDS = 5
_TCP_WINDOW = 65535


@dataclass(frozen=True, slots=True)
class Packet:
    """What is to be sent. For ICMP, an echo request, the source port is the identifier."""

    protocol: Protocol
    source: IPv4Address
    destination: IPv4Address
    source_port: int
    destination_port: int
    tcp_flags: int = TCP_SYN

    def __str__(self) -> str:
        """Return ``tcp 10.1.1.1:40000 > 10.2.2.1:443``."""
        if self.protocol is Protocol.ICMP:
            return f"icmp {self.source} > {self.destination}"
        return f"{self.protocol} {self.source}:{self.source_port} > {self.destination}:{self.destination_port}"


def encode(packet: Packet, payload: bytes) -> bytes:
    """Return the whole IPv4 packet, checksums included (RFC 791, 792, 768, 9293)."""
    match packet.protocol:
        case Protocol.ICMP:
            body = _icmp(packet, payload)
        case Protocol.UDP:
            body = _udp(packet, payload)
        case Protocol.TCP:
            body = _tcp(packet, payload)
    return _ip_header(packet, len(body)) + body


def _ip_header(packet: Packet, body_length: int) -> bytes:
    def header(checksum: int) -> bytes:
        return struct.pack(
            "!BBHHHBBH4s4s",
            _VERSION_AND_LENGTH,
            0,
            20 + body_length,
            0,
            0,
            _TTL,
            _NUMBERS[packet.protocol],
            checksum,
            packet.source.packed,
            packet.destination.packed,
        )

    return header(checksum(header(0)))


def _icmp(packet: Packet, payload: bytes) -> bytes:
    def message(check: int) -> bytes:
        return struct.pack("!BBHHH", ECHO_REQUEST, 0, check, packet.source_port, 1) + payload

    return message(checksum(message(0)))


def _udp(packet: Packet, payload: bytes) -> bytes:
    def datagram(check: int) -> bytes:
        ports_and_length = (packet.source_port, packet.destination_port, 8 + len(payload))
        return struct.pack("!HHHH", *ports_and_length, check) + payload

    # RFC 768: a checksum that comes out as zero is sent as all ones, for zero means that there is none.
    return datagram(checksum(_pseudo_header(packet, 8 + len(payload)) + datagram(0)) or 0xFFFF)


def _tcp(packet: Packet, payload: bytes) -> bytes:
    def segment(check: int) -> bytes:
        return (
            struct.pack(
                "!HHIIBBHHH",
                packet.source_port,
                packet.destination_port,
                1,
                0,
                _TCP_HEADER_WORDS << 4,
                packet.tcp_flags,
                _TCP_WINDOW,
                check,
                0,
            )
            + payload
        )

    return segment(checksum(_pseudo_header(packet, 20 + len(payload)) + segment(0)))


def _pseudo_header(packet: Packet, length: int) -> bytes:
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
