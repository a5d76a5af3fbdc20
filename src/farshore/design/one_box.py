"""One box between all tenants' WANs and the provider: what the last-hop and appliance designs have in common."""

from __future__ import annotations

from farshore.design import names
from farshore.design.parts import cable, tenant_hosts
from farshore.design.provider import behind_shore
from farshore.design.tenant import ce_router, host_links
from farshore.fabric.model import Device, Fabric, Interface, Link, Node, Proxy
from farshore.intent.model import Intent
from farshore.realm import PROVIDER, Prefix


def interfaces(intent: Intent) -> tuple[Interface, ...]:
    """Return the box's interfaces: one into each tenant's WAN, one into the provider's network."""
    to_tenants = (Interface(names.toward(tenant.name), tenant.realm) for tenant in intent.tenants.values())
    return (*to_tenants, Interface("provider", PROVIDER))


def around(box: Device | Proxy, design: str, intent: Intent, sources: tuple[Prefix, ...]) -> Fabric:
    """Build the fabric around the box. ``sources`` are the addresses by which the provider's side sees it."""
    nodes: list[Node] = []
    links: list[Link] = []
    for tenant in intent.tenants.values():
        hosts = tenant_hosts(tenant)
        ce = ce_router(tenant, hosts)
        nodes += [*hosts, ce]
        links += [*host_links(hosts, ce), cable(ce.name, "nat", box.name, names.toward(tenant.name), tenant.realm)]
    beyond = behind_shore(intent, box.name, sources)
    return Fabric.of(design, (*nodes, box, *beyond.nodes), (*links, *beyond.links))
