"""The natively multi-tenant appliance: a routing instance for each network, the application between them.

    host ── CE ── [ tenant's instance │ application │ provider's instance ] ── router ── service

It ends the tenant's connection and opens another of its own to the service. Packets do not cross it, so no
address of one network is ever looked up in another.
"""

from __future__ import annotations

from collections.abc import Iterator

from farshore.design import names
from farshore.design.internet import internet_side, published
from farshore.design.parts import (
    cable,
    host_prefixes,
    provider_router,
    service_links,
    service_nodes,
    tenant_hosts,
)
from farshore.design.tenant import ce_router, host_links
from farshore.fabric.model import Fabric, Front, Interface, Link, Node, Proxy
from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Plan
from farshore.port import Protocol
from farshore.realm import PROVIDER, Address


def appliance(intent: Intent, plan: Plan) -> Fabric:
    """Build the appliance design for any number of tenants. It carries TCP; nothing else has connections."""
    nodes: list[Node] = []
    links: list[Link] = []
    for tenant in intent.tenants.values():
        hosts = tenant_hosts(tenant)
        ce = ce_router(tenant, hosts)
        nodes += [*hosts, ce]
        into_proxy = cable(ce.name, "nat", names.PROVIDER_PROXY, names.toward(tenant.name), tenant.realm)
        links += [*host_links(hosts, ce), into_proxy]
    services = service_nodes(intent)
    # Toward a service the proxy has that service's lake address: unique, and used for nothing else here.
    own = {name: Address(PROVIDER, service.lake.ip) for name, service in plan.services.items()}
    tenants = intent.tenants.values()
    nodes.append(
        Proxy(
            name=names.PROVIDER_PROXY,
            interfaces=(
                *(Interface(names.toward(tenant.name), tenant.realm) for tenant in tenants),
                Interface("provider", PROVIDER),
            ),
            fronts=tuple(front for tenant in tenants for front in _fronts(tenant, intent, plan, own)),
        )
    )
    nodes += [provider_router(intent, host_prefixes(own.values())), *services]
    links += [cable(names.PROVIDER_PROXY, "provider", names.PROVIDER_ROUTER, "nat", PROVIDER), *service_links(services)]
    if published(intent):
        edge, host, internet_links = internet_side(intent)
        nodes += [edge, host]
        links += internet_links
    return Fabric.of("appliance", tuple(nodes), tuple(links))


def _fronts(tenant: Tenant, intent: Intent, plan: Plan, own: dict[str, Address]) -> Iterator[Front]:
    for name, presented in plan.tenants[tenant.name].presents.items():
        service = intent.provider.services[name]
        for port in service.ports:
            if port.protocol is Protocol.TCP:
                networks = tuple(network.prefix for network in tenant.networks)
                yield Front(tenant.realm, presented, port, service.address, own[name], name, networks)
