"""The lake: translate once at each shore, with addresses in between that nobody else uses.

    host ── CE ── tenant NAT ══ lake ══ provider NAT ── provider's router ── service
                                                              └── edge ── Internet

Each tenant's NAT device gives its hosts lake sources and takes presented destinations to the services'
lake addresses. The provider's takes these on to the real ones. Neither ever has the same address on two
of its sides, so both can translate before they route or route before they translate.
"""

from __future__ import annotations

from collections.abc import Iterator

from farshore.design.building_blocks import cable, guards, host_prefixes, origin
from farshore.design.segment import ProviderUplink, Segment, Uplink
from farshore.design.tenant import TenantSide, tenant_side
from farshore.fabric.model import Device, Interface, LinkEnd, NodeKind, Permit, Policy, Route
from farshore.fabric.names import PROVIDER_NAT, toward
from farshore.intent.model import Intent
from farshore.plan.model import Plan
from farshore.realm import LAKE, PROVIDER, Prefix
from farshore.translation import BasicNat


def lake(intent: Intent, plan: Plan) -> Segment:
    """Build the two shores for any number of tenants."""
    sides = [tenant_side(tenant, intent, plan) for tenant in intent.tenants.values()]
    return Segment(
        tenant_nodes={side.tenant: (side.nat,) for side in sides},
        nodes=(_provider_nat(intent, plan, sides),),
        links=tuple(cable(side.nat.name, "lake", PROVIDER_NAT, toward(side.tenant), LAKE) for side in sides),
        uplinks={
            side.tenant: Uplink(
                "nat", LinkEnd(side.nat.name, "wan"), host_prefixes(plan.tenants[side.tenant].presents.values())
            )
            for side in sides
        },
        provider_uplinks=(ProviderUplink("nat", LinkEnd(PROVIDER_NAT, "provider"), provider_sources(plan)),),
    )


def provider_sources(plan: Plan) -> tuple[Prefix, ...]:
    """Return the addresses by which tenants' hosts appear inside the provider's realm or toward it."""
    taken_on = tuple(
        translation.outside
        for tenant in plan.tenants.values()
        for source in tenant.sources
        for translation in source.provider_translations
    )
    return taken_on or (plan.lake,)


def _provider_nat(intent: Intent, plan: Plan, sides: list[TenantSide]) -> Device:
    """Build the far shore: each tenant has an interface of its own, and so a guard of its own."""
    services = tuple(BasicNat(Prefix.of(s.lake), Prefix.of(s.address)) for s in plan.services.values())
    onward = tuple(
        translation
        for tenant in plan.tenants.values()
        for source in tenant.sources
        for translation in source.provider_translations
    )
    routes = dict.fromkeys(intent.provider.networks, "provider")
    # What no flow explains goes nowhere. What may be called leads to its tenant, for boxes that route first.
    unexplained: dict[Prefix, str | None] = {plan.lake: None, **{t.outside: None for t in onward}}
    unexplained |= {
        translation.outside: toward(tenant.name)
        for tenant in plan.tenants.values()
        if intent.reached(tenant.name)
        for source in tenant.sources
        for translation in source.provider_translations
    }
    permits = tuple(
        Permit(LAKE, PROVIDER, Prefix.of(s.lake), Prefix.of(s.address), port, s.name)
        for s in plan.services.values()
        for port in intent.provider.services[s.name].ports
    )
    shore_guards = tuple(
        guard
        for side in sides
        for guard in guards(toward(side.tenant), arriving=side.lake_sources, answering=side.lake_services)
    )
    callers = tuple(BasicNat(Prefix.of(c.address), Prefix.of(c.lake)) for c in plan.callers.values())
    arriving = dict.fromkeys((*(s.outside for s in services), *(c.inside for c in callers)))
    return Device(
        name=PROVIDER_NAT,
        kind=NodeKind.NAT,
        interfaces=(
            *(Interface(toward(side.tenant), LAKE) for side in sides),
            Interface("provider", PROVIDER),
        ),
        routes=(
            *(Route(block, toward(side.tenant)) for side in sides for block in side.lake_sources),
            # For boxes that route before they translate: the services' lake addresses lead to the provider.
            *(Route(service.inside, "provider") for service in services),
            *(Route(prefix, interface) for prefix, interface in (routes | unexplained).items()),
        ),
        destination_nat=(*services, *_inward(intent, plan)),
        source_nat=(*onward, *callers),
        guards=(*shore_guards, *guards("provider", arriving=tuple(arriving), answering=provider_sources(plan))),
        policy=Policy((*permits, *_calls(intent, plan))),
        origin=origin(intent, intent.provider.position),
    )


def _inward(intent: Intent, plan: Plan) -> tuple[BasicNat, ...]:
    """Return what takes the addresses by which the provider knows tenants' hosts back to those of the lake."""
    return tuple(
        translation.reversed()
        for tenant in plan.tenants.values()
        if intent.reached(tenant.name)
        for source in tenant.sources
        for translation in source.provider_translations
    )


def _calls(intent: Intent, plan: Plan) -> Iterator[Permit]:
    """Yield what the provider's hosts may open to tenants'."""
    for tenant in plan.tenants.values():
        for port in intent.reached(tenant.name):
            for source in tenant.sources:
                known = source.provider_translations
                for translated in [t.inside for t in known] or source.lake:
                    arrived = next((t.outside for t in known if t.inside == translated), translated)
                    yield Permit(PROVIDER, LAKE, arrived, translated, port, tenant.name)
