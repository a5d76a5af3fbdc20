"""A packet of the walk: its addresses carry their realms, which no device can read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from farshore.port import Protocol
from farshore.realm import Address


class Kind(StrEnum):
    """What a packet is to the flow that it belongs to."""

    DATA = "data"  # TCP, UDP, or an ICMP echo request
    ECHO_REPLY = "echo reply"
    ERROR = "error"  # an ICMP error, which quotes another packet


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet's header. For ICMP echo both ports are the identifier; an error has a ``quoted`` packet."""

    protocol: Protocol
    source: Address
    destination: Address
    source_port: int
    destination_port: int
    kind: Kind = Kind.DATA
    quoted: Packet | None = None

    def answered(self) -> Packet:
        """Return the packet that answers this one."""
        kind = Kind.ECHO_REPLY if self.protocol is Protocol.ICMP else Kind.DATA
        return Packet(self.protocol, self.destination, self.source, self.destination_port, self.source_port, kind)

    def header(self) -> Header:
        """Return what a device can read: no realms."""
        return Header(
            self.protocol, int(self.source.ip), int(self.destination.ip), self.source_port, self.destination_port
        )

    def with_source(self, address: Address, port: int) -> Packet:
        """Return the packet with another source."""
        # An ICMP identifier is one field that stands for both ports.
        far = port if self.protocol is Protocol.ICMP else self.destination_port
        return replace(self, source=address, source_port=port, destination_port=far)

    def with_destination(self, address: Address, port: int) -> Packet:
        """Return the packet with another destination."""
        near = port if self.protocol is Protocol.ICMP else self.source_port
        return replace(self, destination=address, destination_port=port, source_port=near)

    def as_json(self) -> dict[str, Any]:
        """Return the shape that design.md gives packets in JSON, with the quoted packet where there is one."""
        shape: dict[str, Any] = {
            "src": {"ip": str(self.source.ip), "realm": str(self.source.realm)},
            "dst": {"ip": str(self.destination.ip), "realm": str(self.destination.realm)},
            "proto": str(self.protocol),
            "sport": self.source_port,
            "dport": self.destination_port,
        }
        if self.quoted is not None:
            shape["quoted"] = self.quoted.as_json()
        return shape


@dataclass(frozen=True, slots=True)
class Header:
    """The five fields that identify a flow to a device: they contain no realm."""

    protocol: Protocol
    source: int
    destination: int
    source_port: int
    destination_port: int

    def reversed(self) -> Header:
        """Return the header of the opposite direction."""
        return Header(self.protocol, self.destination, self.source, self.destination_port, self.source_port)
