"""What can come from the Internet, held against what is published to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from farshore.fabric.model import Direction, EndSystem, LinkEnd
from farshore.proof.judges.account import Account, Property
from farshore.proof.judges.expected import Published
from farshore.proof.judges.origin import Answered, Origin
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets.intervals import EVERY_ADDRESS, Intervals, common, holds, without
from farshore.proof.sets.senders import Senders
from farshore.proof.spread.returning import Strayed, unanswered
from farshore.proof.spread.spread import Arrival, LinkVisit, Terrain
from farshore.proof.spread.tables import DeviceTables
from farshore.realm import RealmKind

_WHERE = {RealmKind.TENANT: "a tenant's WAN", RealmKind.LAKE: "the lake"}


@dataclass(frozen=True, slots=True)
class _Case:
    """The Internet, looked at."""

    origin: Origin
    host: EndSystem
    published: Published
    answered: Answered


def internet_account(terrain: Terrain, host: EndSystem, published: Published) -> Account:
    """Look at everything that can come from the Internet."""
    account = Account(host.name)
    account.touched.add(host.name)
    origin = Origin(terrain, LinkEnd(host.name, host.interface.name), host.address.realm, account)
    case = _Case(origin, host, published, {})
    found = origin.inject(origin.everything())
    origin.refute_look_ups(found)
    for visit in found.visits:
        _on_the_way(case, visit)
    for arrival, lost in origin.arrivals(found):
        _arrived(case, arrival, lost)
    _reach(case)
    return account


def _on_the_way(case: _Case, visit: LinkVisit) -> None:
    origin, left = case.origin, visit.passage.left
    origin.enter_flows(visit)
    origin.account.count(Property.INTERNET, len(left.targets))
    where = _WHERE.get(origin.beyond(visit).kind)
    if where is not None:
        reason = f"a packet from the Internet reaches {where}"
        origin.refute(Property.INTERNET, visit.node, reason, left.senders, left.targets)


def _arrived(case: _Case, arrival: Arrival, lost: tuple[Strayed, ...]) -> None:
    origin, account = case.origin, case.origin.account
    stream, name = arrival.stream, arrival.node.name
    whence = sender_sets.origins(stream.senders)
    offered = []
    for each in stream.targets:
        account.count(Property.NOTHING_ELSE, 1)
        if case.published.offers(name, each):
            offered.append(each)
        else:
            origin.refute(
                Property.NOTHING_ELSE,
                name,
                f"{name} receives the packet, though this address and port are not published",
                stream.senders,
                (each,),
            )
    forged = sender_sets.sent_from(stream.senders, without(whence, case.published.abroad))
    account.count(Property.FORGED, 2)
    if forged:
        reason = f"{name} receives the packet, whose source does not exist on the Internet"
        origin.refute(Property.FORGED, name, reason, forged, stream.targets)
    for visit, signers in _errors(case, arrival):
        senders = tuple(Senders(first, last, first, origin.realm) for first, last in signers)
        reason = "an ICMP error about its flow passes with a source that does not exist on the Internet"
        origin.refute(Property.FORGED, visit.node, reason, senders, stream.targets)
    account.count(Property.RETURN_PATH, len(stream.targets))
    origin.refute_replies(lost)
    origin.enter_answered(case.answered, arrival, offered, without(whence, unanswered(lost)))


def _errors(case: _Case, arrival: Arrival) -> Iterator[tuple[LinkVisit, Intervals]]:
    """Yield where errors about a flow pass with sources that do not exist on the Internet, and those sources.

    An error is let in by its destination alone, for any router on the way may have sent it. Where a box does not
    translate the flow's source it leaves an error's as it is, and only the last guard asks for it.
    """
    terrain, sources = case.origin.terrain, EVERY_ADDRESS
    for visit in arrival.path:
        box = terrain.box(terrain.fabric.nodes[visit.node])
        came, went = ({each.realm for each in s.senders} for s in (visit.passage.arrived, visit.passage.left))
        if not isinstance(box, DeviceTables) or not came & went:
            return
        guard = box.guard(visit.passage.egress, Direction.OUT)
        sources = sources if guard is None else common(sources, guard.sources)
        if beyond := without(sources, case.published.abroad):
            yield visit, beyond
            return


def _reach(case: _Case) -> None:
    origin, own = case.origin, int(case.host.address.ip)
    for (name, ip), port_indices in case.published.port_indices.items():
        for port_index in sorted(port_indices):
            origin.account.count(Property.REACH, 1)
            sources = case.answered.get((origin.start.interface, name, ip, port_index), ())
            if missing := without(case.published.abroad, sources):
                # The lab's own host makes the better example, where it is one.
                first = missing[0][0] if holds(sources, own, own) else own
                origin.refute_reach(name, name, (Senders(first, first, first, origin.realm),), ip, port_index)
