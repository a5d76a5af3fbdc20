"""Fragments of two tenants with equal addresses, ports and identifications, and what a service makes of them."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Self

import live_tools

from farshore.engine.nftables.desired import compile_fabric
from farshore.fabric.model import Fabric
from farshore.port import Protocol
from farshore.traffic.packet import WirePacket, encode, fragment

_ETH_P_IP = 0x0800
_LARGEST = 65535
_UDP_CHECKSUM = slice(26, 28)

# Of datagrams with 8 bytes of header and 64 letters.
LETTERS, LENGTH = 64, 72

# A part of a datagram, from one byte of its payload to another.
Part = tuple[int, int]


class Sender:
    """Puts packets as they are on the wire behind an interface of a node."""

    def __init__(self, fabric: Fabric, node: str, interface: str = "wan") -> None:
        interfaces = {i.name: i for i in compile_fabric(fabric).nodes[node].interfaces}  # type: ignore[index]
        self.socket = live_tools.open_socket(node, socket.SOCK_DGRAM, 0, socket.AF_PACKET)
        self.where = (interface, _ETH_P_IP, 0, 0, bytes.fromhex(interfaces[interface].far_mac.replace(":", "")))

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        self.socket.sendto(packet, self.where)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def datagram(source: str, destination: str, letter: str, length: int, port: int = 5000) -> bytes:
    """Return a UDP packet with so many equal letters and no checksum: whatever is put together of it is valid."""
    header = WirePacket(Protocol.UDP, IPv4Address(source), IPv4Address(destination), 40404, port)
    packet = bytearray(encode(header, letter.encode() * length))
    packet[_UDP_CHECKSUM] = b"\0\0"
    return bytes(packet)


@dataclass(frozen=True, slots=True)
class Play:
    """What the one who attacks sends before, the parts that the other sends, and what the first sends after."""

    before: Sequence[Part]
    whole: Sequence[Part]
    after: Sequence[Part]

    @property
    def finished(self) -> bool:
        """Return whether the attacker's datagram is whole in the end."""
        return {n for part in (*self.before, *self.after) for n in range(*part)} == set(range(LENGTH))


PLAYS = {
    "the first fragment before": Play([(0, 24)], [(0, 24), (24, 72)], [(24, 72)]),
    "the rest before": Play([(24, 72)], [(0, 24), (24, 72)], [(0, 24)]),
    "the rest before the first": Play([(0, 24)], [(24, 72), (0, 24)], [(24, 72)]),
    "overlapping": Play([(0, 48)], [(0, 24), (24, 72)], [(48, 72)]),
    "overlapping within": Play([(16, 32)], [(0, 24), (24, 72)], []),
    "tiny": Play([(0, 8)], [(n, n + 8) for n in range(0, 72, 8)], [(n, n + 8) for n in range(8, 72, 8)]),
    "never finished": Play([(0, 24), (48, 72)], [(0, 24), (24, 48), (48, 72)], []),
}


def both(victim: Sender, attacker: Sender, packets: tuple[bytes, bytes], play: Play, identification: int) -> None:
    """Send both datagrams, the attacker's around the other's."""
    whole, planted = packets
    for part in play.before:
        attacker.send(fragment(planted, identification, *part))
    live_tools.settle()
    for part in play.whole:
        victim.send(fragment(whole, identification, *part))
    live_tools.settle()
    for part in play.after:
        attacker.send(fragment(planted, identification, *part))
    live_tools.settle()


def received(own: socket.socket) -> list[tuple[str, str]]:
    """Return what a datagram socket has received, source and letters, each run of one letter as that letter."""
    found = []
    while live_tools.comes(own):
        data, (source, _) = own.recvfrom(_LARGEST)
        text = data.decode()
        runs = "".join(letter for letter, before in zip(text, " " + text, strict=False) if letter != before)
        found.append((source, runs))
    return found
