"""The remedies when the lake, or the provider's source, is full: other source modes, or more addresses.

Every remedy is tried by allocating as the plan would, so following it does make the tenants fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, counted
from farshore.intent.model import Intent, Mode
from farshore.plan.blocks import Blocks, power_at_least
from farshore.plan.services import calling_hosts, services_fit, services_size, tenants_share
from farshore.plan.sources import Demand, reserved, smallest_pool, visible
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


def fewest_remedies(room: Room, demands: Sequence[Demand]) -> tuple[Remedy, ...]:
    """Return the fewest changes of mode that make the demands fit, largest saving first; none where none do."""
    remedies = sorted(
        (remedy for index, demand in enumerate(demands) if (remedy := _remedy(room, index, demand))),
        key=lambda remedy: (room.takes(remedy.needed) - room.takes(remedy.demand.needed), -remedy.index),
    )

    def fits(count: int) -> bool:
        needed = [demand.needed for demand in demands]
        for remedy in islice(remedies, count):
            needed[remedy.index] = remedy.needed
        return room.fits(needed)

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


def lake_full(intent: Intent, demands: Sequence[Demand]) -> Diagnostic:
    """Return the demand for the lake, what is available, and the remedies."""
    provider = intent.provider
    lake = provider.lake.network
    room = lake_room(intent)
    reserved_for_services = f"{counted(services_size(lake.num_addresses), 'address')} reserved for services"
    problem = f"lake {lake} is full: {_need(room, demands)}, {reserved_for_services}"
    length = _lake_length_for(len(provider.services) + len(calling_hosts(intent)), demands)
    widen = f"widen the lake to /{length}" if length is not None else "split the tenants over two lakes"
    fix = _fix(room, demands, widen)
    return Diagnostic(intent.file, provider.lake_position, DiagnosticCode.LAKE_FULL, problem, fix)


def source_full(intent: Intent, demands: Sequence[Demand]) -> Diagnostic:
    """Return the demand for the provider's source, what is available, and the remedies."""
    room = source_room(intent)
    source = ", ".join(str(prefix.network) for prefix in intent.provider.source)
    problem = f"provider's source {source} is full: {_need(room, demands)}"
    length = _source_length_for(room, demands)
    widen = f"add a /{length} to it" if length is not None else "keep the lake source (source: keep)"
    fix = _fix(room, demands, widen)
    return Diagnostic(intent.file, intent.provider.source_position, DiagnosticCode.SOURCE_FULL, problem, fix)


def _remedy(room: Room, index: int, demand: Demand) -> Remedy | None:
    """Return the mode that would save addresses: host where hosts are named, else the smallest pool."""
    takes_now = room.takes(demand.needed)
    size = demand.network.prefix.network.num_addresses
    pool = smallest_pool(size) if size <= LARGEST_POOLED else 0
    hosts = power_at_least(len(demand.hosts)) if demand.hosts else 0
    if hosts and demand.network.mode is not Mode.HOST and room.takes(hosts) < takes_now:
        # In a single range whatever takes no more fits as well, so a pool is an equal remedy.
        or_pool = pool if len(room.ranges) == 1 and pool and room.takes(pool) <= room.takes(hosts) else 0
        return Remedy(index, demand, Mode.HOST, hosts, or_pool)
    if pool and room.takes(pool) < takes_now:
        return Remedy(index, demand, Mode.POOL, pool)
    return None


def _lake_length_for(services: int, demands: Sequence[Demand]) -> int | None:
    """Return the longest lake prefix with room for so many services and callers and, as they are, all demands."""
    needed = [demand.needed for demand in demands]
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


def _fix(room: Room, demands: Sequence[Demand], widen: str) -> str:
    remedies = fewest_remedies(room, demands)
    if not remedies:
        return f"{widen}, as no change of the tenants' sources is sufficient"
    named = ", ".join(_worded(room, remedy) for remedy in remedies[:MOST_NAMED])
    more = f" and {len(remedies) - MOST_NAMED:,} more likewise" if len(remedies) > MOST_NAMED else ""
    return f"change {named}{more}, or {widen}"


def _worded(room: Room, remedy: Remedy) -> str:
    demand = remedy.demand
    network = demand.network.prefix.network
    who = f"{demand.tenant} ({network}, {counted(room.takes(demand.needed), 'address')})"
    takes = counted(room.takes(remedy.needed), "address")
    mode = "host" if remedy.mode is Mode.HOST else f"{{pool: {remedy.needed}}}"
    sources = mode if demand.alone else f"{{{network}: {mode}}}"
    hosts = f"{counted(len(demand.hosts), 'host')}: " if remedy.mode is Mode.HOST else ""
    or_pool = f" or {{pool: {remedy.or_pool}}}" if remedy.or_pool else ""
    return f"{who} to sources: {sources} ({hosts}{takes}){or_pool}"
