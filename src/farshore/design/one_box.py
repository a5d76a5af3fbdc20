"""One box between all tenants' WANs and the provider: what the last-hop and appliance designs have in common."""

from __future__ import annotations

from farshore.design.building_blocks import host_prefixes
from farshore.design.segment import ProviderUplink, Segment, Uplink
from farshore.fabric import names
from farshore.fabric.model import Device, Interface, LinkEnd, Proxy
from farshore.intent.model import Intent
from farshore.plan.model import Plan
from farshore.realm import PROVIDER, Prefix


def interfaces(intent: Intent) -> tuple[Interface, ...]:
    """Return the box's interfaces: one into each tenant's WAN, one into the provider's network."""
    to_tenants = (Interface(names.toward(tenant.name), tenant.realm) for tenant in intent.tenants.values())
    return (*to_tenants, Interface("provider", PROVIDER))


def one_box(box: Device | Proxy, intent: Intent, plan: Plan, sources: tuple[Prefix, ...]) -> Segment:
    """Return the box as a part. ``sources`` are the addresses by which the provider's side sees it."""
    plug = box.name.local
    return Segment(
        tenant_nodes={},
        nodes=(box,),
        links=(),
        uplinks={
            tenant: Uplink(
                plug, LinkEnd(box.name, names.toward(tenant)), host_prefixes(plan.tenants[tenant].presents.values())
            )
            for tenant in intent.tenants
        },
        provider_uplinks=(ProviderUplink(plug, LinkEnd(box.name, "provider"), sources),),
    )
