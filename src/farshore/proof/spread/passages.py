"""Targets through a device: the stages of its profile, up to the egress interface.

It depends on where packets came in and on what they are sent to, not on who sent them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from farshore.fabric.model import Route
from farshore.proof.sets.intervals import union
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.tables import DeviceTables, Part, Passages
from farshore.realm import Address, Realm
from farshore.semantics.profile import FilterView, Stage
from farshore.semantics.routing import TWO_SIDED, Found, look_up


def passages_of(box: DeviceTables, realm: Realm, order: tuple[Stage, ...], target: Targets) -> Passages:
    """Return what becomes of a piece of targets. Many tenants ask a box for the same: it is worked out once."""
    key = (realm.name, target.at, target.end, target.low, target.high, target.realm.name)
    passages = box.known.get(key)
    if passages is None:
        two_sided: list[tuple[Targets, Found]] = []
        at, end, low, high = target.at, target.end, target.low, target.high
        parts: Iterable[Part] = (Part(Targets(at, end, at, low, high, target.realm)),)
        for stage in order:
            parts = _stage(stage, box, realm, parts, two_sided)
        # Only now is anything done: the stages hand one part after the other on.
        passages = Passages(tuple(parts), tuple(two_sided))
        box.known[key] = passages
    return passages


def _stage(
    stage: Stage, box: DeviceTables, realm: Realm, parts: Iterable[Part], two_sided: list[tuple[Targets, Found]]
) -> Iterator[Part]:
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


def _new_destinations(box: DeviceTables, realm: Realm, parts: Iterable[Part]) -> Iterator[Part]:
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
                sent, last, at, low, high, _ = some.now
                now = Targets(sent, last, at + shift, low, high, nat.outside.realm)
                some = Part(now, some.egress, some.leaves, some.doubtful)
            yield some


def _routed(box: DeviceTables, parts: Iterable[Part], two_sided: list[tuple[Targets, Found]]) -> Iterator[Part]:
    for part in parts:
        for stretch in box.routes.over(part.now.at, part.now.end):
            if not stretch.entries:
                continue
            some = part.cut(stretch.first, stretch.last)
            right, held, found = routes_of(stretch.entries, part.now.realm, stretch.first)
            doubtful = found in TWO_SIDED
            if doubtful:
                two_sided.append((some.now, found))
            if right is not None and right.interface is not None:
                yield Part(some.now, right.interface, some.leaves, doubtful or part.doubtful)
            if doubtful and held is not None and held.interface is not None and held is not right:
                yield some._replace(egress=held.interface, doubtful=True)


def routes_of(entries: tuple[Route, ...], realm: Realm, ip: int) -> tuple[Route | None, Route | None, Found]:
    """Return the right route, the one that a real table holds, and what the walk's own look-up says of both."""
    if len(entries) == 1:
        # One route alone has no rival, whatever its realm.
        return entries[0], entries[0], Found.DISCARDED if entries[0].interface is None else Found.ROUTE
    found = look_up(entries, Address(realm, IPv4Address(ip)))
    return found.route, found.held, found.found


def _permitted(box: DeviceTables, realm: Realm, parts: Iterable[Part]) -> Iterator[Part]:
    permits = box.permits[realm.name]
    by_arrival = box.profile.filter_reads is FilterView.ARRIVED
    for part in parts:
        leaves = box.realms[part.egress] if part.egress is not None else None
        now = part.now
        here = now.first if by_arrival else now.at
        shift = now.at - here
        for stretch in permits.over(here, now.end - shift):
            port_indices = union(
                (p.port, p.port)
                for p in stretch.entries
                if leaves in (None, p.egress) and now.low <= p.port <= now.high
            )
            some = now.cut(stretch.first + shift, stretch.last + shift) if port_indices else now
            sent, end, at, _, _, realm_now = some
            for first, last in port_indices:
                yield Part(Targets(sent, end, at, first, last, realm_now), part.egress, part.leaves, part.doubtful)
