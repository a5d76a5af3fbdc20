"""A set of packets through a device: the stages of the walk, for all packets at once.

Everything that a device asks concerns where a packet comes from or where it goes, never both together: guards
and source translation the one, guards, destination translation, routes and permits the other. So a set that
comes in as *these senders to those targets* goes out as a few of the same shape, and both halves can be worked
out apart. That is what makes a proof of ten thousand tenants a matter of seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from farshore.fabric.model import Direction
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets import targets as target_sets
from farshore.proof.sets.intervals import Intervals, clipped, holds
from farshore.proof.sets.layers import Layers
from farshore.proof.sets.senders import SHARED_BY_ALL, Senders
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.passages import passages_of
from farshore.proof.spread.tables import DeviceTables, Fronts
from farshore.realm import Realm
from farshore.semantics.profile import Stage
from farshore.semantics.routing import Found
from farshore.translation import SourceTranslation


@dataclass(frozen=True, slots=True)
class Stream:
    """A set of packets on a link: every one of these senders to every one of these targets."""

    senders: tuple[Senders, ...]
    targets: tuple[Targets, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """Packets that got through a device: as they arrived, as they left, and by which interface.

    ``arrived`` may hold more senders than ``left``, where the last guard refused some. ``doubtful`` tells that a
    look-up had no one right answer: they may be taken by one route or by the other, and both are followed.
    """

    egress: str
    arrived: Stream
    left: Stream
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class TwoSided:
    """Packets with an ambiguous look-up: two routes lead there, or one through the wrong realm."""

    stream: Stream
    found: Found


@dataclass(frozen=True, slots=True)
class Crossed:
    """The result of a set of packets at a device; packets in no passage are dropped.

    ``admitted`` are those that were looked at closer: the others would be refused whatever the device's tables say.
    """

    admitted: Stream
    passages: tuple[Passage, ...] = ()
    two_sided: tuple[TwoSided, ...] = ()


def cross(box: DeviceTables, ingress: str, stream: Stream) -> Crossed:
    """Take new flows' first packets through a device, as ``farshore.semantics.device.cross`` takes one."""
    realm = box.realms[ingress]
    order = box.forward
    if Stage.FILTER in order and realm.name not in box.permits:
        # Nothing that comes from there is let through: not worth being looked at closer.
        return Crossed(stream)
    guard = box.guard(ingress, Direction.IN)
    senders, targets = stream.senders, stream.targets
    if guard is not None:
        senders = sender_sets.now_at(senders, guard.sources)
        targets = target_sets.now_at(targets, guard.destinations)
    if not senders or not targets:
        return Crossed(Stream((), ()))
    groups: dict[tuple[str, Realm | None, bool], list[tuple[Targets, Targets]]] = {}
    two_sided: list[TwoSided] = []
    for each in targets:
        passages, sent = passages_of(box, realm, order, each), each.first - each.at
        for part in passages.parts:
            if part.egress is not None:
                there = groups.setdefault((part.egress, part.leaves, part.doubtful), [])
                there.append(_before_and_after(part.now, sent))
        for piece, found in passages.two_sided:
            two_sided.append(TwoSided(Stream(senders, (_before_and_after(piece, sent)[0],)), found))
    rules = box.source.get(realm.name) if Stage.SOURCE in order else None
    return Crossed(Stream(senders, targets), tuple(_passages(box, senders, rules, groups)), tuple(two_sided))


def _before_and_after(now: Targets, sent: int) -> tuple[Targets, Targets]:
    """Return a piece as it arrived and as it left, both with what it was when it was sent."""
    first, last, at, low, high, realm = now
    return (
        Targets(first + sent, last + sent, first, low, high, realm),
        Targets(first + sent, last + sent, at, low, high, realm),
    )


def _passages(
    box: DeviceTables,
    senders: tuple[Senders, ...],
    rules: Layers[SourceTranslation] | None,
    groups: Mapping[tuple[str, Realm | None, bool], list[tuple[Targets, Targets]]],
) -> Iterator[Passage]:
    for (egress, leaves, doubtful), group in groups.items():
        left = senders if rules is None else sender_sets.translated(senders, rules, leaves)
        guard = box.guard(egress, Direction.OUT)
        there = group
        if guard is not None:
            left = sender_sets.now_at(left, guard.sources)
            there = [pair for each in group for pair in _within(each, guard.destinations)]
        if left and there:
            before, after = zip(*there, strict=True)
            yield Passage(egress, Stream(senders, before), Stream(left, after), doubtful)


def _within(pair: tuple[Targets, Targets], addresses: Intervals) -> Iterator[tuple[Targets, Targets]]:
    before, after = pair
    here, end = after.at, after.end
    if holds(addresses, here, end):
        yield pair
        return
    shift = before.at - here
    for first, last in clipped(addresses, here, end):
        yield before.cut(first + shift, last + shift), after.cut(first, last)


# --- proxies -------------------------------------------------------------------------------------------


def cross_proxy(fronts: Fronts, ingress: str, stream: Stream) -> Crossed:
    """Take packets to a proxy that open connections, as ``farshore.semantics.proxy.cross_proxy`` takes one."""
    passages = []
    for front, port_index, sources, egress in fronts.by_realm.get(fronts.realms[ingress].name, ()):
        ip = int(front.presented.ip)
        asked = tuple(
            each.cut(ip, ip)._replace(low=port_index, high=port_index)
            for each in stream.targets
            if each.at <= ip <= each.end and each.low <= port_index <= each.high
        )
        senders = sender_sets.now_at(stream.senders, sources) if asked else ()
        if not senders:
            continue
        # All of them share the proxy's own address; which port each connection gets is the proxy's to choose.
        own, server = int(front.own.ip), int(front.server.ip)
        onward = tuple(Senders(s.first, s.last, own, front.own.realm, SHARED_BY_ALL) for s in senders)
        toward = tuple(each._replace(at=server, realm=front.server.realm) for each in asked)
        passages.append(Passage(egress, Stream(senders, asked), Stream(onward, toward)))
    return Crossed(stream, tuple(passages))
