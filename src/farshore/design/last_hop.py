"""One box that answers through the interface that the connection came in on (F5's Auto Last Hop).

    host ── CE ── one box ── provider's router ── service

It never looks a tenant's address up, so it does not matter that all of them are equal. It still gives every
host a source of its own: two flows from one address and port to one service would otherwise be one flow to
the service, and their replies one packet to the box.
"""

from __future__ import annotations

from farshore.design import names
from farshore.design.internet import internet_side, published
from farshore.design.parts import (
    cable,
    guards,
    host_prefixes,
    in_provider_realm,
    provider_router,
    service_links,
    service_nodes,
    temporary,
    tenant_hosts,
    translatable,
)
from farshore.design.tenant import ce_router, host_links
from farshore.fabric.model import Device, Fabric, Interface, Link, Node, NodeKind, Permit, Policy, Route
from farshore.intent.model import Intent
from farshore.plan.model import Plan
from farshore.realm import PROVIDER, Prefix
from farshore.translation import BasicNat


def last_hop(intent: Intent, plan: Plan) -> Fabric:
    """Build the last-hop design for any number of tenants."""
    nodes: list[Node] = []
    links: list[Link] = []
    for tenant in intent.tenants.values():
        hosts = tenant_hosts(tenant)
        ce = ce_router(tenant, hosts)
        nodes += [*hosts, ce]
        into_box = cable(ce.name, "nat", names.PROVIDER_NAT, names.toward(tenant.name), tenant.realm)
        links += [*host_links(hosts, ce), into_box]
    services = service_nodes(intent)
    sources = tuple(prefix for tenant_plan in plan.tenants.values() for prefix in temporary(tenant_plan))
    nodes += [_box(intent, plan, sources), provider_router(intent, sources), *services]
    links += [cable(names.PROVIDER_NAT, "provider", names.PROVIDER_ROUTER, "nat", PROVIDER), *service_links(services)]
    if published(intent):
        edge, host, internet_links = internet_side(intent)
        nodes += [edge, host]
        links += internet_links
    return Fabric.of("last-hop", tuple(nodes), tuple(links))


def _box(intent: Intent, plan: Plan, sources: tuple[Prefix, ...]) -> Device:
    """Build the one box. Its table knows the provider alone: no tenant's network stands in it."""
    tenants = intent.tenants.values()
    services = intent.provider.services
    presented = {
        t.name: tuple((name, address) for name, address in plan.tenants[t.name].presents.items()) for t in tenants
    }
    real = host_prefixes(service.address for service in services.values())
    return Device(
        name=names.PROVIDER_NAT,
        kind=NodeKind.NAT,
        interfaces=(
            *(Interface(names.toward(tenant.name), tenant.realm) for tenant in tenants),
            Interface("provider", PROVIDER),
        ),
        routes=(
            *(Route(prefix, "provider") for prefix in intent.provider.networks),
            # For boxes that route before they translate: what is presented leads to the provider.
            *(Route(Prefix.of(address), "provider") for pairs in presented.values() for _, address in pairs),
            *(Route(prefix, None) for prefix in sources),
        ),
        destination_nat=tuple(
            BasicNat(Prefix.of(address), Prefix.of(services[name].address))
            for pairs in presented.values()
            for name, address in pairs
        ),
        source_nat=tuple(
            in_provider_realm(translation)
            for tenant_plan in plan.tenants.values()
            for source in tenant_plan.sources
            for translation in source.translations
        ),
        guards=(
            *(
                guard
                for t in tenants
                for guard in guards(
                    names.toward(t.name),
                    arriving=translatable(plan.tenants[t.name]),
                    answering=host_prefixes(address for _, address in presented[t.name]),
                )
            ),
            *guards("provider", arriving=real, answering=sources),
        ),
        policy=Policy(
            tuple(
                Permit(t.realm, PROVIDER, address, services[name].address, port, name)
                for t in tenants
                for name, address in presented[t.name]
                for port in services[name].ports
            )
        ),
        last_hop=True,
    )
