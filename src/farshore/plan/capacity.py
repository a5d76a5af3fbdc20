"""The remedies when the lake, or the provider's source, is full: other source modes, or more addresses.

Every remedy is tried by allocating as the plan would, so following it does make the tenants fit; and the same remedies
serve lake and source where both are full, so that following all of them does too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, counted
from farshore.fix import Append, Choice, Fix, Write
from farshore.intent.free_ranges import free_lake, free_source
from farshore.intent.model import Intent, Mode, Network, Tenant
from farshore.intent.source_modes import write_sources
from farshore.plan.blocks import Blocks, power_at_least
from farshore.plan.services import calling_hosts, services_fit, services_size, tenants_share
from farshore.plan.sources import Demand, reserved, smallest_pool, sufficient_pool, visible
from farshore.realm import ADDRESS_BITS

MOST_NAMED = 10
LARGEST_POOLED = 1 << 16  # the intent refuses pools for networks larger than /16


@dataclass(frozen=True, slots=True)
class Room:
    """Ranges to allocate from, and how many addresses make up which blocks there."""

    ranges: tuple[tuple[int, int], ...]
    division: Callable[[int], tuple[int, ...]]

    def there(self) -> int:
        """Return how many addresses there are in all."""
        return sum(size for _, size in self.ranges)

    def takes(self, needed: int) -> int:
        """Return how many addresses are used where so many are needed."""
        return sum(self.division(needed))

    def fits(self, needed: Sequence[int]) -> bool:
        """Tell whether these demands, in this order, all find their blocks."""
        if sum(self.takes(count) for count in needed) > self.there():
            return False
        blocks = Blocks(self.ranges)
        return all(blocks.take(size) is not None for count in needed for size in self.division(count))


@dataclass(frozen=True, slots=True)
class Remedy:
    """Another mode for one tenant network. ``or_pool`` is a pool that would suffice as well, 0 for none.

    ``index`` is that of the demand, in file order.
    """

    index: int
    demand: Demand
    mode: Mode
    needed: int
    or_pool: int = 0


def lake_room(intent: Intent) -> Room:
    """Return the lake's room for tenants."""
    share = tenants_share(intent.provider.lake.network)
    return Room(((share.start, share.size),), reserved)


def source_room(intent: Intent) -> Room:
    """Return the room in the prefixes that the provider translates lake sources into."""
    networks = [prefix.network for prefix in intent.provider.source]
    return Room(tuple((int(network.network_address), network.num_addresses) for network in networks), visible)


def fewest_remedies(rooms: Sequence[Room], demands: Sequence[Demand]) -> tuple[Remedy, ...]:
    """Return the fewest changes of mode that make the demands fit everywhere, largest saving first; none if none do."""
    first = rooms[0]
    remedies = sorted(
        (remedy for index, demand in enumerate(demands) if (remedy := _remedy(rooms, index, demand))),
        key=lambda remedy: (first.takes(remedy.needed) - first.takes(remedy.demand.needed), -remedy.index),
    )

    def fits(count: int) -> bool:
        needed = [demand.needed for demand in demands]
        for remedy in islice(remedies, count):
            needed[remedy.index] = remedy.needed
        return all(room.fits(needed) for room in rooms)

    if not fits(len(remedies)):
        return ()
    too_few, enough = 0, len(remedies)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if fits(middle):
            enough = middle
        else:
            too_few = middle
    return tuple(remedies[:enough])


