"""Sets of whole numbers as intervals: sorted, disjoint, never touching. Pure, and exact.

Addresses are numbers below 2^32, and what is left of them after prefixes have been cut out is intervals; the
same arithmetic serves ports.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from farshore.port import Port, Protocol
from farshore.realm import Prefix

# Both ends included, as in port ranges.
Interval = tuple[int, int]
Intervals = tuple[Interval, ...]

NOTHING: Intervals = ()
EVERY_ADDRESS: Intervals = ((0, (1 << 32) - 1),)
# Port indices number the ports of all protocols: TCP's, then UDP's, then ICMP echo, which has none.
FIRST_PORT_OF = {Protocol.TCP: 0, Protocol.UDP: 1 << 16, Protocol.ICMP: 1 << 17}
EVERY_PORT: Interval = (0, 1 << 17)
_PORTS = 1 << 16
_BITS = 32


def of_prefix(prefix: Prefix) -> Interval:
    """Return the addresses of a prefix, whatever its realm."""
    first = int(prefix.network.network_address)
    return first, first | ((1 << (_BITS - prefix.network.prefixlen)) - 1)


def of_prefixes(prefixes: Iterable[Prefix]) -> Intervals:
    """Return the addresses that any of these prefixes holds."""
    return union(map(of_prefix, prefixes))


def of_port(port: Port) -> int:
    """Return a port's index among the ports of all protocols."""
    return FIRST_PORT_OF[port.protocol] + port.number


def port_at(port_index: int) -> Port:
    """Return the port with an index."""
    protocol = Protocol.TCP if port_index < _PORTS else Protocol.UDP if port_index < 2 * _PORTS else Protocol.ICMP
    return Port(protocol, port_index - FIRST_PORT_OF[protocol])


def union(intervals: Iterable[Interval]) -> Intervals:
    """Return what any of these intervals holds: they may overlap and stand in any order."""
    ordered = sorted(intervals)
    if len(ordered) == 1:  # as most are
        return (ordered[0],)
    found: list[Interval] = []
    for first, last in ordered:
        if found and first <= found[-1][1] + 1:
            if last > found[-1][1]:
                found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return tuple(found)


def common(left: Intervals, right: Intervals) -> Intervals:
    """Return what both hold."""
    return tuple(piece for first, last in left for piece in clipped(right, first, last))


def without(left: Intervals, right: Intervals) -> Intervals:
    """Return what the left holds and the right does not."""
    return tuple(piece for first, last in left for piece in gaps(right, first, last))


def clipped(intervals: Intervals, first: int, last: int) -> Iterator[Interval]:
    """Yield what is held between two bounds."""
    position = bisect_left(intervals, (first,))
    if position and intervals[position - 1][1] >= first:
        position -= 1
    for number in range(position, len(intervals)):
        start, end = intervals[number]
        if start > last:
            return
        yield max(start, first), min(end, last)


def gaps(intervals: Intervals, first: int, last: int) -> Iterator[Interval]:
    """Yield what is left out between two bounds."""
    here = first
    for start, end in clipped(intervals, first, last):
        if start > here:
            yield here, start - 1
        here = end + 1
    if here <= last:
        yield here, last


def holds(intervals: Intervals, first: int, last: int) -> bool:
    """Tell whether everything between two bounds is held."""
    position = bisect_left(intervals, (first + 1,)) - 1
    return position >= 0 and last <= intervals[position][1]


def size(intervals: Intervals) -> int:
    """Return how many numbers there are."""
    return sum(last - first + 1 for first, last in intervals)
