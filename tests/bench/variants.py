"""The same hosts: carried by each design of farshore, routed as they are, and translated by typed iptables rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from farshore.design.catalogue import build
from farshore.fabric.model import Device, EndSystem, Fabric, Node, NodeKind, Route
from farshore.fabric.names import PROVIDER_NAT
from farshore.intent.load import load_text
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.port import Port, Protocol
from farshore.realm import Address, Prefix
from farshore.translation import BasicNat

from .handwritten import rules
from .intents import many_tenants

SERVICES = 8
SERVICE = f"service-{SERVICES}"  # the one that is measured
SERVICE_NODE = f"provider/{SERVICE}"
IPERF_PORT = 5201
ECHO_PORT = 5202
ACCEPT_PORT = 5203
_PORTS = (
    Port(Protocol.TCP, IPERF_PORT),
    Port(Protocol.UDP, IPERF_PORT),
    Port(Protocol.UDP, ECHO_PORT),
    Port(Protocol.TCP, ACCEPT_PORT),
)


class Kind(StrEnum):
    """What a variant does with a packet on its way."""

    LAKE = "lake"
    LAST_HOP = "last-hop"
    APPLIANCE = "appliance"
    ROUTED = "routed"
    IPTABLES = "iptables"


@dataclass(frozen=True, slots=True)
class Variant:
    """One lab to measure.

    ``targets`` are each tenant's host and the address by which it knows the service, ``rules`` what is to be
    loaded with iptables-restore, by node.
    """

    kind: Kind
    fabric: Fabric
    service_address: str
    targets: tuple[tuple[str, str], ...]
    rules: Mapping[str, str] = field(default_factory=dict)

    @property
    def carries_packets(self) -> bool:
        """Tell whether it carries more than TCP connections."""
        return self.kind is not Kind.APPLIANCE


def planned(tenants: int) -> tuple[Intent, Plan]:
    """Return an intent of so many tenants, who all use the same services and addresses, and its plan."""
    intent = load_text(many_tenants(tenants, SERVICES), "bench.yaml").intent
    assert intent is not None
    services = dict(intent.provider.services)
    services[SERVICE] = replace(services[SERVICE], ports=_PORTS)
    intent = replace(intent, provider=replace(intent.provider, services=services))
    plan = allocate(intent).plan
    assert plan is not None
    return intent, plan


def variants(tenants: int) -> tuple[Variant, ...]:
    """Return all variants for so many tenants. The last two have the lake's nodes, links and hops."""
    intent, plan = planned(tenants)
    fabric = _unattended(build(intent, plan, "lake"))
    real = str(plan.services[SERVICE].address.ip)
    hosts = {node.name.owner: node.name for node in fabric.end_systems if node.kind is NodeKind.HOST}
    presented = tuple((hosts[name], str(tenant.presents[SERVICE].ip)) for name, tenant in plan.tenants.items())
    typed = {device.name: rules(device) for device in fabric.devices if device.policy is not None}
    return (
        Variant(Kind.LAKE, fabric, real, presented),
        Variant(Kind.LAST_HOP, _unattended(build(intent, plan, "last-hop")), real, presented),
        Variant(Kind.APPLIANCE, _unattended(build(intent, plan, "appliance")), real, presented),
        Variant(Kind.ROUTED, _routed(fabric), real, tuple((host, real) for host, _ in presented)),
        Variant(Kind.IPTABLES, _bare(fabric), real, presented, typed),
    )


def _unattended(fabric: Fabric) -> Fabric:
    """Return a fabric whose services the lab does not answer for: the bench does."""
    return _each(fabric, lambda node: replace(node, listens=()) if isinstance(node, EndSystem) else node)


def _bare(fabric: Fabric) -> Fabric:
    """Return a fabric with the same routes and none of the rules."""
    return _each(fabric, lambda node: _without_rules(node) if isinstance(node, Device) else node)


def _without_rules(device: Device) -> Device:
    return replace(device, destination_nat=(), source_nat=(), guards=(), policy=None)


def _routed(fabric: Fabric) -> Fabric:
    """Return a fabric in which no two hosts have one address, and the same hops route them as they are.

    A host has its lake address for its own, and services are known by their real addresses.
    """
    far_shore = fabric.nodes[PROVIDER_NAT]
    assert isinstance(far_shore, Device)
    provider_networks = tuple(r.destination for r in far_shore.routes if r.interface == "provider")
    shores = {d.name.owner: d for d in fabric.devices if d.kind is NodeKind.NAT and d is not far_shore}

    def plain(node: Node) -> Node:
        shore = shores.get(node.name.owner)
        if shore is None:
            return _without_rules(node) if isinstance(node, Device) else node
        if isinstance(node, EndSystem):
            return replace(node, address=_outward(shore, node.address))
        if node.kind is NodeKind.CE:
            hosts = tuple(
                Route(Prefix.of(_outward(shore, Address(r.destination.realm, r.destination.network[0]))), r.interface)
                for r in node.routes
                if r.interface != "nat"
            )
            return replace(node, routes=(*hosts, *(Route(prefix, "nat") for prefix in provider_networks)))
        own = tuple(Route(t.outside, "wan") for t in _translations(shore))
        onward = tuple(Route(prefix, "lake") for prefix in provider_networks)
        return replace(_without_rules(node), routes=(*own, *onward))

    return _each(fabric, plain)


def _outward(shore: Device, address: Address) -> Address:
    return next(t.outward(address) for t in _translations(shore) if address in t.inside)


def _translations(shore: Device) -> tuple[BasicNat, ...]:
    return tuple(t for t in shore.source_nat if isinstance(t, BasicNat))


def _each(fabric: Fabric, change: Callable[[Node], Node]) -> Fabric:
    return Fabric.of(fabric.design, tuple(change(node) for node in fabric.nodes.values()), fabric.links)
