"""What a model leaves open: which of two ambiguous routes a packet takes, and which port of its block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from farshore.fabric.model import Device, Proxy, Route
from farshore.semantics.packet import Packet
from farshore.semantics.routing import LookUp
from farshore.translation import PortBlock

RouteChoice = Callable[[LookUp], Route | None]
# Of a proxy it is the port of the connection that it opens: any of its own address.
PortChoice = Callable[[Device | Proxy, PortBlock, Packet], int]


@dataclass(frozen=True, slots=True)
class Choices:
    """How to go on where a device could do one thing or another."""

    route: RouteChoice
    port: PortChoice


def right_route(found: LookUp) -> Route | None:
    """Go on by the route of the destination's own realm, as if the look-up had found it alone."""
    return found.route


def held_route(found: LookUp) -> Route | None:
    """Go on as a real routing table does, which holds one of two equal routes: the first that it was given."""
    return found.held


def kept_port(_device: Device | Proxy, block: PortBlock, packet: Packet) -> int:
    """Keep the port where the block has it, else take the block's first (RFC 4787 section 4.2.1)."""
    inside_block = block.first_port <= packet.source_port <= block.last_port
    return packet.source_port if inside_block else block.first_port


DEFAULT_CHOICES = Choices(right_route, kept_port)
