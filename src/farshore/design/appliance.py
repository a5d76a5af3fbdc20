"""The natively multi-tenant appliance: a routing instance for each network, the application between them.

    host ── CE ── [ tenant's instance │ application │ provider's instance ] ── router ── service

It ends the tenant's connection and opens another of its own to the service. Packets do not cross it, so no
address of one network is ever looked up in another.
"""

from __future__ import annotations

from collections.abc import Iterator

from farshore.design.building_blocks import host_prefixes, limits, origin
from farshore.design.one_box import interfaces, one_box
from farshore.design.segment import Segment
from farshore.fabric import names
from farshore.fabric.model import Front, Proxy
from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Plan
from farshore.port import Protocol
from farshore.realm import PROVIDER, Address


def appliance(intent: Intent, plan: Plan) -> Segment:
    """Build the box for any number of tenants. It carries TCP; nothing else has connections."""
    # Toward a service the proxy has that service's lake address: unique, and used for nothing else here.
    own = {name: Address(PROVIDER, service.lake.ip) for name, service in plan.services.items()}
    tenants = tuple(intent.tenants.values())
    fronts = tuple(front for tenant in tenants for front in _fronts(tenant, intent, plan, own))
    tenant_limits = tuple(limit for tenant in tenants for limit in limits(tenant))
    proxy = Proxy(
        names.PROVIDER_PROXY,
        interfaces(intent),
        fronts,
        tenant_limits,
        origin=origin(intent, intent.provider.position),
    )
    return one_box(proxy, intent, plan, host_prefixes(own.values()))


def _fronts(tenant: Tenant, intent: Intent, plan: Plan, own: dict[str, Address]) -> Iterator[Front]:
    networks = tuple(network.prefix for network in tenant.networks)
    for name, presented in plan.tenants[tenant.name].presents.items():
        service = intent.provider.services[name]
        for port in service.ports:
            if port.protocol is Protocol.TCP:
                yield Front(
                    tenant.realm, presented, port, service.address, own[name], name, networks, service.caller_identity
                )
