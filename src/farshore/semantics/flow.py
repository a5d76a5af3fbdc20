"""Flows: the state that a device keeps of permitted packets (RFC 2663 section 2.6, sessions)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from farshore.semantics.packet import Kind, Packet


class Way(StrEnum):
    """Which way along a flow a packet goes."""

    FORWARD = "forward"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow as its first packet arrived and as it left, and by which interfaces.

    ``zone`` tells flows with equal headers apart by where they came in, None where nothing does.
    """

    arrived: Packet
    left: Packet
    ingress: str
    egress: str
    zone: str | None = None

    def way_of(self, packet: Packet, ingress: str) -> Way | None:
        """Tell which way along this flow a packet goes, None where it is not part of it."""
        if packet.kind is Kind.ERROR and packet.quoted is not None:
            # A router sends an error to the sender of the packet; an error to any other address is unsolicited.
            solicited = packet.destination.ip == packet.quoted.source.ip
            return self._way_of_error(packet.quoted, ingress) if solicited else None
        header = packet.header()
        if header == self.arrived.header() and packet.kind is Kind.DATA and self.zone in (None, ingress):
            return Way.FORWARD
        answer_kind = self.left.answered().kind
        if header == self.left.header().reversed() and packet.kind is answer_kind:
            return Way.BACK
        return None

    def _way_of_error(self, quoted: Packet, ingress: str) -> Way | None:
        """An error goes against the packet that it quotes, which is as it was when this device sent it."""
        if quoted.header() == self.left.header() and quoted.kind is Kind.DATA:
            return Way.BACK
        answer = self.arrived.answered()
        if quoted.header() == answer.header() and quoted.kind is answer.kind and self.zone in (None, ingress):
            return Way.FORWARD
        return None


def find(flows: Iterable[Flow], packet: Packet, ingress: str) -> tuple[Flow, Way] | None:
    """Return the flow that a packet belongs to and its way along it, None for a new one."""
    for flow in flows:
        way = flow.way_of(packet, ingress)
        if way is not None:
            return flow, way
    return None
