"""A set of packets through a device: the walk's stages, for all of them at once.

Everything that a device asks concerns where a packet comes from or where it goes, never both together: guards
and source translation the one, guards, destination translation, routes and permits the other. So a set that
comes in as *these senders to those targets* goes out as a few of the same shape, and both halves can be worked
out apart. That is what makes a proof of ten thousand tenants a matter of seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NamedTuple

from farshore.fabric.model import Direction, Route
from farshore.proof import senders as sender_sets
from farshore.proof import targets as target_sets
from farshore.proof.box import Box, Fronts
from farshore.proof.intervals import Intervals, clipped, of_port, of_prefixes, union
from farshore.proof.layers import Layers
from farshore.proof.senders import SHARED_BY_ALL, Senders
from farshore.proof.targets import Targets
from farshore.realm import Address, Realm
from farshore.translation import SourceTranslation
from farshore.walk.profile import Form, Stage
from farshore.walk.routing import Found, look_up

_TWO_SIDED = (Found.AMBIGUOUS, Found.WRONG_SIDE)


@dataclass(frozen=True, slots=True)
class Stream:
    """A set of packets on a wire: every one of these senders to every one of these targets."""

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
    """Packets whose look-up has no one right answer: what they are sent to is on both sides, or on the wrong one."""

    stream: Stream
    found: Found


@dataclass(frozen=True, slots=True)
class Crossed:
    """What became of a set of packets at a device; what no passage holds was refused."""

    passages: tuple[Passage, ...]
    two_sided: tuple[TwoSided, ...] = ()


class _Part(NamedTuple):
    """Targets within a device: as they are now, as they arrived, and what was found of their way out."""

    now: Targets
    arrived_at: int
    egress: str | None = None
    leaves: Realm | None = None
    doubtful: bool = False

    def cut(self, first: int, last: int) -> _Part:
        return self._replace(now=self.now.cut(first, last), arrived_at=self.arrived_at + first - self.now.at)

    def as_arrived(self) -> Targets:
        return self.now if self.arrived_at == self.now.at else self.now._replace(at=self.arrived_at)


def cross(box: Box, ingress: str, stream: Stream) -> Crossed:
    """Take new flows' first packets through a device, as ``farshore.walk.device.cross`` takes one."""
    realm = box.realms[ingress]
    order = box.profile.forward if box.device.policy is not None else (Stage.ROUTE,)
    if Stage.FILTER in order and realm.name not in box.permits:
        # Nothing that comes from there is let through: not worth being looked at closer.
        return Crossed(())
    guard = box.guards.get((ingress, Direction.IN))
    senders, targets = stream.senders, stream.targets
    if guard is not None:
        senders = sender_sets.those_now(senders, guard.sources)
        targets = target_sets.those_now(targets, guard.destinations)
    if not senders or not targets:
        return Crossed(())
    two_sided: list[tuple[Targets, Found]] = []
    parts: Iterable[_Part] = [_Part(each, each.at) for each in targets]
    for stage in order:
        parts = _stage(stage, box, realm, parts, two_sided)
    # Only now is anything done: the stages hand one target after the other on.
    parts = tuple(parts)
    rules = box.source.get(realm.name) if Stage.SOURCE in order else None
    passages = tuple(_passages(box, senders, rules, parts))
    return Crossed(passages, tuple(TwoSided(Stream(senders, (each,)), found) for each, found in two_sided))


def _passages(
    box: Box, senders: tuple[Senders, ...], rules: Layers[SourceTranslation] | None, parts: Iterable[_Part]
) -> Iterator[Passage]:
    groups: dict[tuple[str, Realm | None, bool], list[_Part]] = {}
    for part in parts:
        if part.egress is not None:
            groups.setdefault((part.egress, part.leaves, part.doubtful), []).append(part)
    for (egress, leaves, doubtful), group in groups.items():
        left = senders if rules is None else sender_sets.translated(senders, rules, leaves)
        guard = box.guards.get((egress, Direction.OUT))
        there = group
        if guard is not None:
            left = sender_sets.those_now(left, guard.sources)
            there = [part for each in group for part in _within(each, guard.destinations)]
        if left and there:
            arrived, now = tuple(part.as_arrived() for part in there), tuple(part.now for part in there)
            yield Passage(egress, Stream(senders, arrived), Stream(left, now), doubtful)


def _within(part: _Part, addresses: Intervals) -> Iterator[_Part]:
    for first, last in clipped(addresses, part.now.at, part.now.end):
        yield part.cut(first, last)