@dataclass(frozen=True, slots=True)
class Shortage:
    """What is full, and the remedies that make the tenants fit: none where all fit, or no change of modes is enough."""

    intent: Intent
    demands: Sequence[Demand]
    lake_is_full: bool
    source_is_full: bool
    remedies: tuple[Remedy, ...]
    remedies_of: Mapping[str, Sequence[Remedy]]

    @classmethod
    def of(cls, intent: Intent, demands: Sequence[Demand]) -> Shortage:
        """Find what is full."""
        needed = [demand.needed for demand in demands]
        lake, source = lake_room(intent), source_room(intent)
        lake_is_full = not lake.fits(needed)
        source_is_full = bool(intent.provider.source) and not source.fits(needed)
        full = [room for room, is_full in ((lake, lake_is_full), (source, source_is_full)) if is_full]
        remedies = fewest_remedies(full, demands) if full else ()
        by_tenant: dict[str, list[Remedy]] = {}
        for remedy in remedies:
            by_tenant.setdefault(remedy.demand.tenant, []).append(remedy)
        return cls(intent, demands, lake_is_full, source_is_full, remedies, by_tenant)

    def modes(self, tenant: Tenant, *, as_pool: bool = False) -> tuple[Network, ...]:
        """Return a tenant's networks with the modes that they need to have; ``as_pool`` takes pools where offered."""
        changed = {each.demand.network.prefix: each for each in self.remedies_of.get(tenant.name, ())}
        return tuple(
            _changed(changed[network.prefix], as_pool=as_pool)
            if network.prefix in changed
            else replace(network, pool_size=sufficient_pool(network))
            for network in tenant.networks
        )

    def diagnostics(self) -> Iterator[Diagnostic]:
        """Yield what is full, with what is needed, what is available, and the remedies."""
        if self.lake_is_full:
            yield self._lake_full()
        if self.source_is_full:
            yield self._source_full()

    def other_lake(self, *, remedied: bool = False) -> Choice | None:
        """Return the choice of a lake that has room for all services, callers and demands; None where there is none.

        ``remedied`` demands are those that are left when the remedies have been followed.
        """
        provider = self.intent.provider
        services = len(provider.services) + len(calling_hosts(self.intent))
        needed = [demand.needed for demand in self.demands]
        for remedy in self.remedies if remedied else ():
            needed[remedy.index] = remedy.needed
        length = _lake_length_for(services, needed)
        found = free_lake(provider, self.intent.tenants.values(), length) if length else None
        if found is None:
            return None
        words = "widen the lake to {}" if provider.lake.network.subnet_of(found) else "set the lake to {}"
        return Choice(words, (Write(("provider", "lake"), str(found)),))

    def _lake_full(self) -> Diagnostic:
        provider = self.intent.provider
        lake = provider.lake.network
        room = lake_room(self.intent)
        reserved_for_services = f"{counted(services_size(lake.num_addresses), 'address')} reserved for services"
        problem = f"lake {lake} is full: {_need(room, self.demands)}, {reserved_for_services}"
        fix = self._fix(room, self.other_lake(), "split the tenants over two lakes, each with a file of its own")
        return Diagnostic(self.intent.file, provider.lake_position, DiagnosticCode.LAKE_FULL, problem, fix)

    def _source_full(self) -> Diagnostic:
        provider = self.intent.provider
        room = source_room(self.intent)
        source = ", ".join(str(prefix.network) for prefix in provider.source)
        problem = f"provider's source {source} is full: {_need(room, self.demands)}"
        length = _source_length_for(room, self.demands)
        found = free_source(provider, length) if length else None
        other = Choice("keep the lake source: write source: {}", (Write(("provider", "source"), "keep"),))
        if found is not None:
            other = Choice(f"add a /{length} to it, such as {{}}", (Append(("provider", "source"), str(found)),))
        fix = self._fix(room, other, other.words)
        return Diagnostic(self.intent.file, provider.source_position, DiagnosticCode.SOURCE_FULL, problem, fix)

    def _fix(self, room: Room, other: Choice | None, otherwise: str) -> Fix:
        """Return the remedies, and the other choice; where there is neither, the last resort."""
        if not self.remedies:
            only = other or Choice(otherwise)
            return Fix((replace(only, words=f"{only.words}, as no change of the tenants' sources is sufficient"),))
        choices = [self._change(room)]
        if any(remedy.or_pool for remedy in self.remedies):
            choices.append(self._change(room, as_pool=True))
        return Fix(choices if other is None else [*choices, other])

    def _change(self, room: Room, *, as_pool: bool = False) -> Choice:
        """Return the choice that changes the tenants' modes, the largest savings first."""
        edits, shown = [], []
        for name, own in self.remedies_of.items():
            tenant = self.intent.tenants[name]
            edits.append(write_sources(tenant, self.modes(tenant, as_pool=as_pool)))
            saved = " and ".join(_saving(room, remedy, as_pool=as_pool) for remedy in own)
            shown.append(f"{name} to sources: {{}} ({saved})")
        more = counted(len(edits) - MOST_NAMED, "more tenant")
        named = ", ".join(shown[:MOST_NAMED]) + (f" and {more} likewise" if len(edits) > MOST_NAMED else "")
        return Choice(f"change {named}", tuple(edits))


