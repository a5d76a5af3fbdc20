"""Who should reach what, and how they may appear where: from the intent and its plan alone, never from the fabric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farshore.design import names
from farshore.intent.model import DesignName, Intent, Mode, Tenant
from farshore.plan.appearance import appearance
from farshore.plan.model import Plan, TenantPlan
from farshore.port import Protocol
from farshore.proof.intervals import Intervals, of_port, of_prefixes, union
from farshore.proof.targets import Targets


@dataclass(frozen=True, slots=True)
class Offer:
    """One service for one tenant: who may send to which address, at which places on the line of ports."""

    service: str
    node: str
    sources: Intervals
    presented: int
    places: frozenset[int]

    def holds(self, target: Targets) -> bool:
        """Tell whether all of a target is what is offered."""
        alone = target.first == target.last == self.presented
        return alone and _all_in(self.places, target.low, target.high)


@dataclass(frozen=True, slots=True)
class Calls:
    """What the provider's hosts may open to one tenant's: to which addresses, at which places.

    ``hosts`` are the named ones, by node, with the address by which each is called. ``shown`` are the addresses
    by which the tenant's side sees the callers. ``again`` tells that the addresses are the provider's, not the lake's.
    """

    dialled: Intervals
    hosts: Mapping[str, int]
    places: frozenset[int]
    shown: Intervals
    again: bool

    def offers(self, low: int, high: int) -> bool:
        """Tell whether all of these places may be called."""
        return _all_in(self.places, low, high)


@dataclass(frozen=True, slots=True)
class Expected:
    """All that one tenant should be able to do.

    ``carried`` are its own addresses that may cross, ``lake`` and ``provider`` those by which it is known there.
    """

    tenant: str
    offers: Mapping[str, Offer]
    carried: Intervals
    lake: Intervals
    provider: Intervals
    calls: Calls | None


def expected(intent: Intent, plan: Plan, tenant: Tenant, design: str | None) -> Expected:
    """Return what a tenant should be able to do. ``design`` is the one for all, None where the intent chooses."""
    tenant_plan = plan.tenants[tenant.name]
    networks = of_prefixes(network.prefix for network in tenant.networks)
    crossing = _crossing(tenant_plan, networks)
    offers = {}
    carriers = set()
    for service, presented in tenant_plan.presents.items():
        carrier = design or str(intent.design_of(tenant.name, service))
        by_proxy = carrier == DesignName.APPLIANCE
        carriers.add(carrier)
        places = frozenset(
            of_port(port)
            for port in intent.provider.services[service].ports
            if not by_proxy or port.protocol is Protocol.TCP
        )
        sources = networks if by_proxy else crossing
        node = names.service(service)
        offers[node] = Offer(service, node, sources, int(presented.ip), places)
    lake = of_prefixes(block for source in tenant_plan.sources for block in source.lake)
    own = design or str(intent.design_of(tenant.name))
    return Expected(
        tenant.name,
        offers,
        union((*crossing, *networks)) if DesignName.APPLIANCE in carriers else crossing,
        lake,
        _known(tenant_plan, lake, carriers | {own}),
        _calls(intent, plan, tenant, lake) if own == DesignName.LAKE else None,
    )


def _crossing(plan: TenantPlan, networks: Intervals) -> Intervals:
    """Return the addresses that are translated: in mode ``host`` the listed hosts, else whole networks."""
    if all(source.mode is not Mode.HOST for source in plan.sources):
        return networks
    return of_prefixes(
        prefix
        for source in plan.sources
        for prefix in (
            (source.network,) if source.mode is not Mode.HOST else tuple(t.inside for t in source.translations)
        )
    )


def _known(plan: TenantPlan, lake: Intervals, carriers: set[str]) -> Intervals:
    """Return the addresses by which the provider's own network may know a tenant's hosts."""
    again = of_prefixes(t.outside for source in plan.sources for t in source.provider_translations)
    if not again or carriers - {DesignName.LAKE, DesignName.APPLIANCE}:
        return union((*lake, *again))
    return again


def _calls(intent: Intent, plan: Plan, tenant: Tenant, lake: Intervals) -> Calls | None:
    ports = intent.reached(tenant.name)
    if not ports:
        return None
    tenant_plan = plan.tenants[tenant.name]
    again = of_prefixes(t.outside for source in tenant_plan.sources for t in source.provider_translations)
    shown = union((int(address.ip), int(address.ip)) for address in tenant_plan.callers.values())
    hosts = {}
    for host in tenant.hosts:
        found = (appearance(source, host.address) for source in tenant_plan.sources)
        seen = next((each for each in found if each is not None), None)
        if seen is not None:
            hosts[names.host(tenant.name, host.name)] = int((seen.provider or seen.lake).ip)
    return Calls(again or lake, hosts, frozenset(map(of_port, ports)), shown, bool(again))


@dataclass(frozen=True, slots=True)
class Published:
    """What the Internet may reach: by node and address, at which places; ``ours`` are addresses it has none of."""

    places: Mapping[tuple[str, int], frozenset[int]]
    ours: Intervals

    def offers(self, node: str, target: Targets) -> bool:
        """Tell whether all of a target is published at a node."""
        places = self.places.get((node, target.first), frozenset())
        return target.first == target.last and _all_in(places, target.low, target.high)


def published(intent: Intent) -> Published:
    """Return what the intent publishes to the Internet."""
    provider = intent.provider
    offered = {
        (names.service(service.name), int(service.internet.ip)): frozenset(map(of_port, service.ports))
        for service in provider.services.values()
        if service.internet is not None
    }
    own = (*provider.networks, provider.lake, *provider.source)
    return Published(offered, union((*of_prefixes(own), *((ip, ip) for _, ip in offered))))


def callers(plan: Plan) -> Intervals:
    """Return the addresses of the provider's hosts that may call tenants."""
    return union((int(each.address.ip), int(each.address.ip)) for each in plan.callers.values())


def _all_in(places: frozenset[int], low: int, high: int) -> bool:
    return high - low < len(places) and all(place in places for place in range(low, high + 1))
