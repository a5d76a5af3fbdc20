"""Fabrics of every design, whole or with something wrong, and packets that are interesting in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from both_ways import LAST_ADDRESS, edge_packets, packet_of
from hypothesis import strategies as st

from farshore.design.catalogue import DESIGNS, build
from farshore.fabric.model import Device, EndSystem, Fabric, Guard, Node, NodeKind, Proxy
from farshore.fabric.names import LinkEnd
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.port import Port
from farshore.proof.judges.sources import Sources
from farshore.proof.sets.intervals import EVERY_PORT, of_port, of_prefix
from farshore.proof.spread.crossing import Stream
from farshore.realm import Prefix, Realm
from farshore.semantics.packet import Packet
from farshore.semantics.profile import PROFILES
from farshore.translation import BasicNat
from strategies import intents, mixed_intents

# What can be taken out of a device, or stand in another order.
_TABLES = ("routes", "guards", "destination_nat", "source_nat")


def built(intent: Intent, design: str | None) -> Fabric:
    plan = allocate(intent).plan
    assert plan is not None
    return build(intent, plan, design)


@st.composite
def fabrics(draw: st.DrawFn) -> Fabric:
    """Draw a fabric as the designs build it: of one of them, or of those that each tenant asks for."""
    design = draw(st.sampled_from([None, None, *DESIGNS]))
    drawn = mixed_intents(most_tenants=3) if design is None else intents(most_tenants=3)
    return built(draw(drawn.filter(_uses_something)), design)


def _uses_something(intent: Intent) -> bool:
    return any(tenant.subscriptions for tenant in intent.tenants.values())


@st.composite
def broken_fabrics(draw: st.DrawFn) -> Fabric:
    """Draw a fabric with up to six things wrong, such as no design would make."""
    fabric = draw(fabrics())
    nodes = dict(fabric.nodes)
    for _ in range(draw(st.integers(1, 6))):
        devices = [node for node in nodes.values() if isinstance(node, Device)]
        beyond = [device for device in devices if device.kind is not NodeKind.CE]
        device = draw(st.sampled_from(devices) | st.sampled_from(beyond or devices))
        nodes[device.name] = draw(_broken(device))
    return Fabric.of(fabric.design, tuple(nodes.values()), fabric.links)


@st.composite
def doubtful_fabrics(draw: st.DrawFn) -> Fabric:
    """Draw a fabric in which one device has one route twice, by two interfaces."""
    fabric = draw(fabrics())
    routed = [device for device in fabric.devices if device.routes and len(device.interfaces) > 1]
    beyond = [device for device in routed if device.kind is not NodeKind.CE]
    device = draw(st.sampled_from(beyond or routed) | st.sampled_from(routed))
    known = draw(st.sampled_from(device.routes))
    other = [interface.name for interface in device.interfaces if interface.name != known.interface]
    route = replace(known, interface=draw(st.sampled_from(other)))
    routes = draw(st.sampled_from([(*device.routes, route), (route, *device.routes)]))
    nodes = dict(fabric.nodes) | {device.name: replace(device, routes=routes)}
    return Fabric.of(fabric.design, tuple(nodes.values()), fabric.links)


@st.composite
def _broken(draw: st.DrawFn, device: Device) -> Node:
    table = draw(st.sampled_from([name for name in _TABLES if getattr(device, name)] or ["routes"]))
    rows: tuple[Any, ...] = getattr(device, table)
    dropped = [replace(device, **{table: rows[:row] + rows[row + 1 :]}) for row in range(len(rows))]
    elsewhere = [
        replace(device, routes=(*device.routes[:row], replace(route, interface=end.name), *device.routes[row + 1 :]))
        for row, route in enumerate(device.routes)
        for end in device.interfaces
    ]
    # Narrower one way: what a guard lets through may get no answer.
    narrower = [
        replace(device, guards=(*device.guards[:row], tight, *device.guards[row + 1 :]))
        for row, guard in enumerate(device.guards)
        for tight in (*_without_one(guard, "sources"), *_without_one(guard, "destinations"))
    ]
    passages = [
        narrower,
        narrower,
        [replace(device, guards=())],
        [replace(device, profile=name) for name in PROFILES],
        [replace(device, last_hop=not device.last_hop)],
        [replace(device, **{table: rows[::-1]})],
        dropped,
        elsewhere,
    ]
    return draw(st.sampled_from([each for each in passages if each]).flatmap(st.sampled_from))


def _without_one(guard: Guard, field: str) -> Iterator[Guard]:
    """Yield a guard without each of its prefixes, and with one half of each."""
    held: tuple[Prefix, ...] = getattr(guard, field)
    for row, prefix in enumerate(held):
        yield replace(guard, **{field: held[:row] + held[row + 1 :]})
        if prefix.network.prefixlen < 32:
            halves = (Prefix(prefix.realm, half) for half in prefix.network.subnets())
            yield from (replace(guard, **{field: (*held[:row], half, *held[row + 1 :])}) for half in halves)


def wires(fabric: Fabric) -> st.SearchStrategy[LinkEnd]:
    """Return an end of any link, most often one where a host stands or a tenant's network ends."""
    ends = list(fabric.far_ends)
    tenants = tenant_uplinks(fabric)
    hosts = [end for end in ends if isinstance(fabric.nodes[end.node], EndSystem)]
    return st.sampled_from(tenants) | st.sampled_from(tenants) | st.sampled_from(hosts) | st.sampled_from(ends)


