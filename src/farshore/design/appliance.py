"""The natively multi-tenant appliance: a routing instance for each network, the application between them.

    host ── CE ── [ tenant's instance │ application │ provider's instance ] ── router ── service

It ends the tenant's connection and opens another of its own to the service. Packets do not cross it, so no
address of one network is ever looked up in another.
"""

from __future__ import annotations

from collections.abc import Iterator

from farshore.design import names
from farshore.design.one_box import around, interfaces
from farshore.design.parts import (
    host_prefixes,
)
from farshore.fabric.model import Fabric, Front, Proxy
from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Plan
from farshore.port import Protocol
from farshore.realm import PROVIDER, Address


def appliance(intent: Intent, plan: Plan) -> Fabric:
    """Build the appliance design for any number of tenants. It carries TCP; nothing else has connections."""
    # Toward a service the proxy has that service's lake address: unique, and used for nothing else here.
    own = {name: Address(PROVIDER, service.lake.ip) for name, service in plan.services.items()}
    fronts = tuple(front for tenant in intent.tenants.values() for front in _fronts(tenant, intent, plan, own))
    proxy = Proxy(names.PROVIDER_PROXY, interfaces(intent), fronts)
    return around(proxy, "appliance", intent, host_prefixes(own.values()))


def _fronts(tenant: Tenant, intent: Intent, plan: Plan, own: dict[str, Address]) -> Iterator[Front]:
    for name, presented in plan.tenants[tenant.name].presents.items():
        service = intent.provider.services[name]
        for port in service.ports:
            if port.protocol is Protocol.TCP:
                networks = tuple(network.prefix for network in tenant.networks)
                yield Front(tenant.realm, presented, port, service.address, own[name], name, networks)
