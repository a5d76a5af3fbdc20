"""One-to-one: no two flows may match the same session of a device (RFC 2663 section 2.6).

A device distinguishes flows by their headers: as they arrive and, for the replies, as they leave. Every place
that packets come from leaves its prints there; here they are laid beside each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from farshore.fabric.model import Device
from farshore.fabric.names import LinkEnd, NodeName
from farshore.proof.judges.account import Print, Property, Refuted, as_now
from farshore.proof.sets.senders import Senders
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.spread import LinkVisit

# By device and side.
Marks = Mapping[tuple[NodeName, str], tuple[Print, ...]]

ARRIVING, LEAVING = "arriving", "leaving"


def prints(visit: LinkVisit, device: Device, start: LinkEnd) -> Iterator[Print]:
    """Yield how the flows of one visit look to a device, as they arrive and as they leave."""
    passage = visit.passage
    # A box that answers by the last hop tells arriving flows apart by their interface as well.
    side = f"{ARRIVING} {visit.ingress}" if device.last_hop else ARRIVING
    yield from _prints(visit.node, side, passage.arrived.senders, passage.arrived.targets, start)
    yield from _prints(visit.node, LEAVING, passage.left.senders, passage.left.targets, start)


def _prints(
    node: NodeName, side: str, senders: tuple[Senders, ...], targets: tuple[Targets, ...], start: LinkEnd
) -> Iterator[Print]:
    bounds = as_now(targets)
    for each in senders:
        sent = (each.first, targets[0].first, targets[0].low)
        for first, last, ports in each.ports():
            yield Print(node, side, first, last, ports, bounds, start, sent)


def laid_out(marks: Iterable[Print]) -> Marks:
    """Lay prints beside each other: by device and side, in the order of their first addresses."""
    by_side: dict[tuple[NodeName, str], list[Print]] = {}
    for mark in marks:
        by_side.setdefault((mark.node, mark.side), []).append(mark)
    return {where: tuple(sorted(there, key=_first)) for where, there in by_side.items()}


def collisions(marks: Marks) -> Iterator[Refuted]:
    """Yield, for each side of each device, the first flow that looks like another's."""
    for (node, side), there in marks.items():
        found = next(_alike(there), None) if len(there) > 1 else None
        if found is not None:
            one, other = found
            seen = side.partition(" ")[0]
            session = f"the session of a flow from {one.start.node}"
            reason = f"{seen}, the flow matches {session}: the replies of both go to one of them"
            yield Refuted(Property.ONE_TO_ONE, other.start, *other.sent, node, reason)


def _first(mark: Print) -> int:
    return mark.first


def _alike(ordered: tuple[Print, ...]) -> Iterator[tuple[Print, Print]]:
    """Yield pairs of prints that overlap, swept by their first address."""
    open_: list[Print] = []
    for mark in ordered:
        open_ = [other for other in open_ if other.last >= mark.first]
        for other in open_:
            another = other.sent != mark.sent or other.start != mark.start
            if another and _meet(other.ports, mark.ports) and _same_target(other, mark):
                yield other, mark
        open_.append(mark)


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _same_target(one: Print, other: Print) -> bool:
    return any(
        a[0] <= b[1] and b[0] <= a[1] and a[2] <= b[3] and b[2] <= a[3] for a in one.targets for b in other.targets
    )
