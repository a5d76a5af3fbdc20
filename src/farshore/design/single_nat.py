"""One NAT between each tenant and the provider, the first design of the series Multi-Tenant WAN Access, which fails.

    host ── WAN ── CE with NAT ── provider's router ── service

The CE router has the tenant on one side and the provider on the other. Where both use the same addresses, it
knows two ways to one destination, and after translating it cannot tell which of them is the right one.
"""

from __future__ import annotations

from farshore.design.segment import (
    ProviderUplink,
    Segment,
    Uplink,
    guards,
    host_prefixes,
    in_provider_realm,
    limits,
    origin,
    temporary,
    translatable,
)
from farshore.fabric import names
from farshore.fabric.model import Device, Interface, NodeKind, Permit, Policy, Route
from farshore.fabric.names import LinkEnd
from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Plan
from farshore.realm import PROVIDER
from farshore.translation import BasicNat


def single_nat(intent: Intent, plan: Plan) -> Segment:
    """Build the tenants' CE routers. A plan's lake addresses serve as temporary source addresses."""
    tenants = tuple(intent.tenants.values())
    return Segment(
        tenant_nodes={tenant.name: (_ce(tenant, intent, plan),) for tenant in tenants},
        nodes=(),
        links=(),
        uplinks={
            tenant.name: Uplink(
                "ce", LinkEnd(names.ce(tenant.name), "wan"), host_prefixes(plan.tenants[tenant.name].presents.values())
            )
            for tenant in tenants
        },
        # The temporary addresses of a tenant are behind its CE.
        provider_uplinks=tuple(
            ProviderUplink(
                names.toward_tenant(tenant.name),
                LinkEnd(names.ce(tenant.name), "provider"),
                temporary(plan.tenants[tenant.name]),
            )
            for tenant in tenants
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
                Permit(tenant.realm, PROVIDER, arrived, translated, port, name)
                for name, arrived, translated in zip(tenant_plan.presents, presented, real, strict=True)
                for port in intent.provider.services[name].ports
            ),
            limits(tenant),
        ),
        origin=origin(intent, tenant.position),
    )
