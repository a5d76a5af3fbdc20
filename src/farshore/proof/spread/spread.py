"""A set of packets through a fabric: every link that it passes, and where it arrives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from farshore.fabric.model import Attachment, Device, EndSystem, Fabric, Node
from farshore.fabric.names import LinkEnd, NodeName
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets import targets as target_sets
from farshore.proof.sets.intervals import Intervals, of_port, union
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.crossing import Crossed, Passage, Stream, TwoSided, cross, cross_proxy
from farshore.proof.spread.tables import DeviceTables, Fronts
from farshore.semantics.profile import ProfileOf
from farshore.semantics.trace import MAX_HOPS

Boxes = dict[str, DeviceTables | Fronts]


@dataclass(frozen=True, slots=True)
class LinkVisit:
    """A device on the way, the interface that the packets came in by, and what passed."""

    node: NodeName
    ingress: str
    passage: Passage


@dataclass(frozen=True, slots=True)
class Arrival:
    """Packets at an end system, and the devices that they came through.

    Without a ``path`` they never met one. ``own`` tells whether they are addressed to it; what is not, it does
    not take, but it was on its link.
    """

    node: EndSystem
    path: tuple[LinkVisit, ...]
    stream: Stream
    own: bool

    def listening(self, target: Targets) -> tuple[int, ...]:
        """Return the port indices of a target that the end system listens on: nothing else is answered."""
        return tuple(
            port_index for port_index in map(of_port, self.node.listens) if target.low <= port_index <= target.high
        )


@dataclass(frozen=True, slots=True)
class Departure:
    """Packets that leave the fabric at an attachment, and the devices that they came through."""

    attachment: Attachment
    path: tuple[LinkVisit, ...]
    stream: Stream


class Met(NamedTuple):
    """A box that packets came to, whether it let any through: by which interface, from where and to what then.

    ``egresses`` are the interfaces that some left by, and ``left`` the addresses of their senders afterwards.
    """

    node: NodeName
    ingress: str
    senders: Intervals
    targets: Intervals
    egresses: tuple[str, ...]
    left: Intervals


@dataclass(frozen=True, slots=True)
class Spread:
    """All that becomes of a set of packets: boxes, visits, arrivals, and look-ups without one answer.

    ``departures`` are what leaves the fabric: the last that is known of those packets.
    """

    met: tuple[Met, ...]
    visits: tuple[LinkVisit, ...]
    arrivals: tuple[Arrival, ...]
    departures: tuple[Departure, ...]
    two_sided: tuple[tuple[str, TwoSided], ...]


@dataclass(frozen=True, slots=True)
class Terrain:
    """A fabric to spread in. ``boxes`` are laid out when the first packets come to them, and only then."""

    fabric: Fabric
    profile_of: ProfileOf
    boxes: Boxes

    def box(self, node: Node) -> DeviceTables | Fronts:
        """Return a node's tables; an end system has none."""
        found = self.boxes.get(node.name)
        if found is None:
            assert not isinstance(node, EndSystem)  # noqa: S101 - the callers have looked
            found = DeviceTables.of(node, self.profile_of(node)) if isinstance(node, Device) else Fronts.of(node)
            self.boxes[node.name] = found
        return found


@dataclass(slots=True)
class _Found:
    met: list[Met]
    visits: list[LinkVisit]
    arrivals: list[Arrival]
    departures: list[Departure]
    two_sided: list[tuple[str, TwoSided]]


def spread(terrain: Terrain, start: LinkEnd, stream: Stream) -> Spread:
    """Follow a set of packets that a node sends out of an interface, on every way that they take."""
    found = _Found([], [], [], [], [])
    _follow(terrain, start, stream, (), found)
    return Spread(
        tuple(found.met),
        tuple(found.visits),
        tuple(found.arrivals),
        tuple(found.departures),
        tuple(found.two_sided),
    )


def _follow(terrain: Terrain, out: LinkEnd, stream: Stream, path: tuple[LinkVisit, ...], found: _Found) -> None:
    if len(path) >= MAX_HOPS:
        return
    if out in terrain.fabric.attachments:
        found.departures.append(Departure(terrain.fabric.attachments[out], path, stream))
        return
    end = terrain.fabric.far_ends[out]
    node = terrain.fabric.nodes[end.node]
    if isinstance(node, EndSystem):
        found.arrivals.extend(_arrived(node, path, stream))
        return
    box = terrain.box(node)
    crossed = (
        cross(box, end.interface, stream) if isinstance(box, DeviceTables) else cross_proxy(box, end.interface, stream)
    )
    found.met.append(_met(node.name, end.interface, crossed))
    found.two_sided.extend((node.name, each) for each in crossed.two_sided)
    for passage in crossed.passages:
        visit = LinkVisit(node.name, end.interface, passage)
        found.visits.append(visit)
        _follow(terrain, LinkEnd(node.name, passage.egress), passage.left, (*path, visit), found)


def _met(node: NodeName, ingress: str, crossed: Crossed) -> Met:
    admitted, passages = crossed.admitted, crossed.passages
    left = union(interval for each in passages for interval in sender_sets.addresses(each.left.senders))
    egresses = tuple(dict.fromkeys(each.egress for each in passages))
    senders, targets = sender_sets.addresses(admitted.senders), target_sets.addresses(admitted.targets)
    return Met(node, ingress, senders, targets, egresses, left)


def _arrived(node: EndSystem, path: tuple[LinkVisit, ...], stream: Stream) -> Iterator[Arrival]:
    ip = int(node.address.ip)
    own = tuple(each.cut(ip, ip) for each in stream.targets if each.at <= ip <= each.end)
    if own:
        yield Arrival(node, path, Stream(stream.senders, own), own=True)
    others = tuple(
        each.cut(first, last)
        for each in stream.targets
        for first, last in ((each.at, min(each.end, ip - 1)), (max(each.at, ip + 1), each.end))
        if first <= last
    )
    if others:
        yield Arrival(node, path, Stream(stream.senders, others), own=False)
