"""The lake: translate once at each shore, with addresses in between that no other network uses.

    host ── CE ── tenant NAT ══ lake ══ provider NAT ── provider's router ── service
                                                              └── edge ── Internet

Each tenant's NAT device gives its hosts lake sources and takes presented destinations to the services'
lake addresses. The provider's takes these on to the real ones. Neither ever has the same address on two
of its sides, so both can translate before they route or route before they translate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from farshore.design.segment import (
    ProviderUplink,
    Segment,
    Uplink,
    cable,
    guards,
    host_prefixes,
    limits,
    origin,
    translatable,
)
from farshore.fabric.model import Device, Interface, NodeKind, Permit, Policy, Route
from farshore.fabric.names import PROVIDER_NAT, LinkEnd, tenant_nat, toward
from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Plan, TenantPlan
from farshore.realm import LAKE, PROVIDER, Prefix
from farshore.translation import BasicNat


def lake(intent: Intent, plan: Plan) -> Segment:
    """Build the two shores for any number of tenants."""
    sides = [_near_shore(tenant, intent, plan) for tenant in intent.tenants.values()]
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


# --- the near shore: one for each tenant ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _NearShore:
    """A tenant's device on the near shore, what it may show in the lake, and what answers or calls from there."""

    tenant: str
    nat: Device
    lake_sources: tuple[Prefix, ...]
    lake_services: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What one tenant shows in the lake, and what it finds there and, by other addresses, on its own WAN.

    ``callers`` and ``lake_callers`` are the hosts of the provider that may call it and are none of the
    services that it uses.
    """

    lake_sources: tuple[Prefix, ...]
    lake_services: tuple[Prefix, ...]
    lake_callers: tuple[Prefix, ...]
    callers: tuple[Prefix, ...]


def _near_shore(tenant: Tenant, intent: Intent, plan: Plan) -> _NearShore:
    """Build one tenant's side. It depends on this tenant and the services alone, on no other tenant."""
    tenant_plan = plan.tenants[tenant.name]
    lake_sources = tuple(block for source in tenant_plan.sources for block in source.lake)
    lake_services = host_prefixes(plan.services[name].lake for name in tenant_plan.presents)
    # A caller that is a service which the tenant uses has one lake address and, mostly, one presented address.
    calling = {name: a for name, a in tenant_plan.callers.items() if a not in tenant_plan.presents.values()}
    lake_callers = host_prefixes(plan.callers[name].lake for name in calling if name not in tenant_plan.presents)
    nat = _tenant_nat(
        tenant, intent, plan, _Known(lake_sources, lake_services, lake_callers, host_prefixes(calling.values()))
    )
    return _NearShore(tenant.name, nat, lake_sources, (*lake_services, *lake_callers))


def _tenant_nat(tenant: Tenant, intent: Intent, plan: Plan, known: _Known) -> Device:
    """Build the near shore: source into the lake, presented destination to the service's lake address.

    Where the provider may call, the same the other way round.
    """
    tenant_plan = plan.tenants[tenant.name]
    presented = host_prefixes(tenant_plan.presents.values())
    ports = intent.reached(tenant.name)
    translations = tuple(t for source in tenant_plan.sources for t in source.translations)
    inward = tuple(t.reversed() for t in translations if isinstance(t, BasicNat)) if ports else ()
    wan_answers, lake_answers = (*presented, *known.callers), (*known.lake_services, *known.lake_callers)
    calling = host_prefixes(tenant_plan.callers.values())
    lake_calling = host_prefixes(plan.callers[name].lake for name in tenant_plan.callers)
    return Device(
        name=tenant_nat(tenant.name),
        kind=NodeKind.NAT,
        interfaces=(Interface("wan", tenant.realm), Interface("lake", LAKE)),
        routes=(
            *(Route(network.prefix, "wan") for network in tenant.networks),
            Route(plan.lake, "lake"),
            # For boxes that route before they translate: what is presented leads to the lake.
            *(Route(prefix, "lake") for prefix in wan_answers),
            # A packet to a lake address of our own that no flow explains must not go round in the lake; where
            # calls are answered, boxes that route before they translate find the way in by it.
            *(Route(block, "wan" if ports else None) for block in known.lake_sources),
        ),
        destination_nat=(*(BasicNat(i, o) for i, o in zip(presented, known.lake_services, strict=True)), *inward),
        source_nat=(*translations, *(BasicNat(i, o) for i, o in zip(lake_calling, calling, strict=True))),
        guards=(
            *guards("wan", arriving=translatable(tenant_plan), answering=wan_answers),
            *guards("lake", arriving=lake_answers, answering=known.lake_sources),
        ),
        policy=Policy(
            (
                *_permits(tenant, intent, plan, tenant_plan),
                *(Permit(LAKE, tenant.realm, t.inside, t.outside, port, tenant.name) for t in inward for port in ports),
            ),
            limits(tenant),
        ),
        origin=origin(intent, tenant.position),
    )


def _permits(tenant: Tenant, intent: Intent, plan: Plan, tenant_plan: TenantPlan) -> tuple[Permit, ...]:
    return tuple(
        Permit(tenant.realm, LAKE, Prefix.of(presented), Prefix.of(plan.services[name].lake), port, name)
        for name, presented in tenant_plan.presents.items()
        for port in intent.provider.services[name].ports
    )


# --- the far shore: one for all ------------------------------------------------------------------------


def provider_sources(plan: Plan) -> tuple[Prefix, ...]:
    """Return the addresses by which tenants' hosts appear inside the provider's realm or toward it."""
    taken_on = tuple(
        translation.outside
        for tenant in plan.tenants.values()
        for source in tenant.sources
        for translation in source.provider_translations
    )
    return taken_on or (plan.lake,)


def _provider_nat(intent: Intent, plan: Plan, sides: list[_NearShore]) -> Device:
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
