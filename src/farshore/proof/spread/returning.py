"""The replies to a set of packets: whether all of them return to the senders by the path of the requests.

A reply is followed hop by hop against the path of its packets. At each device it belongs to a known flow, so
what translates it is that flow; what is left to ask is whether the guards let it pass and whether the look-up,
where the device makes one, finds the interface that the flow came in by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from farshore.fabric.model import Direction
from farshore.fabric.names import NodeName
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets.intervals import Intervals, gaps, holds, union
from farshore.proof.sets.senders import Senders
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.passages import routes_of
from farshore.proof.spread.spread import Arrival, LinkVisit, Terrain
from farshore.proof.spread.tables import DeviceTables
from farshore.semantics.profile import Stage, remembers_ingress
from farshore.semantics.routing import TWO_SIDED, Found


class Fault(StrEnum):
    """What keeps a reply from coming back."""

    GUARDED = "a guard drops the reply"
    ELSEWHERE = "the reply leaves by another interface"
    LOST = "no route back"
    TWO_SIDED = "ambiguous route for the reply"


@dataclass(frozen=True, slots=True)
class Strayed:
    """Packets that get no reply, as they were sent, and the node at which their replies go wrong."""

    node: NodeName
    fault: Fault
    senders: tuple[Senders, ...]
    targets: tuple[Targets, ...]


Clean = dict[int, bool]


def strayed(terrain: Terrain, arrival: Arrival, clean: Clean) -> Iterator[Strayed]:
    """Yield, from the far end on, every visit at which replies go wrong; nothing where all of them come back.

    ``clean`` remembers, by the identity of hops, those at which nothing that passed them goes wrong on its
    way back: then neither does what arrived of it. It is good for one spread.
    """
    for visit in reversed(arrival.path):
        box = terrain.boxes[visit.node]
        if not isinstance(box, DeviceTables):
            continue  # a proxy answers on the connection that it was asked on
        if id(visit) not in clean:
            clean[id(visit)] = next(_at(box, visit, visit.passage.arrived, visit.passage.left), None) is None
        if not clean[id(visit)]:
            yield from _of(box, visit, arrival.stream)


def _of(box: DeviceTables, visit: LinkVisit, whole: Stream) -> Iterator[Strayed]:
    """Yield what goes wrong at one visit, for the part that arrived in the end."""
    passage, whence = visit.passage, sender_sets.origins(whole.senders)
    came, went = (
        Stream(sender_sets.sent_from(there.senders, whence), _asked(there.targets, whole.targets))
        for there in (passage.arrived, passage.left)
    )
    yield from _at(box, visit, came, went)


def _asked(there: tuple[Targets, ...], arrived: tuple[Targets, ...]) -> tuple[Targets, ...]:
    """Return the part of a visit's targets that arrived in the end."""
    found = []
    for each in there:
        for wanted in arrived:
            first, last = max(each.first, wanted.first), min(each.last, wanted.last)
            low, high = max(each.low, wanted.low), min(each.high, wanted.high)
            if first <= last and low <= high:
                start = each.at + first - each.first
                found.append(Targets(first, last, start, low, high, each.realm))
    return tuple(found)


def _at(box: DeviceTables, visit: LinkVisit, came: Stream, went: Stream) -> Iterator[Strayed]:
    """Yield what goes wrong at one device. ``went`` is what left it once, and is what the reply has as it comes."""
    whole = went
    inward = box.guard(visit.passage.egress, Direction.IN)
    if inward is not None:
        yield from _refused_targets(visit, went.targets, inward.sources, whole)
        yield from _refused_senders(visit, went.senders, inward.destinations, whole)
    order = box.backward
    looked_up = went.senders
    for stage in order:
        if stage is Stage.DESTINATION:
            looked_up = came.senders
        elif stage is Stage.ROUTE:
            yield from _routed_back(box, visit, looked_up, whole)
    if Stage.ROUTE not in order and not remembers_ingress(box.device, box.profile):
        yield Strayed(visit.node, Fault.LOST, whole.senders, whole.targets)
    outward = box.guard(visit.ingress, Direction.OUT)
    if outward is not None:
        yield from _refused_targets(visit, came.targets, outward.sources, whole)
        yield from _refused_senders(visit, came.senders, outward.destinations, whole)


def _routed_back(box: DeviceTables, visit: LinkVisit, senders: tuple[Senders, ...], whole: Stream) -> Iterator[Strayed]:
    for each in senders:
        for stretch in box.routes.over(*each.now()):
            if len(stretch.entries) == 1 and stretch.entries[0].interface == visit.ingress:
                continue
            fault = Fault.LOST
            if stretch.entries:
                right, _, found = routes_of(stretch.entries, each.realm, stretch.first)
                if found is Found.ROUTE and right is not None and right.interface == visit.ingress:
                    continue
                if found in TWO_SIDED:
                    fault = Fault.TWO_SIDED
                elif found is Found.ROUTE:
                    fault = Fault.ELSEWHERE
            some = each.which_are(stretch.first, stretch.last)
            if some is not None:
                yield Strayed(visit.node, fault, (some,), whole.targets)


def _refused_senders(
    visit: LinkVisit, senders: tuple[Senders, ...], allowed: Intervals, whole: Stream
) -> Iterator[Strayed]:
    for each in senders:
        if holds(allowed, *each.now()):
            continue
        for first, last in gaps(allowed, *each.now()):
            some = each.which_are(first, last)
            if some is not None:
                yield Strayed(visit.node, Fault.GUARDED, (some,), whole.targets)


def _refused_targets(
    visit: LinkVisit, targets: tuple[Targets, ...], allowed: Intervals, whole: Stream
) -> Iterator[Strayed]:
    for each in targets:
        if holds(allowed, each.at, each.end):
            continue
        for first, last in gaps(allowed, each.at, each.end):
            yield Strayed(visit.node, Fault.GUARDED, whole.senders, (each.cut(first, last),))


def unanswered(faults: tuple[Strayed, ...]) -> Intervals:
    """Return the sources, as they were sent, of which some packet is not answered."""
    return union((each.first, each.last) for fault in faults for each in fault.senders)