def _changed(remedy: Remedy, *, as_pool: bool) -> Network:
    if as_pool and remedy.or_pool:
        return replace(remedy.demand.network, mode=Mode.POOL, pool_size=remedy.or_pool)
    pool_size = remedy.needed if remedy.mode is Mode.POOL else 0
    return replace(remedy.demand.network, mode=remedy.mode, pool_size=pool_size)


def _remedy(rooms: Sequence[Room], index: int, demand: Demand) -> Remedy | None:
    """Return the mode that would save addresses: host where hosts are named, else the smallest pool."""
    size = demand.network.prefix.network.num_addresses
    pool = smallest_pool(size) if size <= LARGEST_POOLED and not demand.called else 0
    hosts = power_at_least(len(demand.hosts)) if demand.hosts else 0

    def saves(needed: int) -> bool:
        return all(room.takes(needed) < room.takes(demand.needed) for room in rooms)

    if hosts and demand.network.mode is not Mode.HOST and saves(hosts):
        # In a single range whatever takes no more fits as well, so a pool is an equal remedy.
        equal = all(len(room.ranges) == 1 and room.takes(pool) <= room.takes(hosts) for room in rooms)
        return Remedy(index, demand, Mode.HOST, hosts, pool if pool and equal else 0)
    if pool and saves(pool):
        return Remedy(index, demand, Mode.POOL, pool)
    return None


def _lake_length_for(services: int, needed: Sequence[int]) -> int | None:
    """Return the longest lake prefix with room for so many services and callers and for all of these demands."""
    for length in range(ADDRESS_BITS, -1, -1):
        size = 1 << (ADDRESS_BITS - length)
        reserved_size = services_size(size)
        if services_fit(size, services) and Room(((reserved_size, size - reserved_size),), reserved).fits(needed):
            return length
    return None


def _source_length_for(room: Room, demands: Sequence[Demand]) -> int | None:
    """Return the longest prefix that, added to the provider's source, makes all demands fit."""
    needed = [demand.needed for demand in demands]
    for length in range(ADDRESS_BITS, -1, -1):
        more = (0, 1 << (ADDRESS_BITS - length))
        if Room((*room.ranges, more), room.division).fits(needed):
            return length
    return None


def _need(room: Room, demands: Sequence[Demand]) -> str:
    needed = sum(room.takes(demand.needed) for demand in demands)
    return f"tenants need {counted(needed, 'address')}, {room.there():,} available"


def _saving(room: Room, remedy: Remedy, *, as_pool: bool) -> str:
    """Return what a remedy saves: ``10.0.0.0/24: 3 hosts, 4 addresses, was 256``."""
    pool = as_pool and remedy.or_pool
    takes = counted(room.takes(remedy.or_pool if pool else remedy.needed), "address")
    hosts = f"{counted(len(remedy.demand.hosts), 'host')}, " if remedy.mode is Mode.HOST and not pool else ""
    was = room.takes(remedy.demand.needed)
    return f"{remedy.demand.network.prefix.network}: {hosts}{takes}, was {was:,}"
