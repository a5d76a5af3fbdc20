"""A whole fabric: the tenants' side and the provider's, the same in every design, and what is between the two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from farshore.design.part import Mouth, Part
from farshore.design.parts import cable, tenant_hosts
from farshore.design.provider import provider_side
from farshore.design.tenant import host_links, tenant_router
from farshore.fabric.model import Fabric, Link, Node
from farshore.intent.model import Intent, Tenant


def whole(intent: Intent, parts: Mapping[str, Part]) -> Fabric:
    """Put the parts of one or several designs, by the designs' names, between the tenants and the provider."""
    nodes: list[Node] = []
    links: list[Link] = []
    for tenant in intent.tenants.values():
        hosts = tenant_hosts(tenant, intent.reached(tenant.name))
        mouths = _mouths(tenant, parts)
        router = tenant_router(tenant, hosts, mouths)
        nodes += [*hosts, router]
        links += host_links(hosts, router)
        links += [cable(router.name, m.interface, m.far_end.node, m.far_end.interface, tenant.realm) for m in mouths]
        nodes += [node for part in parts.values() for node in part.tenant_nodes.get(tenant.name, ())]
    nodes += [node for part in parts.values() for node in part.nodes]
    links += [link for part in parts.values() for link in part.links]
    beyond = provider_side(intent, tuple(a for part in parts.values() for a in part.attachments))
    return Fabric.of("+".join(parts), (*nodes, *beyond.nodes), (*links, *beyond.links))


def _mouths(tenant: Tenant, parts: Mapping[str, Part]) -> tuple[Mouth, ...]:
    found = (part.mouths.get(tenant.name) for part in _by_precedence(parts))
    return tuple(mouth for mouth in found if mouth is not None)


def _by_precedence(parts: Mapping[str, Part]) -> Iterable[Part]:
    """Yield the parts, a proxy last: the first is the way to whatever is presented and has no way of its own."""
    return (part for _, part in sorted(parts.items(), key=lambda item: item[0] == "appliance"))
