"""The way of one packet as a picture needs it: what is on the link behind every node. Pure; the walk knows it."""

from __future__ import annotations

from dataclasses import dataclass

from farshore.conformance.topology import SHARED_SOURCE_PORT
from farshore.fabric.model import Device, EndSystem, Fabric, LinkEnd, Node
from farshore.port import Port
from farshore.realm import Address, Realm
from farshore.semantics.packet import Packet
from farshore.semantics.profile import profile_of
from farshore.semantics.trace import trace


@dataclass(frozen=True, slots=True)
class Call:
    """A host that calls a port by an address of its own realm."""

    host: EndSystem
    called: Address
    port: Port


@dataclass(frozen=True, slots=True)
class Leg:
    """A packet on the link behind a node: the link's realm, and the addresses that it carries there."""

    node: Node
    realm: Realm
    source: Address
    destination: Address


def path(fabric: Fabric, call: Call) -> tuple[tuple[Leg, ...], EndSystem]:
    """Return the legs of a call's first packet, and the end system that takes it.

    Raises LookupError where it does not arrive.
    """
    host = call.host
    packet = Packet(call.port.protocol, host.address, call.called, SHARED_SOURCE_PORT, call.port.number)
    journey = trace(fabric, profile_of(None), LinkEnd(host.name, host.interface.name), packet, {})
    if journey.arrived_at is None:
        raise LookupError(f"a packet from {host.name} to {call.called} ends at {journey.hops[-1].node}")
    legs = [Leg(host, host.interface.realm, packet.source, packet.destination)]
    for hop in journey.hops:
        node = fabric.nodes[hop.node]
        if isinstance(node, Device) and hop.crossing is not None:
            realm = next(i.realm for i in node.interfaces if i.name == hop.crossing.egress)
            legs.append(Leg(node, realm, hop.crossing.packet.source, hop.crossing.packet.destination))
    return tuple(legs), journey.arrived_at
