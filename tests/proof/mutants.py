"""Broken fabrics: each is a good one with one thing changed. Guards, routes, profiles and cables; the rest beside.

Pure: a mutant says in words what was done to which device, and is a whole fabric of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from itertools import combinations
from typing import NamedTuple, TypeVar

from farshore.fabric.model import Device, EndSystem, Fabric, Guard, Node, Policy, Route
from farshore.fabric.names import LinkEnd
from farshore.realm import Prefix, Realm, RealmKind
from farshore.semantics.profile import PROFILES

EVERYTHING = IPv4Network("0.0.0.0/0")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fabric with one thing changed. ``kind`` is what mutants are counted by."""

    kind: str
    what: str
    fabric: Fabric


class Change(NamedTuple):
    """What a node becomes, and what was done to it."""

    kind: str
    what: str
    node: Node


def with_node(fabric: Fabric, node: Node) -> Fabric:
    """Return a fabric in which one node is another of the same name."""
    nodes = tuple(node if each.name == node.name else each for each in fabric.nodes.values())
    return Fabric.of(fabric.design, nodes, fabric.links)


def mutants_of(fabric: Fabric, changes: Iterable[Change]) -> Iterator[Mutant]:
    """Yield the fabrics with these changes, each once, and those that change nothing left out."""
    known = set(fabric.nodes.values())
    for kind, what, node in changes:
        if node not in known:
            known.add(node)
            yield Mutant(kind, f"{node.name}: {what}", with_node(fabric, node))


def replaced(values: tuple[T, ...], old: T, *new: T) -> tuple[T, ...]:
    """Return the values with others in the place of one."""
    at = next(number for number, each in enumerate(values) if each is old)
    return (*values[:at], *new, *values[at + 1 :])


def everywhere(realm: Realm) -> Prefix:
    """Return all addresses of a realm."""
    return Prefix(realm, EVERYTHING)


def networks(prefixes: Iterable[Prefix]) -> str:
    """Return prefixes as they are printed."""
    return ", ".join(str(prefix.network) for prefix in prefixes)


# --- guards ------------------------------------------------------------------------------------------


def guards(device: Device) -> Iterator[Change]:
    """Break each guard of a device."""
    for guard in device.guards:
        where = f"the guard {guard.direction} at {guard.interface}"
        yield Change("guard removed", f"no {where[4:]}", replace(device, guards=replaced(device.guards, guard)))
        for kind, done, new in _guards(guard, device):
            yield Change(kind, f"{where} {done}", replace(device, guards=replaced(device.guards, guard, new)))


def _guards(guard: Guard, device: Device) -> Iterator[tuple[str, str, Guard]]:
    realm = next(each.realm for each in device.interfaces if each.name == guard.interface)
    sources, destinations = guard.sources, guard.destinations
    yield "guard widened", "admits every source", replace(guard, sources=(everywhere(realm),))
    yield "guard widened", "admits every destination", replace(guard, destinations=(everywhere(realm),))
    for more in (_beside(prefix) for prefix in (sources[:1] + sources[-1:])):
        yield "guard widened", f"admits {more.network} as well", replace(guard, sources=(*sources, more))
    for more in (_beside(prefix) for prefix in (destinations[:1] + destinations[-1:])):
        yield (
            "guard widened",
            f"admits what goes to {more.network} as well",
            replace(guard, destinations=(*destinations, more)),
        )
    yield "guard narrowed", "admits no source", replace(guard, sources=())
    yield "guard narrowed", "admits no destination", replace(guard, destinations=())
    yield "guard narrowed", "admits half of the sources", replace(guard, sources=_half(sources))
    yield "guard narrowed", "admits half of the destinations", replace(guard, destinations=_half(destinations))
    yield (
        "guard turned round",
        "takes sources for destinations",
        replace(guard, sources=destinations, destinations=sources),
    )


def _beside(prefix: Prefix) -> Prefix:
    """Return the other half of the network that a prefix is one half of."""
    network = prefix.network
    return Prefix(prefix.realm, next(each for each in network.supernet().subnets() if each != network))


def _half(prefixes: tuple[Prefix, ...]) -> tuple[Prefix, ...]:
    """Return the first half of the widest prefix and the others whole; of single addresses all but the last."""
    widest = min(prefixes, key=lambda prefix: prefix.network.prefixlen)
    if widest.network.prefixlen == widest.network.max_prefixlen:
        return prefixes[:-1]
    return replaced(prefixes, widest, Prefix(widest.realm, next(widest.network.subnets())))


# --- routes ------------------------------------------------------------------------------------------


