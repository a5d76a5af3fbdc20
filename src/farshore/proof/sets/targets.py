"""Destinations and ports of a set of packets, as sent and as translated. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from farshore.port import Port
from farshore.proof.sets.intervals import EVERY_PORT, Intervals, clipped, holds, of_port, union
from farshore.realm import Address, Realm


class Targets(NamedTuple):
    """Destinations that were translated alike, with the ports asked for. A named tuple, for there are millions.

    They were ``first`` to ``last`` when they were sent, and the first is ``at`` now. ``low`` to ``high`` are
    port indices. ``realm`` is where the addresses that they have now mean something.
    """

    first: int
    last: int
    at: int
    low: int
    high: int
    realm: Realm

    @property
    def end(self) -> int:
        """Return what the last of them is now."""
        return self.at + self.last - self.first

    def cut(self, first: int, last: int) -> Targets:
        """Return those of them that are now between two bounds, which must lie within."""
        if first == self.at and last == self.end:
            return self
        start = self.first + first - self.at
        return Targets(start, start + last - first, first, self.low, self.high, self.realm)


def every_target(realm: Realm) -> tuple[Targets, ...]:
    """Return every destination and port there is."""
    return (Targets(0, (1 << 32) - 1, 0, *EVERY_PORT, realm),)


def one_target(address: Address, port: Port) -> Targets:
    """Return one port of one destination."""
    ip, port_index = int(address.ip), of_port(port)
    return Targets(ip, ip, ip, port_index, port_index, address.realm)


def now_at(targets: Iterable[Targets], addresses: Intervals) -> tuple[Targets, ...]:
    """Return those that are now at these addresses."""
    found: list[Targets] = []
    for each in targets:
        here, end = each.at, each.end
        if holds(addresses, here, end):
            found.append(each)
        else:
            found.extend(each.cut(first, last) for first, last in clipped(addresses, here, end))
    return tuple(found)


def addresses(targets: Iterable[Targets]) -> Intervals:
    """Return the addresses that they have now."""
    return union((each.at, each.end) for each in targets)
