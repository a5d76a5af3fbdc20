"""From a fabric to the desired state: what it means on Linux. Pure."""

from __future__ import annotations

import hashlib
from functools import partial
from ipaddress import IPv4Address

from farshore.engine.nftables import last_hop
from farshore.engine.nftables.kernel_settings import kernel_settings
from farshore.engine.nftables.routing_instances import instances
from farshore.engine.nftables.ruleset import ruleset
from farshore.engine.nftables.state import (
    EVERYWHERE,
    MAIN_TABLE,
    DesiredInterface,
    DesiredLink,
    DesiredNode,
    DesiredRoute,
    DesiredRule,
    DesiredState,
    RuleAction,
)
from farshore.errors import MachineError
from farshore.fabric.model import Device, EndSystem, Fabric, Interface, LinkEnd, Proxy
from farshore.fabric.names import NodeName
from farshore.machine.placement import instance_ends, namespace_name

# Of every interface: the far end of its link, and the link's size of packets.
Wires = dict[LinkEnd, tuple[LinkEnd, int]]


def compile_fabric(fabric: Fabric) -> DesiredState:
    """Return the desired state of a whole fabric.

    Raises MachineError where an interface ends outside of the fabric: there is nothing here that would attach it.
    """
    for end, attachment in fabric.attachments.items():
        raise MachineError(
            f"{end.node}: interface {end.interface} ends outside of the fabric, at {attachment}; "
            "this engine runs fabrics whose interfaces all end at links"
        )
    wires: Wires = {}
    for link in fabric.links:
        wires[link.left] = (link.right, link.mtu)
        wires[link.right] = (link.left, link.mtu)
    nodes: dict[NodeName, DesiredNode] = {}
    for node in fabric.nodes.values():
        if isinstance(node, Proxy):
            nodes |= {own.name: own for own in instances(node, partial(_interface, wires, node.name))}
        else:
            nodes[node.name] = _node(node, wires)
    moved = instance_ends(fabric)
    links = (DesiredLink(moved.get(link.left, link.left), moved.get(link.right, link.right)) for link in fabric.links)
    return DesiredState(nodes, tuple(links))


def _node(node: Device | EndSystem, wires: Wires) -> DesiredNode:
    own_addresses = () if isinstance(node, Device) else (node.address.ip,)
    interfaces = [_interface(wires, node.name, interface, own_addresses) for interface in node.interfaces]
    if isinstance(node, Device):
        # A routing table is colour-blind: of two routes to one prefix it holds one, and here it is the first.
        table = {route.destination.network: route.interface for route in reversed(node.routes)}
        routes = frozenset(DesiredRoute(network, interface) for network, interface in table.items())
        if node.last_hop:
            routes |= _ways_back(node)
    else:
        routes = frozenset({DesiredRoute(EVERYWHERE, node.interface.name)})
    return DesiredNode(
        name=node.name,
        namespace=namespace_name(node.name),
        interfaces=tuple(interfaces),
        routes=routes,
        settings=kernel_settings(node),
        ruleset=ruleset(node) if isinstance(node, Device) else None,
        rules=_policy_routing(node) if isinstance(node, Device) and node.last_hop else frozenset(),
    )


def _ways_back(device: Device) -> frozenset[DesiredRoute]:
    """Return, for a box that answers by the last hop, the one route of each tenant's table."""
    return frozenset(DesiredRoute(EVERYWHERE, name, number) for name, number in last_hop.numbers(device).items())


def _policy_routing(device: Device) -> frozenset[DesiredRule]:
    """Return its routing rules: what asks goes by the main table, what answers by the table of its number.

    The box's own ICMP errors have the mark of the packet that they are about, and go against it. What has no
    mark goes nowhere.
    """
    asking, answering, provider = last_hop.ASKING, last_hop.ANSWERING, last_hop.inner(device).name
    tenants = last_hop.MARKED_BY_TENANT
    look_up, go_to = RuleAction.LOOK_UP, RuleAction.GO_TO
    return frozenset(
        {
            DesiredRule(10, look_up, MAIN_TABLE, answering, answering, "lo"),
            DesiredRule(11, go_to, tenants, asking, asking, "lo"),
            DesiredRule(12, go_to, tenants, answering, answering, provider),
            DesiredRule(13, look_up, MAIN_TABLE, asking, asking),
            DesiredRule(14, RuleAction.UNREACHABLE),
            *(
                DesiredRule(tenants, look_up, number, number, last_hop.NUMBER_MASK)
                for number in last_hop.numbers(device).values()
            ),
        }
    )


def _interface(
    wires: Wires, node: NodeName, interface: Interface, addresses: tuple[IPv4Address, ...]
) -> DesiredInterface:
    end = LinkEnd(node, interface.name)
    far_end, mtu = wires[end]
    return DesiredInterface(interface.name, _mac(end), _mac(far_end), mtu, addresses)


def _mac(end: LinkEnd) -> str:
    """Return a locally administered unicast MAC address that depends on nothing but the interface's place."""
    digest = hashlib.sha256(f"{end.node} {end.interface}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x02, *digest[:5]))