def tenant_uplinks(fabric: Fabric) -> list[LinkEnd]:
    """Return the interfaces by which tenants' networks end at the provider."""
    there = Sources.of(fabric)
    return [uplink for name in there.tenants for uplink in there.site(name).uplinks]


def realm_at(fabric: Fabric, end: LinkEnd) -> Realm:
    """Return the realm of a wire."""
    return next(each.realm for each in fabric.nodes[end.node].interfaces if each.name == end.interface)


def packets(fabric: Fabric, start: LinkEnd, streams: Iterable[Stream]) -> st.SearchStrategy[Packet]:
    """Return packets between the addresses that a fabric speaks of, or at the edges of sets."""
    realm = realm_at(fabric, start)
    known = sorted({ip for node in fabric.nodes.values() for ip in _addresses(node)})
    offered = sorted({port_index for node in fabric.nodes.values() for port_index in _port_indices(node)})
    near = st.sampled_from([0, 0, 0, 1, -1])
    ips = st.builds(lambda ip, by: min(max(ip + by, 0), LAST_ADDRESS), st.sampled_from(known or [0]), near)
    port_indices = st.builds(lambda at, by: min(max(at + by, 0), EVERY_PORT[1]), st.sampled_from(offered or [80]), near)
    between = st.builds(partial(packet_of, realm), ips, ips, port_indices, st.integers(1, 65535))
    return between | edge_packets(streams, realm) | edge_packets(streams, realm)


def _addresses(node: Node) -> Iterator[int]:
    for prefix in _prefixes(node):
        yield from of_prefix(prefix)


def _prefixes(node: Node) -> Iterator[Prefix]:
    if isinstance(node, EndSystem):
        yield Prefix.of(node.address)
    elif isinstance(node, Proxy):
        for front in node.fronts:
            yield from (Prefix.of(front.presented), Prefix.of(front.own), *front.sources)
    else:
        yield from (route.destination for route in node.routes)
        for guard in node.guards:
            yield from (*guard.sources, *guard.destinations)
        for nat in (*node.destination_nat, *node.source_nat):
            yield from (nat.inside, nat.outside if isinstance(nat, BasicNat) else Prefix.of(nat.first))


def _port_indices(node: Node) -> Iterator[int]:
    listed: tuple[Port, ...] = ()
    if isinstance(node, EndSystem):
        listed = node.listens
    elif isinstance(node, Proxy):
        listed = tuple(front.port for front in node.fronts)
    elif node.policy is not None:
        listed = tuple(permit.port for permit in node.policy.permits)
    yield from map(of_port, listed)
