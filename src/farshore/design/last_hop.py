"""One box that answers through the interface that the connection came in on (F5's Auto Last Hop).

    host ── CE ── one box ── provider's router ── service

It never looks a tenant's address up, so it does not matter that all of them are equal. It still gives every
host a source of its own: two flows from one address and port to one service would otherwise be one flow to
the service, and their replies one packet to the box.
"""

from __future__ import annotations

from farshore.design.building_blocks import (
    guards,
    host_prefixes,
    in_provider_realm,
    limits,
    origin,
    temporary,
    translatable,
)
from farshore.design.one_box import interfaces, one_box
from farshore.design.segment import Segment
from farshore.fabric import names
from farshore.fabric.model import Device, NodeKind, Permit, Policy, Route
from farshore.intent.model import Intent
from farshore.plan.model import Plan
from farshore.realm import PROVIDER, Prefix
from farshore.translation import BasicNat


def last_hop(intent: Intent, plan: Plan) -> Segment:
    """Build the box for any number of tenants."""
    sources = tuple(prefix for tenant_plan in plan.tenants.values() for prefix in temporary(tenant_plan))
    return one_box(_box(intent, plan, sources), intent, plan, sources)


def last_hop_plain(intent: Intent, plan: Plan) -> Segment:
    """Build the box without source translation: services see tenants' own addresses, whoever has them too."""
    sources = tuple(prefix for tenant_plan in plan.tenants.values() for prefix in translatable(tenant_plan))
    return one_box(_box(intent, plan, sources, plain=True), intent, plan, sources)


def _box(intent: Intent, plan: Plan, sources: tuple[Prefix, ...], *, plain: bool = False) -> Device:
    """Build the one box. Its table knows the provider alone: no tenant's network stands in it."""
    tenants = intent.tenants.values()
    services = intent.provider.services
    presented = {
        t.name: tuple((name, address) for name, address in plan.tenants[t.name].presents.items()) for t in tenants
    }
    real = host_prefixes(service.address for service in services.values())
    return Device(
        name=names.PROVIDER_LAST_HOP,
        kind=NodeKind.NAT,
        interfaces=interfaces(intent),
        routes=(
            *(Route(prefix, "provider") for prefix in intent.provider.networks),
            # For boxes that route before they translate: what is presented leads to the provider.
            *(Route(Prefix.of(address), "provider") for pairs in presented.values() for _, address in pairs),
            # What no flow explains goes nowhere. In the plain form these may be the provider's own addresses.
            *(Route(prefix, None) for prefix in sources if not plain),
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
            if not plain
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
                Permit(t.realm, PROVIDER, Prefix.of(address), Prefix.of(services[name].address), port, name)
                for t in tenants
                for name, address in presented[t.name]
                for port in services[name].ports
            ),
            tuple(limit for t in tenants for limit in limits(t)),
        ),
        last_hop=True,
        origin=origin(intent, intent.provider.position),
    )