def _stage(
    stage: Stage, box: Box, realm: Realm, parts: Iterable[_Part], two_sided: list[tuple[Targets, Found]]
) -> Iterator[_Part]:
    """Yield what a stage makes of targets. What it does to senders is done once their way out is known."""
    match stage:
        case Stage.DESTINATION:
            return _new_destinations(box, realm, parts)
        case Stage.ROUTE:
            return _routed(box, parts, two_sided)
        case Stage.FILTER:
            return _permitted(box, realm, parts)
        case Stage.SOURCE:
            return (p if p.egress is None else p._replace(leaves=box.realms[p.egress]) for p in parts)


# --- the stages, for targets --------------------------------------------------------------------------


def _new_destinations(box: Box, realm: Realm, parts: Iterable[_Part]) -> Iterator[_Part]:
    rules = box.destination.get(realm.name)
    for part in parts:
        if rules is None:
            yield part
            continue
        for stretch in rules.over(part.now.at, part.now.end):
            some = part.cut(stretch.first, stretch.last)
            if stretch.entries:
                nat = stretch.entries[0]
                shift = int(nat.outside.network.network_address) - int(nat.inside.network.network_address)
                some = some._replace(now=some.now._replace(at=some.now.at + shift, realm=nat.outside.realm))
            yield some


def _routed(box: Box, parts: Iterable[_Part], two_sided: list[tuple[Targets, Found]]) -> Iterator[_Part]:
    for part in parts:
        for stretch in box.ways.over(part.now.at, part.now.end):
            if not stretch.entries:
                continue
            some = part.cut(stretch.first, stretch.last)
            right, held, found = routes_of(stretch.entries, part.now.realm, stretch.first)
            if found in _TWO_SIDED:
                two_sided.append((some.as_arrived(), found))
            if right is not None and right.interface is not None:
                yield some._replace(egress=right.interface, doubtful=found in _TWO_SIDED)
            if found in _TWO_SIDED and held is not None and held.interface is not None and held is not right:
                yield some._replace(egress=held.interface, doubtful=True)


def routes_of(entries: tuple[Route, ...], realm: Realm, ip: int) -> tuple[Route | None, Route | None, Found]:
    """Return the right route, the one that a real table holds, and what the walk's own look-up says of both."""
    if len(entries) == 1:
        # One route alone has no rival, whatever its realm.
        return entries[0], entries[0], Found.DISCARDED if entries[0].interface is None else Found.ROUTE
    found = look_up(entries, Address(realm, IPv4Address(ip)))
    return found.route, found.held, found.found


def _permitted(box: Box, realm: Realm, parts: Iterable[_Part]) -> Iterator[_Part]:
    permits = box.permits[realm.name]
    by_arrival = box.profile.filter_reads is Form.ARRIVED
    for part in parts:
        leaves = box.realms[part.egress] if part.egress is not None else None
        here = part.arrived_at if by_arrival else part.now.at
        shift = part.now.at - here
        for stretch in permits.over(here, part.now.end - shift):
            low, high = part.now.low, part.now.high
            places = union(
                (p.port, p.port) for p in stretch.entries if leaves in (None, p.egress) and low <= p.port <= high
            )
            some = part.cut(stretch.first + shift, stretch.last + shift) if places else part
            for first, last in places:
                yield some._replace(now=some.now._replace(low=first, high=last))


# --- proxies -------------------------------------------------------------------------------------------


def cross_proxy(fronts: Fronts, ingress: str, stream: Stream) -> Crossed:
    """Take packets to a proxy that open connections, as ``farshore.walk.proxy.cross_proxy`` takes one."""
    passages = []
    for front in fronts.by_realm.get(fronts.realms[ingress].name, ()):
        ip, place, own = int(front.presented.ip), of_port(front.port), int(front.own.ip)
        asked = tuple(
            each.cut(ip, ip)._replace(low=place, high=place)
            for each in stream.targets
            if each.at <= ip <= each.end and each.low <= place <= each.high
        )
        senders = sender_sets.those_now(stream.senders, of_prefixes(front.sources)) if asked else ()
        if not senders:
            continue
        egress = next(name for name, realm in fronts.realms.items() if realm == front.server.realm)
        # All of them share the proxy's own address; which port each connection gets is the proxy's to choose.
        onward = tuple(Senders(s.first, s.last, own, front.own.realm, SHARED_BY_ALL) for s in senders)
        server = tuple(each._replace(at=int(front.server.ip), realm=front.server.realm) for each in asked)
        passages.append(Passage(egress, Stream(senders, asked), Stream(onward, server)))
    return Crossed(tuple(passages))
