"""The desired state: what a fabric means on Linux, compiled into plain values. Pure.

Links are unnumbered. The far end of every link is one permanent neighbour, by the name of NEXT_HOP, which
stands in routes only and is the address of nobody: no packet ever carries it, no ARP ever asks for it, and
permanent neighbours do not count against the kernel's neighbour table, which all namespaces share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from farshore.engine.netfilter.kernel_settings import kernel_settings
from farshore.engine.netfilter.ruleset import ruleset
from farshore.errors import MachineError
from farshore.fabric.model import Device, EndSystem, Fabric, LinkEnd, Proxy

NEXT_HOP = IPv4Address("169.254.0.1")
_EVERYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class DesiredInterface:
    """One end of a veth pair. ``mtu`` in bytes. MAC addresses are those of this end and of the far one."""

    name: str
    mac: str
    far_mac: str
    mtu: int
    address: IPv4Address | None = None


@dataclass(frozen=True, slots=True, order=True)
class DesiredRoute:
    """A route out of an interface, or a blackhole where ``interface`` is None."""

    destination: IPv4Network
    interface: str | None


@dataclass(frozen=True, slots=True)
class DesiredNode:
    """Everything inside one namespace."""

    name: str
    namespace: str
    interfaces: tuple[DesiredInterface, ...]
    routes: frozenset[DesiredRoute]
    settings: tuple[tuple[str, str], ...]
    ruleset: str | None


@dataclass(frozen=True, slots=True)
class DesiredLink:
    """A veth pair between two namespaces."""

    left: LinkEnd
    right: LinkEnd


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything that is to be on the machine."""

    nodes: Mapping[str, DesiredNode]
    links: tuple[DesiredLink, ...]


def namespace_name(node: str) -> str:
    """Return the namespace of a node: a slash cannot stand in a file name, and a dot in no DNS label."""
    return node.replace("/", ".")


def require_runnable(fabric: Fabric) -> None:
    """Raise MachineError where a node of a fabric is of a sort that this engine does not run."""
    for node in fabric.nodes.values():
        if isinstance(node, Proxy) or (isinstance(node, Device) and node.last_hop):
            raise MachineError(f"the netfilter engine does not run {node.name} of the {fabric.design} design; walk it")


def compile_fabric(fabric: Fabric) -> DesiredState:
    """Return the desired state of a whole fabric.

    Raises MachineError where a node is of a sort that this engine does not run.
    """
    require_runnable(fabric)
    wires: dict[LinkEnd, tuple[LinkEnd, int]] = {}
    for link in fabric.links:
        wires[link.left] = (link.right, link.mtu)
        wires[link.right] = (link.left, link.mtu)
    nodes = {n.name: _node(n, wires) for n in fabric.nodes.values() if not isinstance(n, Proxy)}
    return DesiredState(nodes, tuple(DesiredLink(link.left, link.right) for link in fabric.links))


def _node(node: Device | EndSystem, wires: Mapping[LinkEnd, tuple[LinkEnd, int]]) -> DesiredNode:
    own_address = None if isinstance(node, Device) else node.address.ip
    interfaces = []
    for interface in node.interfaces:
        end = LinkEnd(node.name, interface.name)
        far_end, mtu = wires[end]
        interfaces.append(DesiredInterface(interface.name, _mac(end), _mac(far_end), mtu, own_address))
    if isinstance(node, Device):
        # A routing table is colour-blind: of two routes to one prefix it holds one, and here it is the first.
        table = {route.destination.network: route.interface for route in reversed(node.routes)}
        routes = frozenset(DesiredRoute(network, interface) for network, interface in table.items())
    else:
        routes = frozenset({DesiredRoute(_EVERYWHERE, node.interface.name)})
    return DesiredNode(
        name=node.name,
        namespace=namespace_name(node.name),
        interfaces=tuple(interfaces),
        routes=routes,
        settings=kernel_settings(node),
        ruleset=ruleset(node) if isinstance(node, Device) else None,
    )


def _mac(end: LinkEnd) -> str:
    """Return a locally administered unicast MAC address that depends on nothing but the interface's place."""
    digest = hashlib.sha256(f"{end.node} {end.interface}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x02, *digest[:5]))
