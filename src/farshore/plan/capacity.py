"""What to say when the lake, or the provider's source, is full: which changes would make it fit.

Every suggestion is tried out by allocating as the plan would, so that following it does make it fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from farshore.errors import Diagnostic
from farshore.intent.model import Intent, Mode
from farshore.plan.blocks import ADDRESS_BITS, Blocks, power_at_least
from farshore.plan.lake_layout import services_size, tenants_share
from farshore.plan.services import calling_hosts, services_fit
from farshore.plan.sources import Demand, reserved, shown, smallest_pool
from farshore.plan.wording import counted

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

    def takes(self, asked: int) -> int:
        """Return how many addresses are used up where so many are asked for."""
        return sum(self.division(asked))

    def fits(self, asked: Sequence[int]) -> bool:
        """Tell whether these demands, in this order, all find their blocks."""
        if sum(self.takes(count) for count in asked) > self.there():
            return False
        blocks = Blocks(self.ranges)
        return all(blocks.take(size) is not None for count in asked for size in self.division(count))


@dataclass(frozen=True, slots=True)
class Change:
    """Another mode for one tenant network. ``or_pool`` is a pool that would do as well, 0 for none."""

    position: int
    demand: Demand
    mode: Mode
    asked: int
    or_pool: int = 0


def lake_room(intent: Intent) -> Room:
    """Return the lake's room for tenants."""
    share = tenants_share(intent.provider.lake.network)
    return Room(((share.start, share.size),), reserved)


def source_room(intent: Intent) -> Room:
    """Return the room in the prefixes that the provider translates lake sources into."""
    networks = [prefix.network for prefix in intent.provider.source]
    return Room(tuple((int(network.network_address), network.num_addresses) for network in networks), shown)


def fewest_changes(room: Room, demands: Sequence[Demand]) -> tuple[Change, ...]:
    """Return the fewest changes of mode that make it fit, largest saving first; none where none do."""
    changes = sorted(
        (change for position, demand in enumerate(demands) if (change := _change(room, position, demand))),
        key=lambda change: (room.takes(change.asked) - room.takes(change.demand.asked), -change.position),
    )

    def fits(count: int) -> bool:
        asked = [demand.asked for demand in demands]
        for change in islice(changes, count):
            asked[change.position] = change.asked
        return room.fits(asked)

    if not fits(len(changes)):
        return ()
    too_few, enough = 0, len(changes)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if fits(middle):
            enough = middle
        else:
            too_few = middle
    return tuple(changes[:enough])


def lake_full(intent: Intent, demands: Sequence[Demand]) -> Diagnostic:
    """Say how much of the lake is asked for, how much there is, and what would fit."""
    provider = intent.provider
    lake = provider.lake.network
    room = lake_room(intent)
    problem = (
        f"the lake {lake} is full: {_ask(room, demands)} (services' share {services_size(lake.num_addresses):,} aside)"
    )
    length = _lake_length_for(len(provider.services) + len(calling_hosts(intent)), demands)
    widen = f"widen the lake to /{length}" if length is not None else "split the tenants over two lakes"
    return Diagnostic(intent.file, provider.lake_position, problem, _fix(room, demands, widen))


def source_full(intent: Intent, demands: Sequence[Demand]) -> Diagnostic:
    """Say how much of the provider's source is asked for, how much there is, and what would fit."""
    room = source_room(intent)
    source = ", ".join(str(prefix.network) for prefix in intent.provider.source)
    problem = f"the provider's source {source} is full: {_ask(room, demands)}"
    length = _source_length_for(room, demands)
    widen = f"add a /{length} to it" if length is not None else "keep the lake source (source: keep)"
    return Diagnostic(intent.file, intent.provider.source_position, problem, _fix(room, demands, widen))


def _change(room: Room, position: int, demand: Demand) -> Change | None:
    """Return the mode that would save addresses: host where hosts are named, else the smallest pool."""
    takes_now = room.takes(demand.asked)
    size = demand.network.prefix.network.num_addresses
    pool = smallest_pool(size) if size <= LARGEST_POOLED else 0
    hosts = power_at_least(len(demand.hosts)) if demand.hosts else 0
    if hosts and demand.network.mode is not Mode.HOST and room.takes(hosts) < takes_now:
        # In a single range whatever takes no more fits as well, so a pool is as good an answer.
        or_pool = pool if len(room.ranges) == 1 and pool and room.takes(pool) <= room.takes(hosts) else 0
        return Change(position, demand, Mode.HOST, hosts, or_pool)
    if pool and room.takes(pool) < takes_now:
        return Change(position, demand, Mode.POOL, pool)
    return None


def _lake_length_for(services: int, demands: Sequence[Demand]) -> int | None:
    """Return the longest lake prefix that holds so many services and callers and, as they are, all demands."""
    asked = [demand.asked for demand in demands]
    for length in range(ADDRESS_BITS, -1, -1):
        size = 1 << (ADDRESS_BITS - length)
        aside = services_size(size)
        if services_fit(size, services) and Room(((aside, size - aside),), reserved).fits(asked):
            return length
    return None


def _source_length_for(room: Room, demands: Sequence[Demand]) -> int | None:
    """Return the longest prefix that, added to the provider's source, makes all demands fit."""
    asked = [demand.asked for demand in demands]
    for length in range(ADDRESS_BITS, -1, -1):
        more = (0, 1 << (ADDRESS_BITS - length))
        if Room((*room.ranges, more), room.division).fits(asked):
            return length
    return None


def _ask(room: Room, demands: Sequence[Demand]) -> str:
    asked = sum(room.takes(demand.asked) for demand in demands)
    there = room.there()
    return f"tenants ask for {counted(asked, 'address')} and {there:,} {'is' if there == 1 else 'are'} there"


def _fix(room: Room, demands: Sequence[Demand], widen: str) -> str:
    changes = fewest_changes(room, demands)
    if not changes:
        return f"{widen}, for no change of the tenants' sources makes it fit"
    named = ", ".join(_say(room, change) for change in changes[:MOST_NAMED])
    more = f" and {len(changes) - MOST_NAMED:,} more likewise" if len(changes) > MOST_NAMED else ""
    return f"change {named}{more}, or {widen}"


def _say(room: Room, change: Change) -> str:
    demand = change.demand
    network = demand.network.prefix.network
    who = f"{demand.tenant} ({network}, {counted(room.takes(demand.asked), 'address')})"
    takes = counted(room.takes(change.asked), "address")
    mode = "host" if change.mode is Mode.HOST else f"{{pool: {change.asked}}}"
    sources = mode if demand.alone else f"{{{network}: {mode}}}"
    hosts = f"{counted(len(demand.hosts), 'host')}: " if change.mode is Mode.HOST else ""
    or_pool = f" or {{pool: {change.or_pool}}}" if change.or_pool else ""
    return f"{who} to sources: {sources} ({hosts}{takes}){or_pool}"
