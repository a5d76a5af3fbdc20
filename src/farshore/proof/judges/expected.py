"""Expected reachability and addresses: from the intent and its plan alone, never from the fabric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farshore.fabric import names
from farshore.fabric.names import NodeName
from farshore.intent.model import DesignName, Intent, Mode, Tenant
from farshore.plan.model import Plan, TenantPlan, appearance
from farshore.port import Protocol
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets.intervals import EVERY_ADDRESS, Intervals, of_port, of_prefix, of_prefixes, union, without
from farshore.proof.sets.layers import Layers
from farshore.proof.sets.senders import SHARED_BY_ALL, Senders
from farshore.proof.sets.targets import Targets
from farshore.realm import INTERNET, PROVIDER, Prefix
from farshore.special_purpose import NEVER_ON_THE_INTERNET, PUBLIC
from farshore.translation import SourceTranslation

# The design by which services see tenants' own addresses.
_PLAIN = "last-hop-plain"


@dataclass(frozen=True, slots=True)
class Offer:
    """One service for one tenant: which hosts may send to which address, at which port indices.

    ``seen`` are the tenant's sources as the service should see them.
    """

    service: str
    node: NodeName
    sources: Intervals
    presented: int
    port_indices: frozenset[int]
    seen: tuple[Senders, ...]

    def holds(self, target: Targets) -> bool:
        """Tell whether all of a target is what is offered."""
        alone = target.first == target.last == self.presented
        return alone and _all_in(self.port_indices, target.low, target.high)


@dataclass(frozen=True, slots=True)
class Calls:
    """What the provider's hosts may open to one tenant's: to which addresses, at which port indices.

    ``known`` are the tenant's addresses as those that are called, and ``hosts`` the named ones, by node, with the
    address by which each is called. ``shown`` are the addresses by which the tenant's side sees the callers.
    ``again`` tells that the addresses are the provider's, not the lake's.
    """

    known: tuple[Senders, ...]
    hosts: Mapping[NodeName, int]
    port_indices: frozenset[int]
    shown: Intervals
    again: bool

    @property
    def dialled(self) -> Intervals:
        """Return the addresses that may be called."""
        return sender_sets.addresses(self.known)

    def means(self, target: Targets) -> bool:
        """Tell whether a target has become the tenant's addresses that are called by it, as far as there are any."""
        found = (each.which_are(target.first, target.last) for each in self.known)
        return all(some.first - some.at == target.at - target.first for some in found if some is not None)

    def offers(self, low: int, high: int) -> bool:
        """Tell whether all of these port indices may be called."""
        return _all_in(self.port_indices, low, high)


@dataclass(frozen=True, slots=True)
class Expected:
    """All that one tenant should be able to do.

    ``carried`` are its own addresses that may cross, ``lake`` and ``provider`` those by which it is known there.
    ``hosts`` are its named ones, by node, with their addresses.
    """

    tenant: str
    offers: Mapping[NodeName, Offer]
    carried: Intervals
    lake: Intervals
    provider: Intervals
    calls: Calls | None
    hosts: Mapping[NodeName, int]


def expected(intent: Intent, plan: Plan, tenant: Tenant, design: str | None) -> Expected:
    """Return what a tenant should be able to do. ``design`` is the one for all, None where the intent chooses."""
    tenant_plan = plan.tenants[tenant.name]
    networks = of_prefixes(network.prefix for network in tenant.networks)
    crossing = _crossing(tenant_plan, networks)
    offers = {}
    carriers = set()
    in_lake = _translated(tenant, tenant_plan, crossing)
    known = Layers[SourceTranslation](
        (of_prefix(t.inside), t) for source in tenant_plan.sources for t in source.provider_translations
    )
    again = sender_sets.translated(in_lake, known, None)
    for service, presented in tenant_plan.presents.items():
        carrier = design or str(intent.design_of(tenant.name, service))
        by_proxy = carrier == DesignName.APPLIANCE
        carriers.add(carrier)
        port_indices = frozenset(
            of_port(port)
            for port in intent.provider.services[service].ports
            if not by_proxy or port.protocol is Protocol.TCP
        )
        sources = networks if by_proxy else crossing
        node = names.service(service)
        own = int(plan.services[service].lake.ip)
        seen = again if carrier == DesignName.LAKE else in_lake
        if carrier == _PLAIN:
            seen = tuple(Senders(first, last, first, PROVIDER) for first, last in crossing)
        if by_proxy:
            seen = tuple(Senders(first, last, own, PROVIDER, SHARED_BY_ALL) for first, last in networks)
        offers[node] = Offer(service, node, sources, int(presented.ip), port_indices, seen)
    lake = of_prefixes(block for source in tenant_plan.sources for block in source.lake)
    general = design or str(intent.design_of(tenant.name))
    return Expected(
        tenant.name,
        offers,
        union((*crossing, *networks)) if DesignName.APPLIANCE in carriers else crossing,
        lake,
        crossing if design == _PLAIN else _known(tenant_plan, lake, carriers | {general}),
        _calls(intent, plan, tenant, again) if general == DesignName.LAKE else None,
        {NodeName.of(tenant.name, host.name): int(host.address.ip) for host in tenant.hosts},
    )


