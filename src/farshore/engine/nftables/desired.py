"""From a fabric to the desired state: every node on Linux, with its rule set. Pure.

A device or an end system is a namespace. A proxy is one for each realm that it stands in, a routing instance, which
forwards nothing: the program that runs in the provider's instance listens in all the others and is all that connects
them, so where it stops, no packet has a way across.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from ipaddress import IPv4Address

from farshore.engine.nftables import fragments, last_hop
from farshore.engine.nftables.ruleset import device_ruleset, provider_instance_ruleset, tenant_instance_ruleset
from farshore.engine.placement import instance_ends, instance_name
from farshore.errors import MachineError
from farshore.fabric.model import DEFAULT_MTU, Device, EndSystem, Fabric, Front, Interface, Proxy
from farshore.fabric.names import LinkEnd, NodeName
from farshore.machine.desired import (
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
from farshore.machine.namespace import namespace_name
from farshore.realm import Realm, RealmKind

ENGINE_NAME = "nftables"

# Of every interface: the far end of its link, and the link's size of packets.
Wires = dict[LinkEnd, tuple[LinkEnd, int]]


def compile_fabric(fabric: Fabric) -> DesiredState:
    """Return the desired state of a whole fabric.

    Raises MachineError where an interface ends outside of the fabric: there is nothing here that would attach it.
    """
    for end, attachment in fabric.attachments.items():
        raise MachineError(
            f"{end.node}: interface {end.interface} ends outside of the fabric, at {attachment}; "
            "this engine requires a link at every interface"
        )
    wires: Wires = {}
    for link in fabric.links:
        wires[link.left] = (link.right, link.mtu)
        wires[link.right] = (link.left, link.mtu)
    nodes: dict[NodeName, DesiredNode] = {}
    rulesets: dict[NodeName, str] = {}
    for node in fabric.nodes.values():
        if isinstance(node, Proxy):
            for instance, rules in _routing_instances(node, wires):
                nodes[instance.name], rulesets[instance.name] = instance, rules
        else:
            nodes[node.name] = _node(node, wires)
        if isinstance(node, Device) and (ruleset := device_ruleset(node)) is not None:
            rulesets[node.name] = ruleset
    moved = instance_ends(fabric)
    links = (DesiredLink(moved.get(link.left, link.left), moved.get(link.right, link.right)) for link in fabric.links)
    return DesiredState(nodes, tuple(links), {ENGINE_NAME: rulesets})


def _node(node: Device | EndSystem, wires: Wires) -> DesiredNode:
    own_addresses = () if isinstance(node, Device) else (node.address.ip,)
    interfaces = [_interface(wires, node.name, interface, own_addresses) for interface in node.interfaces]
    if isinstance(node, Device):
        # A routing table is colour-blind: of two routes to one prefix it holds one, and here it is the first.
        table = {route.destination.network: route.interface for route in reversed(node.routes)}
        routes = frozenset(DesiredRoute(network, interface) for network, interface in table.items())
        if node.last_hop:
            routes |= _return_routes(node)
    else:
        routes = frozenset({DesiredRoute(EVERYWHERE, node.interface.name)})
    return DesiredNode(
        name=node.name,
        namespace=namespace_name(node.name),
        interfaces=tuple(interfaces),
        routes=routes,
        settings=settings_of(node, max(interface.mtu for interface in interfaces)),
        rules=_policy_routing(node) if isinstance(node, Device) and node.last_hop else frozenset(),
        origin=node.origin,
    )


def _routing_instances(proxy: Proxy, wires: Wires) -> Iterator[tuple[DesiredNode, str]]:
    """Yield the routing instances of a proxy, each with its rule set."""
    limits = {limit.ingress: limit for limit in proxy.limits}
    by_tenant: dict[Realm, list[Front]] = {}
    for front in proxy.fronts:
        by_tenant.setdefault(front.ingress, []).append(front)
    for interface in proxy.interfaces:
        if interface.realm.kind is RealmKind.TENANT:
            fronts = by_tenant.get(interface.realm, [])
            addresses = tuple(dict.fromkeys(front.presented.ip for front in fronts))
            rules = tenant_instance_ruleset(fronts, limits.get(interface.realm))
        else:
            addresses = tuple(dict.fromkeys(front.own.ip for front in proxy.fronts))
            rules = provider_instance_ruleset(proxy.fronts)
        name = instance_name(proxy, interface.realm)
        instance = DesiredNode(
            name=name,
            namespace=namespace_name(name),
            interfaces=(_interface(wires, proxy.name, interface, addresses),),
            routes=frozenset({DesiredRoute(EVERYWHERE, interface.name)}),
            settings=_INSTANCE_SETTINGS,
            origin=proxy.origin,
        )
        yield instance, rules


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


# --- the last hop: routing by the interface that a flow came in on ---------------------------------------


def _return_routes(device: Device) -> frozenset[DesiredRoute]:
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


# --- kernel settings: paths below /proc/sys ---------------------------------------------------------------

# A namespace starts with the settings of the machine's own (or the kernel's), whatever they are, so every
# setting that farshore relies on is set. What the guards say is all that is said of sources: rp_filter is off.
_NEVER = ("proxy_arp", "accept_local", "route_localnet")
_EVERY_NODE = (
    ("net/ipv6/conf/all/disable_ipv6", "1"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    ("net/ipv4/conf/all/accept_redirects", "0"),
    ("net/ipv4/conf/default/accept_redirects", "0"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
    ("net/ipv4/conf/all/accept_source_route", "0"),
    ("net/ipv4/conf/default/accept_source_route", "0"),
    # No node answers for addresses of others, takes in what comes from its own, or routes a loopback's.
    *((f"net/ipv4/conf/{where}/{name}", "0") for name in _NEVER for where in ("all", "default")),
    # What a node sends itself, its ICMP errors too, reaches every other node (RFC 1122 section 3.2.1.7).
    ("net/ipv4/ip_default_ttl", "64"),
)
# End systems answer echo requests (RFC 1122 section 3.2.2.6).
_ECHO = ("net/ipv4/icmp_echo_ignore_all", "0")


# The box's own answers have the mark of what they answer: by it an ICMP error finds its way.
_REFLECTED = ("net/ipv4/fwmark_reflect", "1")


# Only the first packet of a connection opens a flow, no other picks one up (nf_conntrack-sysctl in the kernel's
# documentation). Flows are no part of a rule set, so established connections outlive its replacement.
_NOT_LOOSE = ("net/netfilter/nf_conntrack_tcp_loose", "0")

_FIVE_MINUTES = "300"
_FOUR_MINUTES = "240"
# Seconds. The kernel's own values are below what the BEHAVE documents require.
_FLOW_TIMEOUTS = (
    # RFC 4787 REQ-5: at least two minutes, five by default.
    ("net/netfilter/nf_conntrack_udp_timeout", _FIVE_MINUTES),
    ("net/netfilter/nf_conntrack_udp_timeout_stream", _FIVE_MINUTES),
    # RFC 5508 REQ-2: at least 60 seconds for a query session.
    ("net/netfilter/nf_conntrack_icmp_timeout", "60"),
    # RFC 5382 REQ-5: established at least 2 hours 4 minutes, transitory at least 4 minutes.
    ("net/netfilter/nf_conntrack_tcp_timeout_established", "7440"),
    ("net/netfilter/nf_conntrack_tcp_timeout_syn_sent", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_syn_recv", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_fin_wait", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_close_wait", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_last_ack", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_time_wait", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_unacknowledged", _FIVE_MINUTES),
)


# Each tenant's connections come to a server from one address: the more ports, the more of them.
_OWN_PORTS = ("net/ipv4/ip_local_port_range", "1024\t65535")
_FRAGMENTS = (
    ("net/ipv4/ipfrag_time", str(fragments.SECONDS)),
    # Otherwise a datagram is given up when 64 fragments of the same source have come since, another tenant's included.
    ("net/ipv4/ipfrag_max_dist", "0"),
)
_TRACKING = (*_FLOW_TIMEOUTS, _NOT_LOOSE, *_FRAGMENTS)


def _forwarding(value: str) -> tuple[tuple[str, str], ...]:
    """Return whether a node forwards: its new interfaces, then all that it has."""
    return (("net/ipv4/conf/default/forwarding", value), ("net/ipv4/ip_forward", value))


_INSTANCE_SETTINGS = (*_EVERY_NODE, *_TRACKING, _OWN_PORTS, *_forwarding("0"))


def settings_of(node: Device | EndSystem, mtu: int = DEFAULT_MTU) -> tuple[tuple[str, str], ...]:
    """Return the settings of a node, in the order in which they are to be made: forwarding comes last.

    ``mtu`` is the largest of its links', in bytes.
    """
    forwarding = _forwarding("1" if isinstance(node, Device) else "0")
    if not isinstance(node, Device):
        return (*_EVERY_NODE, _ECHO, *forwarding)
    if node.policy is None:
        return (*_EVERY_NODE, *forwarding)
    reflected = (_REFLECTED,) if node.last_hop else ()
    fragment_memory = ("net/ipv4/ipfrag_high_thresh", str(fragments.memory(node, mtu)))
    return (*_EVERY_NODE, *_TRACKING, fragment_memory, *reflected, *forwarding)
