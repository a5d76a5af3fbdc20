"""Packets from the Internet, compared with the published services."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from farshore.fabric.model import Direction, EndSystem
from farshore.fabric.names import LinkEnd
from farshore.proof.judges.account import Account, Property
from farshore.proof.judges.expected import Published
from farshore.proof.judges.sources import Answered, EntryPoint
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

    entry: EntryPoint
    host: EndSystem
    published: Published
    answered: Answered


def internet_account(terrain: Terrain, host: EndSystem, published: Published) -> Account:
    """Look at everything that can come from the Internet."""
    account = Account(host.name)
    account.touched.add(host.name)
    entry = EntryPoint(terrain, LinkEnd(host.name, host.interface.name), host.address.realm, account)
    case = _Case(entry, host, published, {})
    found = entry.inject(entry.everything())
    entry.refute_look_ups(found)
    for visit in found.visits:
        _on_the_way(case, visit)
    for arrival, lost in entry.arrivals(found):
        _arrived(case, arrival, lost)
    _reach(case)
    return account


def _on_the_way(case: _Case, visit: LinkVisit) -> None:
    entry, left = case.entry, visit.passage.left
    entry.enter_flows(visit)
    entry.account.count(Property.INTERNET, len(left.targets))
    where = _WHERE.get(entry.beyond(visit).kind)
    if where is not None:
        reason = f"a packet from the Internet reaches {where}"
        entry.refute(Property.INTERNET, visit.node, reason, left.senders, left.targets)


def _arrived(case: _Case, arrival: Arrival, lost: tuple[Strayed, ...]) -> None:
    entry, account = case.entry, case.entry.account
    stream, name = arrival.stream, arrival.node.name
    whence = sender_sets.origins(stream.senders)
    offered = []
    for each in stream.targets:
        account.count(Property.NOTHING_ELSE, 1)
        if case.published.offers(name, each):
            offered.append(each)
        else:
            entry.refute(
                Property.NOTHING_ELSE,
                name,
                f"{name} receives the packet, though this address and port are not published",
                stream.senders,
                (each,),
            )
    forged = sender_sets.sent_from(stream.senders, without(whence, case.published.abroad))
    account.count(Property.FORGED, 2)
    if forged:
        reason = f"{name} receives the packet with a source that does not exist on the Internet"
        entry.refute(Property.FORGED, name, reason, forged, stream.targets)
    for visit, signers in _errors(case, arrival):
        senders = tuple(Senders(first, last, first, entry.realm) for first, last in signers)
        reason = "an ICMP error about its flow passes with a source that does not exist on the Internet"
        entry.refute(Property.FORGED, visit.node, reason, senders, stream.targets)
    account.count(Property.RETURN_PATH, len(stream.targets))
    entry.refute_replies(lost)
    entry.enter_answered(case.answered, arrival, offered, without(whence, unanswered(lost)))


def _errors(case: _Case, arrival: Arrival) -> Iterator[tuple[LinkVisit, Intervals]]:
    """Yield where errors about a flow pass with sources that do not exist on the Internet, and those sources.

    An error is let in by its destination alone, for any router on the way may have sent it. Where a box does not
    translate the flow's source it leaves an error's as it is, and only the last guard asks for it.
    """
    terrain, sources = case.entry.terrain, EVERY_ADDRESS
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
    entry, own = case.entry, int(case.host.address.ip)
    for (name, ip), port_indices in case.published.port_indices.items():
        for port_index in sorted(port_indices):
            entry.account.count(Property.REACH, 1)
            sources = case.answered.get((entry.start.interface, name, ip, port_index), ())
            if missing := without(case.published.abroad, sources):
                # The lab's own host makes the better example, where it is one.
                first = missing[0][0] if holds(sources, own, own) else own
                entry.refute_reach(name, name, (Senders(first, first, first, entry.realm),), ip, port_index)
