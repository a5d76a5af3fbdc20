"""One box between all tenants' WANs and the provider. Three designs have that shape.

    host ── CE ── one box ── provider's router ── service

It has an interface into each tenant's WAN and one into the provider's network. The designs differ in how it
finds the way back to tenants that all have the same addresses.
"""

from __future__ import annotations

from collections.abc import Iterator

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
from farshore.fabric.model import Device, Front, Interface, NodeKind, Permit, Policy, Proxy, Route
from farshore.fabric.names import LinkEnd
from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Plan
from farshore.port import Protocol
from farshore.realm import PROVIDER, Address, Prefix
from farshore.translation import BasicNat

# --- last hop -------------------------------------------------------------------------------------------
# It answers through the interface that the connection came in on (F5's Auto Last Hop), and never looks up a
# tenant's address, so it does not matter that all of them are equal. It still gives every host a source of its
# own: two flows from one address and port to one service would otherwise be one flow to the service, and their
# replies one packet to the box.


def last_hop(intent: Intent, plan: Plan) -> Segment:
    """Build the box for any number of tenants."""
    sources = tuple(prefix for tenant_plan in plan.tenants.values() for prefix in temporary(tenant_plan))
    return _segment(_last_hop_box(intent, plan, sources), intent, plan, sources)


def last_hop_plain(intent: Intent, plan: Plan) -> Segment:
    """Build the box without source translation: services see tenants' own addresses, whoever has them too."""
    sources = tuple(prefix for tenant_plan in plan.tenants.values() for prefix in translatable(tenant_plan))
    return _segment(_last_hop_box(intent, plan, sources, plain=True), intent, plan, sources)


def _last_hop_box(intent: Intent, plan: Plan, sources: tuple[Prefix, ...], *, plain: bool = False) -> Device:
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
        interfaces=_interfaces(intent),
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


# --- appliance ------------------------------------------------------------------------------------------
# The natively multi-tenant box: a routing instance for each network, and the application between them. It ends the
# tenant's connection and opens another of its own to the service. Packets do not cross it, so no address of one
# network is ever looked up in another.


def appliance(intent: Intent, plan: Plan) -> Segment:
    """Build the box for any number of tenants. It carries TCP; nothing else has connections."""
    # Toward a service the proxy has that service's lake address: unique, and used for nothing else here.
    own = {name: Address(PROVIDER, service.lake.ip) for name, service in plan.services.items()}
    tenants = tuple(intent.tenants.values())
    fronts = tuple(front for tenant in tenants for front in _fronts(tenant, intent, plan, own))
    tenant_limits = tuple(limit for tenant in tenants for limit in limits(tenant))
    proxy = Proxy(
        names.PROVIDER_PROXY,
        _interfaces(intent),
        fronts,
        tenant_limits,
        origin=origin(intent, intent.provider.position),
    )
    return _segment(proxy, intent, plan, host_prefixes(own.values()))


def _fronts(tenant: Tenant, intent: Intent, plan: Plan, own: dict[str, Address]) -> Iterator[Front]:
    networks = tuple(network.prefix for network in tenant.networks)
    for name, presented in plan.tenants[tenant.name].presents.items():
        service = intent.provider.services[name]
        for port in service.ports:
            if port.protocol is Protocol.TCP:
                yield Front(
                    tenant.realm, presented, port, service.address, own[name], name, networks, service.caller_identity
                )


# --- what all of them have in common --------------------------------------------------------------------


def _interfaces(intent: Intent) -> tuple[Interface, ...]:
    """Return the box's interfaces: one into each tenant's WAN, one into the provider's network."""
    to_tenants = (Interface(names.toward(tenant.name), tenant.realm) for tenant in intent.tenants.values())
    return (*to_tenants, Interface("provider", PROVIDER))


def _segment(box: Device | Proxy, intent: Intent, plan: Plan, sources: tuple[Prefix, ...]) -> Segment:
    """Return the box as a segment. ``sources`` are the addresses by which the provider's side sees it."""
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