def _translated(tenant: Tenant, plan: TenantPlan, crossing: Intervals) -> tuple[Senders, ...]:
    """Return a tenant's sources as the plan has them in the lake."""
    rules = Layers((of_prefix(t.inside), t) for source in plan.sources for t in source.translations)
    return sender_sets.translated((Senders(a, b, a, tenant.realm) for a, b in crossing), rules, None)


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


def _calls(intent: Intent, plan: Plan, tenant: Tenant, known: tuple[Senders, ...]) -> Calls | None:
    ports = intent.reached(tenant.name)
    if not ports:
        return None
    tenant_plan = plan.tenants[tenant.name]
    again = any(source.provider_translations for source in tenant_plan.sources)
    shown = union((int(address.ip), int(address.ip)) for address in tenant_plan.callers.values())
    hosts = {}
    for host in tenant.hosts:
        found = (appearance(source, host.address) for source in tenant_plan.sources)
        seen = next((each for each in found if each is not None), None)
        if seen is not None:
            hosts[NodeName.of(tenant.name, host.name)] = int((seen.provider or seen.lake).ip)
    return Calls(known, hosts, frozenset(map(of_port, ports)), shown, again)


@dataclass(frozen=True, slots=True)
class Published:
    """What the Internet may reach: port indices by node and address; ``abroad`` are the addresses that it has.

    Whatever is public is someone's there, unless it is the provider's own: its networks and, where the intent
    acknowledges that, the lake. A lake or a source in others' public space keeps these from being answered.
    """

    port_indices: Mapping[tuple[NodeName, int], frozenset[int]]
    abroad: Intervals

    def offers(self, node: NodeName, target: Targets) -> bool:
        """Tell whether all of a target is published at a node."""
        port_indices = self.port_indices.get((node, target.first), frozenset())
        return target.first == target.last and _all_in(port_indices, target.low, target.high)


def published(intent: Intent) -> Published:
    """Return what the intent publishes to the Internet."""
    provider = intent.provider
    offered = {
        (names.service(service.name), int(service.internet.ip)): frozenset(map(of_port, service.ports))
        for service in provider.services.values()
        if service.internet is not None
    }
    acknowledged = (provider.lake,) if provider.lake_acknowledged else ()
    own = (*provider.networks, *acknowledged, *(Prefix(INTERNET, network) for network in NEVER_ON_THE_INTERNET))
    public = of_prefixes(Prefix(INTERNET, network) for network in PUBLIC)
    inside = without(of_prefixes((provider.lake, *provider.source)), public)
    ours = union((*of_prefixes(own), *inside, *((ip, ip) for _, ip in offered)))
    return Published(offered, without(EVERY_ADDRESS, ours))


def callers(plan: Plan) -> Mapping[NodeName, int]:
    """Return the provider's hosts that may call tenants, by node, with their addresses."""
    return {names.service(name): int(each.address.ip) for name, each in plan.callers.items()}


def _all_in(port_indices: frozenset[int], low: int, high: int) -> bool:
    return high - low < len(port_indices) and all(port_index in port_indices for port_index in range(low, high + 1))
