"""Where packets come from: the wires of every tenant, of the provider's own hosts, and of the Internet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farshore.fabric.model import Device, EndSystem, Fabric, LinkEnd
from farshore.fabric.names import NodeName
from farshore.realm import RealmKind


@dataclass(frozen=True, slots=True)
class TenantSite:
    """A tenant's side of a fabric: its hosts, the router that they are behind, and its ways to the provider.

    ``uplinks`` are the router's interfaces beyond which a box of the provider stands.
    """

    hosts: tuple[EndSystem, ...]
    router: NodeName
    uplinks: tuple[LinkEnd, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """Everywhere that packets come from: ``tenants`` by their names, the others by their nodes'."""

    fabric: Fabric
    tenants: Mapping[str, tuple[EndSystem, ...]]
    provider: Mapping[str, EndSystem]
    internet: Mapping[str, EndSystem]

    def ground(self, tenant: str) -> TenantSite:
        """Return a tenant's side of the fabric."""
        return _ground(self.fabric, self.tenants[tenant])


def scene(fabric: Fabric) -> Sources:
    """Find every place of a fabric that packets come from."""
    hosts: dict[str, list[EndSystem]] = {}
    provider: dict[str, EndSystem] = {}
    internet: dict[str, EndSystem] = {}
    for node in fabric.nodes.values():
        if not isinstance(node, EndSystem):
            continue
        realm = node.address.realm
        if realm.kind is RealmKind.TENANT:
            hosts.setdefault(realm.name, []).append(node)
        elif realm.kind is RealmKind.INTERNET:
            internet[node.name] = node
        else:
            provider[node.name] = node
    return Sources(fabric, {name: tuple(own) for name, own in hosts.items()}, provider, internet)


def _ground(fabric: Fabric, hosts: tuple[EndSystem, ...]) -> TenantSite:
    router = fabric.far_ends[LinkEnd(hosts[0].name, hosts[0].interface.name)].node
    node = fabric.nodes[router]
    assert isinstance(node, Device)  # noqa: S101 - hosts stand behind routers
    ends = (LinkEnd(router, interface.name) for interface in node.interfaces)
    uplinks = tuple(end for end in ends if not isinstance(fabric.nodes[fabric.far_ends[end].node], EndSystem))
    return TenantSite(hosts, router, uplinks)
