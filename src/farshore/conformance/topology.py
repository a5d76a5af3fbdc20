"""The input of the checks of a lab: the intent, its plan, and the hosts of the fabric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from farshore.fabric import names
from farshore.fabric.model import Device, EndSystem, Fabric, Node, NodeKind, Proxy
from farshore.fabric.names import LinkEnd
from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Appearance, Plan, appearance
from farshore.port import Port, Protocol
from farshore.realm import Address, RealmKind
from farshore.traffic.packet import TCP_SYN, WirePacket

# The same for everybody: ports must not be what tells tenants apart.
SHARED_SOURCE_PORT = 41641
# Another for made-up packets, so that none of them is taken for part of a real exchange.
INJECTED_SOURCE_PORT = 41642
# One more for connections that must fail, and for a second packet that must not be taken for the first again.
CONNECTING_SOURCE_PORT = 41643
# And one for packets in fragments, those of two tenants alike.
FRAGMENTED_SOURCE_PORT = 41644
_ANY_PORT = (1, 65535)
# A port that no service offers (RFC 863, discard), and what a check sends to find out whether anything is open.
UNOFFERED_PORT = 9
TCP_PROBE = Port(Protocol.TCP, UNOFFERED_PORT)
UDP_PROBE = Port(Protocol.UDP, UNOFFERED_PORT)
ECHO_PROBE = Port(Protocol.ICMP)
STRANGER = IPv4Address("198.51.100.77")  # documentation (RFC 5737): it belongs to no tenant and to no provider


@dataclass(frozen=True, slots=True)
class AppearsAs:
    """How a service sees a host: its source, the ports that it may have where it does not keep its own.

    ``identified_as`` is the tenant as which it is identified, None where the service does not receive the identity.
    """

    ip: IPv4Address
    ports: tuple[int, int] | None = None
    identified_as: str | None = None


@dataclass(frozen=True, slots=True)
class Topology:
    """The nodes of a lab. ``hosts`` are the end systems of each tenant, at least one each.

    ``uplinks`` are, for each tenant, the interfaces by which its own routers send to the first of the provider's
    devices that filter. ``accesses`` are the one of them by which a tenant reaches a service, and ``devices`` the
    node at its other end, a proxy or a device. ``lake`` are the tenants that are connected to the lake.
    """

    intent: Intent
    plan: Plan
    hosts: Mapping[str, tuple[EndSystem, ...]]
    uplinks: Mapping[str, tuple[LinkEnd, ...]]
    accesses: Mapping[tuple[str, str], LinkEnd]
    devices: Mapping[tuple[str, str], Node]
    lake: frozenset[str]
    internet: EndSystem | None

    @classmethod
    def of(cls, intent: Intent, plan: Plan, fabric: Fabric) -> Topology:
        """Gather the topology of a fabric that was built from this intent and plan."""
        hosts: dict[str, list[EndSystem]] = {name: [] for name in intent.tenants}
        for node in fabric.end_systems:
            owner = node.name.owner
            if node.kind is NodeKind.HOST and owner in hosts:
                hosts[owner].append(node)
        uplinks: dict[str, list[LinkEnd]] = {name: [] for name in intent.tenants}
        for tenant, end in _uplinks(fabric):
            uplinks[tenant].append(end)
        accesses = {
            (name, service): _access(fabric, uplinks[name], presented)
            for name in intent.tenants
            for service, presented in plan.tenants[name].presents.items()
        }
        internet = fabric.nodes.get(names.INTERNET_HOST)
        return cls(
            intent,
            plan,
            {name: tuple(nodes) for name, nodes in hosts.items()},
            {name: tuple(ends) for name, ends in uplinks.items()},
            accesses,
            {subscription: fabric.nodes[fabric.far_ends[end].node] for subscription, end in accesses.items()},
            frozenset(name for name in intent.tenants if names.tenant_nat(name) in fabric.nodes),
            internet if isinstance(internet, EndSystem) else None,
        )

    def ports(self, service: str) -> tuple[Port, ...]:
        """Return what a service offers."""
        return self.intent.provider.services[service].ports

    def appears(self, tenant: str, host: Address) -> Appearance:
        """Return how a host of a tenant appears. Raises LookupError where the plan does not carry it."""
        found = (appearance(source, host) for source in self.plan.tenants[tenant].sources)
        carried = next((a for a in found if a is not None), None)
        if carried is None:
            raise LookupError(f"{host} is not carried into the lake")
        return carried

    def seen(self, tenant: str, host: Address, service: str) -> AppearsAs:
        """Return how a service sees a host of a tenant."""
        device = self.devices[tenant, service]
        if isinstance(device, Proxy):
            identified = self.intent.provider.services[service].caller_identity is not None
            return AppearsAs(self.plan.services[service].lake.ip, _ANY_PORT, tenant if identified else None)
        if isinstance(device, Device) and not device.source_nat:
            return AppearsAs(host.ip)
        appears = self.appears(tenant, host)
        # Only the lake has a far shore, which may translate once more.
        again = appears.provider if device.name == names.tenant_nat(tenant) else None
        ports = (appears.ports.first_port, appears.ports.last_port) if appears.ports else None
        return AppearsAs((again or appears.lake).ip, ports)

    def carries(self, tenant: str, service: str, port: Port) -> bool:
        """Tell whether what stands between a tenant and a service carries this sort of port."""
        return port.protocol is Protocol.TCP or not isinstance(self.devices[tenant, service], Proxy)

    def reached(self, tenant: str) -> tuple[Port, ...]:
        """Return the ports on which the provider's hosts reach a tenant's: only the lake carries that."""
        return self.intent.reached(tenant) if tenant in self.lake else ()

    def may_call(self, tenant: str, caller: str, packet: WirePacket) -> bool:
        """Tell whether a packet to a tenant is one by which a host of the provider may open a flow."""
        port = Port(packet.protocol, 0 if packet.protocol is Protocol.ICMP else packet.destination_port)
        opens = packet.tcp_flags == TCP_SYN or packet.protocol is not Protocol.TCP
        return opens and caller in self.plan.callers and port in self.reached(tenant)

    def room(self, tenant: Tenant) -> int | None:
        """Return how many flows a tenant may open at one moment, None where nothing limits them."""
        return min((limit for limit in (tenant.sessions, tenant.rate) if limit is not None), default=None)

    def next_tenant(self, tenant: Tenant) -> Tenant | None:
        """Return the next tenant in the file, round and round: each is tried by one, and tries one."""
        ordered = list(self.intent.tenants)
        other = self.intent.tenants[ordered[(ordered.index(tenant.name) + 1) % len(ordered)]]
        return None if other is tenant else other


def _uplinks(fabric: Fabric) -> Iterator[tuple[str, LinkEnd]]:
    for link in fabric.links:
        for near, far in ((link.left, link.right), (link.right, link.left)):
            device = fabric.nodes[far.node]
            filters = isinstance(device, Proxy) or (isinstance(device, Device) and device.policy is not None)
            if link.realm.kind is RealmKind.TENANT and filters:
                yield link.realm.name, near


def _access(fabric: Fabric, uplinks: list[LinkEnd], presented: Address) -> LinkEnd:
    """Return by which interface a tenant's router sends what goes to a presented address."""
    router = fabric.nodes[uplinks[0].node]
    assert isinstance(router, Device)  # noqa: S101 - what leads to a shore is one
    routes = [route for route in router.routes if presented.ip in route.destination.network]
    route = max(routes, key=lambda found: found.destination.network.prefixlen)
    assert route.interface is not None  # noqa: S101 - a tenant's router discards nothing
    return LinkEnd(router.name, route.interface)


def injected(port: Port, source: IPv4Address, destination: IPv4Address) -> WirePacket:
    """Return a made-up packet to a port."""
    return WirePacket(port.protocol, source, destination, INJECTED_SOURCE_PORT, port.number)
