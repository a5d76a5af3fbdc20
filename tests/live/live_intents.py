"""Intents for live tests, and changes of the fabrics that come of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from farshore.design.catalogue import build
from farshore.fabric.model import Device, Direction, EndSystem, Fabric, Guard, Link, Node
from farshore.intent.load import load_text
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.realm import Prefix

# Every network is 10.1.1.0/24, as in the article.
ALIKE = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443, tcp/80, udp/5000, icmp], internet: 203.0.113.10}
    dns: {address: 10.1.1.53, ports: [udp/53, tcp/53]}
tenants:
  customer-a:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    sources: prefix
    services: [portal, dns]
    hosts: {alice: 10.1.1.1, arnold: 10.1.1.2}
  customer-b:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    sources: prefix
    services: [portal, dns]
    hosts: {bill: 10.1.1.1}
"""
# The provider's addresses are its own, so that an address tells its realm.
DISTINCT = ALIKE.replace("networks: [10.1.1.0/24]\n  services", "networks: [10.3.3.0/24]\n  services").replace(
    "address: 10.1.1", "address: 10.3.3"
)
TRANSLATED_AGAIN = DISTINCT.replace("  services:\n    portal", "  source: [10.250.0.0/16]\n  services:\n    portal")
POOLED = DISTINCT.replace("sources: prefix", "sources: {pool: 2}", 1)
NAMED = DISTINCT.replace("sources: prefix", "sources: host", 1)


@dataclass(frozen=True, slots=True)
class Case:
    """An intent, its plan, and its fabric."""

    intent: Intent
    plan: Plan
    fabric: Fabric


def case(text: str) -> Case:
    """Go from the text of an intent to its fabric."""
    loaded = load_text(text, "intent.yaml")
    assert loaded.intent is not None, loaded.diagnostics
    plan = allocate(loaded.intent).plan
    assert plan is not None
    return Case(loaded.intent, plan, build(loaded.intent, plan, "lake"))


def without_tenant(whole: Case, name: str) -> Fabric:
    """Return the fabric without one tenant; everybody else keeps what the plan gave."""
    intent = replace(whole.intent, tenants={n: t for n, t in whole.intent.tenants.items() if n != name})
    plan = replace(whole.plan, tenants={n: t for n, t in whole.plan.tenants.items() if n != name})
    return build(intent, plan, "lake")


def device(fabric: Fabric, name: str) -> Device:
    """Return a node that is a device."""
    node = fabric.nodes[name]
    assert isinstance(node, Device)
    return node


def end_system(fabric: Fabric, name: str) -> EndSystem:
    """Return a node that is an end system."""
    node = fabric.nodes[name]
    assert isinstance(node, EndSystem)
    return node


def with_nodes(fabric: Fabric, *nodes: Node) -> Fabric:
    """Return the fabric with these nodes in place of their namesakes."""
    return Fabric.of(fabric.design, tuple((dict(fabric.nodes) | {n.name: n for n in nodes}).values()), fabric.links)


def with_device(fabric: Fabric, name: str, change: Callable[[Device], Device]) -> Fabric:
    """Return the fabric with one device changed."""
    return with_nodes(fabric, change(device(fabric, name)))


def link_between(fabric: Fabric, one: str, other: str) -> Link:
    """Return the link between two nodes."""
    return next(link for link in fabric.links if {link.left.node, link.right.node} == {one, other})


def interface_toward(fabric: Fabric, node: str, other: str) -> str:
    """Return the interface of a node that leads to another."""
    link = link_between(fabric, node, other)
    return link.left.interface if link.left.node == node else link.right.interface


def with_mtu(fabric: Fabric, one: str, other: str, mtu: int) -> Fabric:
    """Return the fabric with one narrower link."""
    narrow = link_between(fabric, one, other)
    links = tuple(replace(link, mtu=mtu) if link == narrow else link for link in fabric.links)
    return Fabric.of(fabric.design, tuple(fabric.nodes.values()), links)


def unguarded(box: Device) -> Device:
    """Return the device with guards that let everything pass."""
    return replace(
        box,
        guards=tuple(
            Guard(i.name, direction, anywhere, anywhere)
            for i in box.interfaces
            for direction in Direction
            for anywhere in [(Prefix(i.realm, IPv4Network("0.0.0.0/0")),)]
        ),
    )
