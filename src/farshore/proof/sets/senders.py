"""Sources of a set of packets, as sent and as translated. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from farshore.proof.sets.intervals import Interval, Intervals, clipped, holds, union
from farshore.proof.sets.layers import Layers
from farshore.realm import Address, Realm
from farshore.translation import FIRST_POOL_PORT, BasicNat, SourceTranslation

# More than there are addresses: all of them share one.
SHARED_BY_ALL = 1 << 33


class Senders(NamedTuple):
    """Sources that were translated alike. A named tuple, for a proof makes millions of them.

    They were ``first`` to ``last`` when they were sent. The first is ``at`` now; ``stride`` of them in a row share
    an address, the first of them as number ``phase``. With ``block`` (NAPT, RFC 7422) each number has as many
    ports of its own, in order from port 1024; with None all have their own ports still. ``realm`` is where the
    addresses that they have now mean something.
    """

    first: int
    last: int
    at: int
    realm: Realm
    stride: int = 1
    phase: int = 0
    block: int | None = None

    def now(self) -> Interval:
        """Return the addresses that they have now: the image of all translations so far."""
        return self.at, self.at + (self.last - self.first + self.phase) // self.stride

    def which_are(self, first: int, last: int) -> Senders | None:
        """Return those of them that are now between two bounds: a preimage. None where there are none."""
        here, end = self.now()
        if first <= here and end <= last:
            return self
        if first > end or last < here:
            return None
        skipped = max(0, (first - here) * self.stride - self.phase)
        upto = min(self.last, self.first + (last - here + 1) * self.stride - self.phase - 1)
        return self.which_were(self.first + skipped, upto)

    def which_were(self, first: int, last: int) -> Senders | None:
        """Return those of them that were between two bounds when they were sent. None where there are none."""
        start, end = max(first, self.first), min(last, self.last)
        if start > end:
            return None
        if self.stride == SHARED_BY_ALL:
            # To whatever translates next they are one host: every part of them has that one's number.
            return self._replace(first=start, last=end)
        steps, phase = divmod(start - self.first + self.phase, self.stride)
        return self._replace(first=start, last=end, at=self.at + steps, phase=phase)

    def renamed(self, nat: SourceTranslation) -> Iterator[Senders]:
        """Yield them as translated; all of them must be inside the translation."""
        inside = int(nat.inside.network.network_address)
        if isinstance(nat, BasicNat):
            outside = int(nat.outside.network.network_address)
            yield self._replace(at=self.at - inside + outside, realm=nat.outside.realm)
            return
        shared, pool = nat.hosts_per_address, int(nat.first.ip)
        if self.stride == 1:
            steps, phase = divmod(self.at - inside, shared)
            yield self._replace(
                at=pool + steps, realm=nat.first.realm, stride=shared, phase=phase, block=nat.block_size
            )
            return
        # Hosts that shared an address before share one host's block of ports now.
        here, end = self.now()
        for address in range(here, end + 1):
            steps, number = divmod(address - inside, shared)
            some = self.which_are(address, address)
            if some is not None:
                yield Senders(
                    some.first, some.last, pool + steps, nat.first.realm, SHARED_BY_ALL, number, nat.block_size
                )

    def ports(self) -> Iterator[tuple[int, int, Interval]]:
        """Yield what of the plane of addresses and ports they have now, as address bounds and a port interval.

        Senders that keep their own ports have all of them.
        """
        here, end = self.now()
        if self.block is None:
            yield here, end, (0, 65535)
            return
        if self.stride == SHARED_BY_ALL:
            yield here, end, self._block(self.phase, self.phase)
            return
        last_number = (self.last - self.first + self.phase) % self.stride
        if here == end:
            yield here, end, self._block(self.phase, last_number)
            return
        yield here, here, self._block(self.phase, self.stride - 1)
        if end - here > 1:
            yield here + 1, end - 1, self._block(0, self.stride - 1)
        yield end, end, self._block(0, last_number)

    def _block(self, first: int, last: int) -> Interval:
        assert self.block is not None  # noqa: S101 - the callers have looked
        return FIRST_POOL_PORT + first * self.block, FIRST_POOL_PORT + (last + 1) * self.block - 1


def every_source(realm: Realm) -> tuple[Senders, ...]:
    """Return every source there is, as on a link where sources may be forged."""
    return (Senders(0, (1 << 32) - 1, 0, realm),)


def one_source(address: Address) -> tuple[Senders, ...]:
    """Return one source."""
    ip = int(address.ip)
    return (Senders(ip, ip, ip, address.realm),)


def now_at(senders: Iterable[Senders], addresses: Intervals) -> tuple[Senders, ...]:
    """Return those that are now at these addresses."""
    found: list[Senders] = []
    for each in senders:
        here, end = each.now()
        if holds(addresses, here, end):
            found.append(each)
            continue
        for first, last in clipped(addresses, here, end):
            some = each.which_are(first, last)
            if some is not None:
                found.append(some)
    return tuple(found)


def sent_from(senders: tuple[Senders, ...], origins: Intervals) -> tuple[Senders, ...]:
    """Return those that were sent from these addresses."""
    if len(senders) == len(origins) and all(
        each.first == first and each.last == last for each, (first, last) in zip(senders, origins, strict=True)
    ):
        return senders
    parts = (
        each.which_were(first, last) for each in senders for first, last in clipped(origins, each.first, each.last)
    )
    return tuple(part for part in parts if part is not None)


def origins(senders: Iterable[Senders]) -> Intervals:
    """Return the sources that they had when they were sent."""
    return union((each.first, each.last) for each in senders)


def addresses(senders: Iterable[Senders]) -> Intervals:
    """Return the addresses that they have now."""
    return union(each.now() for each in senders)


def translated(
    senders: Iterable[Senders], rules: Layers[SourceTranslation], leaves: Realm | None
) -> tuple[Senders, ...]:
    """Return them after source translation: the first rule that holds each counts, the others stay as they are.

    ``leaves`` is the realm that they go out into, None where a box translates before it knows.
    """
    done: list[Senders] = []
    for each in senders:
        for stretch in rules.over(*each.now()):
            some = each.which_are(stretch.first, stretch.last)
            if some is None:
                continue
            nat = next((nat for nat in stretch.entries if leaves is None or _outside(nat) == leaves), None)
            done.extend((some,) if nat is None else some.renamed(nat))
    return tuple(done)


def unlike(senders: Iterable[Senders], others: tuple[Senders, ...]) -> tuple[Senders, ...]:
    """Return those that have become something else than the others, sent from the same addresses, have.

    Realms are left out: an address is seen without one. What none of the others was is left out as well.
    """
    by_bounds = {other[:2]: other for other in others}
    found: list[Senders] = []
    for each in senders:
        same = by_bounds.get(each[:2])
        for other in others if same is None else (same,):
            some, like = each.which_were(other.first, other.last), other.which_were(each.first, each.last)
            if some is not None and like is not None and some._replace(realm=like.realm) != like:
                found.append(some)
    return tuple(found)


def _outside(nat: SourceTranslation) -> Realm:
    return nat.outside.realm if isinstance(nat, BasicNat) else nat.first.realm
