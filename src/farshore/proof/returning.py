"""The replies to a set of packets: do all of them come back the way that the packets went, and to whom they should?

A reply is followed hop by hop against the path of its packets. At each device it belongs to a known flow, so
what translates it is that flow; what is left to ask is whether the guards let it pass and whether the look-up,
where the device makes one, finds the interface that the flow came in by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from farshore.fabric.model import Direction
from farshore.proof import senders as sender_sets
from farshore.proof.box import Box
from farshore.proof.crossing import Stream, routes_of
from farshore.proof.intervals import Intervals, gaps, union
from farshore.proof.senders import Senders
from farshore.proof.spread import Arrival, Hop, Terrain
from farshore.proof.targets import Targets
from farshore.walk.profile import Returning, Stage
from farshore.walk.routing import Found


class Fault(StrEnum):
    """What keeps a reply from coming back."""

    GUARDED = "a guard refuses the reply"
    ELSEWHERE = "the reply takes another way"
    LOST = "there is no way back"
    TWO_SIDED = "the reply's destination is on both sides"


@dataclass(frozen=True, slots=True)
class Strayed:
    """Packets whose replies do not come back, as they were sent, and where the replies go wrong."""

    node: str
    fault: Fault
    senders: tuple[Senders, ...]
    targets: tuple[Targets, ...]


def strayed(terrain: Terrain, arrival: Arrival) -> Iterator[Strayed]:
    """Yield, from the far end on, every hop at which replies go wrong; nothing where all of them come back."""
    whence = sender_sets.origins(arrival.stream.senders)
    for hop in reversed(arrival.path):
        box = terrain.box(terrain.fabric.nodes[hop.node])  # type: ignore[arg-type]
        if not isinstance(box, Box):
            continue  # a proxy answers on the connection that it was asked on
        passage = hop.passage
        went = Stream(
            sender_sets.those_once(passage.left.senders, whence),
            _asked(passage.left.targets, arrival.stream.targets),
        )
        came = Stream(
            sender_sets.those_once(passage.arrived.senders, whence),
            _asked(passage.arrived.targets, arrival.stream.targets),
        )
        yield from _at(box, hop, came, went, arrival)


def _asked(there: tuple[Targets, ...], arrived: tuple[Targets, ...]) -> tuple[Targets, ...]:
    """Return the part of a hop's targets that arrived in the end."""
    if len(arrived) == len(there) and all(
        a[:2] == t[:2] and a[3:5] == t[3:5] for a, t in zip(arrived, there, strict=True)
    ):
        return there
    found = []
    for each in there:
        for wanted in arrived:
            first, last = max(each.first, wanted.first), min(each.last, wanted.last)
            low, high = max(each.low, wanted.low), min(each.high, wanted.high)
            if first <= last and low <= high:
                start = each.at + first - each.first
                found.append(Targets(first, last, start, low, high, each.realm))
    return tuple(found)


def _at(box: Box, hop: Hop, came: Stream, went: Stream, arrival: Arrival) -> Iterator[Strayed]:
    """Yield what goes wrong at one device. ``went`` is what left it once, and is what the reply has as it comes."""
    whole = arrival.stream
    inward = box.guards.get((hop.passage.egress, Direction.IN))
    if inward is not None:
        yield from _refused_targets(hop, went.targets, inward.sources, whole)
        yield from _refused_senders(hop, went.senders, inward.destinations, whole)
    filters = box.device.policy is not None
    order = box.profile.backward if filters else (Stage.ROUTE,)
    last_hop = filters and box.device.last_hop
    looked_up = went.senders
    for stage in order:
        if stage is Stage.DESTINATION:
            looked_up = came.senders
        elif stage is Stage.ROUTE and not last_hop:
            yield from _routed_back(box, hop, looked_up, whole)
    if filters and Stage.ROUTE not in order and not (last_hop or box.profile.returning is not Returning.ROUTE):
        yield Strayed(hop.node, Fault.LOST, whole.senders, whole.targets)
    outward = box.guards.get((hop.ingress, Direction.OUT))
    if outward is not None:
        yield from _refused_targets(hop, came.targets, outward.sources, whole)
        yield from _refused_senders(hop, came.senders, outward.destinations, whole)


def _routed_back(box: Box, hop: Hop, senders: tuple[Senders, ...], whole: Stream) -> Iterator[Strayed]:
    for each in senders:
        for stretch in box.ways.over(*each.now()):
            if len(stretch.entries) == 1 and stretch.entries[0].interface == hop.ingress:
                continue
            fault = Fault.LOST
            if stretch.entries:
                right, _, found = routes_of(stretch.entries, each.realm, stretch.first)
                if found is Found.ROUTE and right is not None and right.interface == hop.ingress:
                    continue
                if found in (Found.AMBIGUOUS, Found.WRONG_SIDE):
                    fault = Fault.TWO_SIDED
                elif found is Found.ROUTE:
                    fault = Fault.ELSEWHERE
            some = each.which_are(stretch.first, stretch.last)
            if some is not None:
                yield Strayed(hop.node, fault, (some,), whole.targets)


def _refused_senders(hop: Hop, senders: tuple[Senders, ...], allowed: Intervals, whole: Stream) -> Iterator[Strayed]:
    for each in senders:
        for first, last in gaps(allowed, *each.now()):
            some = each.which_are(first, last)
            if some is not None:
                yield Strayed(hop.node, Fault.GUARDED, (some,), whole.targets)


def _refused_targets(hop: Hop, targets: tuple[Targets, ...], allowed: Intervals, whole: Stream) -> Iterator[Strayed]:
    for each in targets:
        for first, last in gaps(allowed, each.at, each.end):
            yield Strayed(hop.node, Fault.GUARDED, whole.senders, (each.cut(first, last),))


def unanswered(faults: tuple[Strayed, ...]) -> Intervals:
    """Return the sources, as they were sent, of which some packet is not answered."""
    return union((each.first, each.last) for fault in faults for each in fault.senders)
