"""What the checks of a lab are worked out from: the intent, its plan, and the hosts of the fabric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from farshore.fabric.model import Device, EndSystem, Fabric, LinkEnd, NodeKind
from farshore.intent.model import Intent, Tenant
from farshore.lab.packet import Packet
from farshore.plan.appearance import Appearance, appearance
from farshore.plan.model import Plan
from farshore.port import Port
from farshore.realm import Address, RealmKind

# The same for everybody: ports must not be what tells tenants apart.
SHARED_SOURCE_PORT = 41641
# Another for made-up packets, so that none of them is taken for part of a real exchange.
THROWN_SOURCE_PORT = 41642


@dataclass(frozen=True, slots=True)
class Scene:
    """Who is there. ``hosts`` are the end systems of each tenant, at least one each.

    ``shores`` are, for each tenant, the node and interface from which its own routers send to the first of
    the provider's devices that filters.
    """

    intent: Intent
    plan: Plan
    hosts: Mapping[str, tuple[EndSystem, ...]]
    shores: Mapping[str, LinkEnd]

    @classmethod
    def of(cls, intent: Intent, plan: Plan, fabric: Fabric) -> Scene:
        """Gather the scene of a fabric that was built from this intent and plan."""
        hosts: dict[str, list[EndSystem]] = {name: [] for name in intent.tenants}
        for node in fabric.end_systems:
            owner = node.name.partition("/")[0]
            if node.kind is NodeKind.HOST and owner in hosts:
                hosts[owner].append(node)
        return cls(intent, plan, {name: tuple(nodes) for name, nodes in hosts.items()}, dict(_shores(fabric)))

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

    def next_tenant(self, tenant: Tenant) -> Tenant | None:
        """Return the next tenant in the file, round and round: each is tried by one, and tries one."""
        ordered = list(self.intent.tenants)
        other = self.intent.tenants[ordered[(ordered.index(tenant.name) + 1) % len(ordered)]]
        return None if other is tenant else other


def _shores(fabric: Fabric) -> Iterator[tuple[str, LinkEnd]]:
    for link in fabric.links:
        for near, far in ((link.left, link.right), (link.right, link.left)):
            device = fabric.nodes[far.node]
            if link.realm.kind is RealmKind.TENANT and isinstance(device, Device) and device.policy is not None:
                yield link.realm.name, near


def thrown(port: Port, source: IPv4Address, destination: IPv4Address) -> Packet:
    """Return a made-up packet to a port."""
    return Packet(port.protocol, source, destination, THROWN_SOURCE_PORT, port.number)
