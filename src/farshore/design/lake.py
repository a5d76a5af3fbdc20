"""The lake: translate once at each shore, with addresses in between that nobody else uses.

    host ── CE ── tenant NAT ══ lake ══ provider NAT ── provider's router ── service
                                                              └── edge ── Internet

Each tenant's NAT device gives its hosts lake sources and takes presented destinations to the services'
lake addresses. The provider's takes these on to the real ones. Neither ever has the same address on two
of its sides, so both can translate before they route or route before they translate.
"""

from __future__ import annotations

from farshore.design.names import PROVIDER_NAT, toward
from farshore.design.parts import cable, guards, host_prefixes
from farshore.design.provider import behind_shore
from farshore.design.tenant import TenantSide, tenant_side
from farshore.fabric.model import Device, Fabric, Interface, Link, Node, NodeKind, Permit, Policy, Route
from farshore.intent.model import Intent
from farshore.plan.model import Plan
from farshore.realm import LAKE, PROVIDER, Prefix
from farshore.translation import BasicNat


def lake(intent: Intent, plan: Plan) -> Fabric:
    """Build the lake design for any number of tenants."""
    nodes: list[Node] = []
    links: list[Link] = []
    sides = [tenant_side(tenant, intent, plan) for tenant in intent.tenants.values()]
    for side in sides:
        nodes += [*side.hosts, side.ce, side.nat]
        links += [*side.links, cable(side.nat.name, "lake", PROVIDER_NAT, toward(side.tenant), LAKE)]
    beyond = behind_shore(intent, PROVIDER_NAT, provider_sources(plan))
    return Fabric.of("lake", (*nodes, _provider_nat(intent, plan, sides), *beyond.nodes), (*links, *beyond.links))


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
    discards: dict[Prefix, None] = {plan.lake: None} | {t.outside: None for t in onward}
    permits = tuple(
        Permit(LAKE, PROVIDER, s.lake, s.address, port, s.name)
        for s in plan.services.values()
        for port in intent.provider.services[s.name].ports
    )
    shore_guards = tuple(
        guard
        for side in sides
        for guard in guards(toward(side.tenant), arriving=side.lake_sources, answering=side.lake_services)
    )
    real = host_prefixes(s.address for s in plan.services.values())
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
            *(Route(prefix, interface) for prefix, interface in (routes | discards).items()),
        ),
        destination_nat=services,
        source_nat=onward,
        guards=(*shore_guards, *guards("provider", arriving=real, answering=provider_sources(plan))),
        policy=Policy(permits),
    )
