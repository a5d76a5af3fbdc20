"""One NAT between each tenant and the provider: the article's first try, here so that people see why it fails.

    host ── WAN ── CE with NAT ── provider's router ── service

The CE router has the tenant on one side and the provider on the other. Where both use the same addresses, it
knows two ways to one destination, and after translating it cannot tell which is meant.
"""

from __future__ import annotations

from farshore.design import names
from farshore.design.internet import internet_side, published
from farshore.design.parts import (
    cable,
    everywhere,
    guards,
    host_prefixes,
    in_provider_realm,
    service_links,
    service_nodes,
    temporary,
    tenant_hosts,
    translatable,
)
from farshore.design.tenant import host_links
from farshore.fabric.model import Device, EndSystem, Fabric, Interface, Link, Node, NodeKind, Permit, Policy, Route
from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Plan
from farshore.realm import PROVIDER, Prefix
from farshore.translation import BasicNat


def single_nat(intent: Intent, plan: Plan) -> Fabric:
    """Build the single-nat design. A plan's lake addresses serve as the article's temporary a.b.c.x ones."""
    nodes: list[Node] = []
    links: list[Link] = []
    for tenant in intent.tenants.values():
        hosts = tenant_hosts(tenant)
        wan, ce = _wan(tenant, hosts), _ce(tenant, intent, plan)
        nodes += [*hosts, wan, ce]
        links += [
            *host_links(hosts, wan),
            cable(wan.name, "ce", ce.name, "wan", tenant.realm),
            cable(ce.name, "provider", names.PROVIDER_ROUTER, names.toward_tenant(tenant.name), PROVIDER),
        ]
    services = service_nodes(intent)
    nodes += [_router(intent, plan), *services]
    links += service_links(services)
    if published(intent):
        edge, host, internet_links = internet_side(intent)
        nodes += [edge, host]
        links += internet_links
    return Fabric.of("single-nat", tuple(nodes), tuple(links))


def _wan(tenant: Tenant, hosts: tuple[EndSystem, ...]) -> Device:
    """Build the tenant's WAN: whatever carries packets between its sites and the provider's data centre."""
    toward = {host.name: names.toward(host.name.partition("/")[2]) for host in hosts}
    return Device(
        name=names.wan(tenant.name),
        kind=NodeKind.WAN,
        interfaces=(*(Interface(name, tenant.realm) for name in toward.values()), Interface("ce", tenant.realm)),
        routes=(
            *(Route(Prefix.of(host.address), toward[host.name]) for host in hosts),
            *((Route(tenant.presents, "ce"),) if tenant.presents is not None else ()),
        ),
    )


def _ce(tenant: Tenant, intent: Intent, plan: Plan) -> Device:
    """Build the CE router, which translates both addresses at once: twice NAT (RFC 2663 section 4.2)."""
    tenant_plan = plan.tenants[tenant.name]
    presented = host_prefixes(tenant_plan.presents.values())
    real = host_prefixes(intent.provider.services[name].address for name in tenant_plan.presents)
    own = temporary(tenant_plan)
    return Device(
        name=names.ce(tenant.name),
        kind=NodeKind.CE,
        interfaces=(Interface("wan", tenant.realm), Interface("provider", PROVIDER)),
        routes=(
            *(Route(network.prefix, "wan") for network in tenant.networks),
            *(Route(prefix, "provider") for prefix in (*presented, *intent.provider.networks)),
            *(Route(prefix, None) for prefix in own),
        ),
        destination_nat=tuple(BasicNat(i, o) for i, o in zip(presented, real, strict=True)),
        source_nat=tuple(in_provider_realm(t) for source in tenant_plan.sources for t in source.translations),
        guards=(
            *guards("wan", arriving=translatable(tenant_plan), answering=presented),
            *guards("provider", arriving=real, answering=own),
        ),
        policy=Policy(
            tuple(
                Permit(tenant.realm, PROVIDER, address, intent.provider.services[name].address, port, name)
                for name, address in tenant_plan.presents.items()
                for port in intent.provider.services[name].ports
            ),
            tenant.sessions,
        ),
    )


def _router(intent: Intent, plan: Plan) -> Device:
    """Build the provider's router, with the route of the article's: a.b.c.x is behind its tenant's CE."""
    to_services = tuple(Route(Prefix.of(s.address), names.toward(s.name)) for s in intent.provider.services.values())
    to_tenants = tuple(
        Route(prefix, names.toward_tenant(name))
        for name, tenant_plan in plan.tenants.items()
        for prefix in temporary(tenant_plan)
    )
    outward = published(intent)
    return Device(
        name=names.PROVIDER_ROUTER,
        kind=NodeKind.ROUTER,
        interfaces=(
            *(Interface(names.toward_tenant(name), PROVIDER) for name in plan.tenants),
            *((Interface("edge", PROVIDER),) if outward else ()),
            *(Interface(names.toward(name), PROVIDER) for name in intent.provider.services),
        ),
        routes=(*to_services, *to_tenants, *((Route(everywhere(PROVIDER), "edge"),) if outward else ())),
    )
