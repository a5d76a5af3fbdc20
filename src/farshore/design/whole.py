"""A whole fabric: the tenants' side and the provider's, the same in every design, and what is between the two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from farshore.design.building_blocks import cable, tenant_hosts
from farshore.design.provider import provider_side
from farshore.design.segment import Segment, Uplink
from farshore.design.tenant import host_links, tenant_router
from farshore.fabric.model import Fabric, Link, Node
from farshore.intent.model import Intent, Tenant


def whole(intent: Intent, parts: Mapping[str, Segment]) -> Fabric:
    """Put the parts of one or several designs, by the designs' names, between the tenants and the provider."""
    nodes: list[Node] = []
    links: list[Link] = []
    for tenant in intent.tenants.values():
        hosts = tenant_hosts(tenant, intent)
        uplinks = _uplinks(tenant, parts)
        router = tenant_router(tenant, intent, hosts, uplinks)
        nodes += [*hosts, router]
        links += host_links(hosts, router)
        links += [cable(router.name, m.interface, m.far_end.node, m.far_end.interface, tenant.realm) for m in uplinks]
        nodes += [node for part in parts.values() for node in part.tenant_nodes.get(tenant.name, ())]
    nodes += [node for part in parts.values() for node in part.nodes]
    links += [link for part in parts.values() for link in part.links]
    beyond = provider_side(intent, tuple(a for part in parts.values() for a in part.provider_uplinks))
    return Fabric.of("+".join(parts), (*nodes, *beyond.nodes), (*links, *beyond.links))


def _uplinks(tenant: Tenant, parts: Mapping[str, Segment]) -> tuple[Uplink, ...]:
    found = (part.uplinks.get(tenant.name) for part in _by_precedence(parts))
    return tuple(uplink for uplink in found if uplink is not None)


def _by_precedence(parts: Mapping[str, Segment]) -> Iterable[Segment]:
    """Yield the parts, a proxy last: the first is the way to whatever is presented and has no way of its own."""
    return (part for _, part in sorted(parts.items(), key=lambda item: item[0] == "appliance"))
