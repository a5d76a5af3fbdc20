"""One NAT between each tenant and the provider: the article's first try, here so that people see why it fails.

    host ── WAN ── CE with NAT ── provider's router ── service

The CE router has the tenant on one side and the provider on the other. Where both use the same addresses, it
knows two ways to one destination, and after translating it cannot tell which is meant.
"""

from __future__ import annotations

from farshore.design import names
from farshore.design.parts import (
    cable,
    guards,
    host_prefixes,
    in_provider_realm,
    temporary,
    tenant_hosts,
    translatable,
)
from farshore.design.provider import with_router
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
    interfaces: list[Interface] = []
    routes: list[Route] = []
    for tenant in intent.tenants.values():
        hosts, toward = tenant_hosts(tenant), names.toward_tenant(tenant.name)
        wan, ce = _wan(tenant, hosts), _ce(tenant, intent, plan)
        nodes += [*hosts, wan, ce]
        links += [
            *host_links(hosts, wan),
            cable(wan.name, "ce", ce.name, "wan", tenant.realm),
            cable(ce.name, "provider", names.PROVIDER_ROUTER, toward, PROVIDER),
        ]
        interfaces.append(Interface(toward, PROVIDER))
        # The route that the article adds: a.b.c.x is behind its tenant's CE.
        routes += [Route(prefix, toward) for prefix in temporary(plan.tenants[tenant.name])]
    beyond = with_router(intent, tuple(interfaces), tuple(routes))
    return Fabric.of("single-nat", (*nodes, *beyond.nodes), (*links, *beyond.links))


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
