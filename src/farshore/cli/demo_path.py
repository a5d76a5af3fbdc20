"""The way of one packet through a fabric, read off the fabric's own routes and translations. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from farshore.fabric.model import Device, EndSystem, Fabric, LinkEnd, Node
from farshore.realm import Address, Realm
from farshore.translation import BasicNat, SourceTranslation


@dataclass(frozen=True, slots=True)
class Hop:
    """A packet on the link behind a node: the link's realm, and the addresses that it carries there."""

    node: Node
    realm: Realm
    source: Address
    destination: Address


def path(fabric: Fabric, host: EndSystem, called: Address) -> tuple[tuple[Hop, ...], EndSystem]:
    """Return the hops of a packet from a host to the address that it calls, and where it ends.

    Raises LookupError where a device has no route for it.
    """
    far_ends = {link.left: link.right for link in fabric.links} | {link.right: link.left for link in fabric.links}
    node: Node = host
    leaves = host.interface.name
    source, destination = host.address, called
    hops: list[Hop] = []
    while len(hops) < len(fabric.nodes):
        hops.append(Hop(node, _realm(node, leaves), source, destination))
        node = fabric.nodes[far_ends[LinkEnd(node.name, leaves)].node]
        if isinstance(node, EndSystem):
            return tuple(hops), node
        destination = _translated_destination(node, destination)
        leaves = _route(node, destination)
        source = _translated_source(node, source, _realm(node, leaves))
    raise LookupError(f"a packet from {host.name} to {called} goes round in circles")


def _realm(node: Node, interface: str) -> Realm:
    return next(i.realm for i in node.interfaces if i.name == interface)


def _translated_destination(device: Device, destination: Address) -> Address:
    found = (t.outward(destination) for t in device.destination_nat if destination in t.inside)
    return next(found, destination)


def _translated_source(device: Device, source: Address, realm: Realm) -> Address:
    found = (_outward(t, source) for t in device.source_nat if source in t.inside)
    return next((outside for outside in found if outside.realm == realm), source)


def _outward(translation: SourceTranslation, source: Address) -> Address:
    return translation.outward(source) if isinstance(translation, BasicNat) else translation.block(source).address


def _route(device: Device, destination: Address) -> str:
    """Return where a packet leaves: the longest prefix that holds its destination decides."""
    routes = [route for route in device.routes if destination in route.destination]
    chosen = max(routes, key=lambda route: route.destination.network.prefixlen, default=None)
    if chosen is None or chosen.interface is None:
        raise LookupError(f"{device.name} has no route to {destination}")
    return chosen.interface