def routes(device: Device, known: tuple[Prefix, ...]) -> Iterator[Change]:
    """Break each route of a device, and leak those that are ``known`` elsewhere."""
    table = device.routes
    for route in table:
        to = f"{route.destination} to {route.interface or 'nowhere'}"
        yield Change("route removed", f"no route of {to}", replace(device, routes=replaced(table, route)))
        for way in (*(each.name for each in device.interfaces), None):
            if way == route.interface:
                continue
            kind, says = ("route discarded", "is discarded") if way is None else ("route turned", f"goes to {way}")
            turned = replace(device, routes=replaced(table, route, replace(route, interface=way)))
            yield Change(kind, f"the route of {to} {says}", turned)
        yield from _more_specific(device, route)
    yield from _leaked(device, known)


def _more_specific(device: Device, route: Route) -> Iterator[Change]:
    network = route.destination.network
    if network.prefixlen == network.max_prefixlen:
        return
    half = Prefix(route.destination.realm, next(network.subnets()))
    for way in (*(each.name for each in device.interfaces), None):
        if way != route.interface:
            added = replace(device, routes=(*device.routes, Route(half, way)))
            yield Change("more specific route added", f"a route of {half.network} to {way or 'nowhere'}", added)


def _leaked(device: Device, known: tuple[Prefix, ...]) -> Iterator[Change]:
    for interface in device.interfaces:
        for prefix in (everywhere(interface.realm), *known):
            route = Route(prefix, interface.name)
            if route in device.routes:
                continue
            what = f"a route of {prefix} to {interface.name}"
            if prefix.network != EVERYTHING:
                yield Change("route leaked", what, replace(device, routes=(*device.routes, route)))
                continue
            yield Change("default route added", what, replace(device, routes=(*device.routes, route)))
            first = replace(device, routes=(route, *device.routes))
            yield Change("default route added", f"{what}, before all others", first)


# --- whole devices -----------------------------------------------------------------------------------


def devices(device: Device) -> Iterator[Change]:
    """Make a device work in another way, or lose all of a kind of rule."""
    if device.policy is None:
        # A plain router routes, whatever its make: it has no profile to speak of.
        yield Change("policy changed", "a policy that permits nothing", replace(device, policy=Policy(())))
        return
    for name in PROFILES:
        yield Change("profile changed", f"works as {name}", replace(device, profile=name))
    on = "off" if device.last_hop else "on"
    yield Change("last hop switched", f"last hop is {on}", replace(device, last_hop=not device.last_hop))
    yield Change("policy changed", "no policy", replace(device, policy=None))
    yield Change("guard removed", "no guard at all", replace(device, guards=()))
    yield Change("rules reordered", "the routes backwards", replace(device, routes=device.routes[::-1]))


# --- cables ------------------------------------------------------------------------------------------


def cables(fabric: Fabric) -> Iterator[Mutant]:
    """Exchange every two cables of one box that lead to nodes of one kind, and every two end systems of two realms."""
    for one, other in combinations(fabric.end_systems, 2):
        if one.address.realm != other.address.realm:
            ends = (LinkEnd(each.name, each.interface.name) for each in (one, other))
            yield Mutant("cables exchanged", f"{one.name}: exchanged with {other.name}", _exchanged(fabric, *ends))
    for node in fabric.nodes.values():
        plugs = [LinkEnd(node.name, interface.name) for interface in node.interfaces]
        for near, far in combinations(plugs, 2):
            there, beyond = (fabric.nodes[fabric.far_ends[plug].node] for plug in (near, far))
            if there.kind is beyond.kind:
                what = f"{node.name}: the cables at {near.interface} and {far.interface} exchanged"
                yield Mutant("cables exchanged", what, _exchanged(fabric, near, far))


def _exchanged(fabric: Fabric, one: LinkEnd, other: LinkEnd) -> Fabric:
    swap = {one: other, other: one}
    links = tuple(
        replace(link, left=swap.get(link.left, link.left), right=swap.get(link.right, link.right))
        for link in fabric.links
    )
    return Fabric.of(fabric.design, tuple(fabric.nodes.values()), links)


def prefixes_known(fabric: Fabric) -> tuple[Prefix, ...]:
    """Return what routes anywhere lead to, single hosts left out: what may be leaked to the wrong place."""
    found = (route.destination for device in fabric.devices for route in device.routes)
    wide = (prefix for prefix in found if prefix.network.prefixlen < prefix.network.max_prefixlen)
    return tuple(dict.fromkeys(prefix for prefix in wide if prefix.network != EVERYTHING))


def end_systems(node: EndSystem) -> Iterator[Change]:
    """Put an end system elsewhere, or let it listen to something else."""
    if node.address.realm.kind is RealmKind.INTERNET:
        return  # any host of the Internet is as good as another
    moved = replace(node.address, ip=node.address.ip + 1)
    yield Change("end system changed", f"has the address {moved.ip}", replace(node, address=moved))
    if node.listens:
        first = node.listens[0]
        yield Change("end system changed", f"does not listen to {first}", replace(node, listens=node.listens[1:]))
