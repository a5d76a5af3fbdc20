"""Packets from the provider's hosts, compared with the calls to tenants that the intent permits.

Every possible packet is injected on the link of each of them. Among themselves they do as they like; what reaches a
tenant's WAN must be a call that the intent allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farshore.fabric.model import EndSystem
from farshore.fabric.names import LinkEnd, NodeName
from farshore.proof.judges.account import Account, Property
from farshore.proof.judges.expected import Calls, Expected
from farshore.proof.judges.sources import Answered, EntryPoint
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets.intervals import EVERY_PORT, Intervals, holds, union, without
from farshore.proof.sets.senders import Senders
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.returning import unanswered
from farshore.proof.spread.spread import Arrival, LinkVisit, Spread, Terrain
from farshore.realm import LAKE, PROVIDER, RealmKind


@dataclass(frozen=True, slots=True)
class _Case:
    """One host of the provider, looked at. ``callers`` are the addresses that may call ``tenants``."""

    entry: EntryPoint
    host: EndSystem
    callers: Intervals
    tenants: Mapping[str, Expected]


def provider_account(
    terrain: Terrain, host: EndSystem, callers: Mapping[NodeName, int], tenants: Mapping[str, Expected]
) -> Account:
    """Look at everything that can come from the link of one of the provider's hosts, and at its own calls."""
    account = Account(host.name)
    account.touched.add(host.name)
    entry = EntryPoint(terrain, LinkEnd(host.name, host.interface.name), host.address.realm, account)
    case = _Case(entry, host, union((ip, ip) for ip in callers.values()), tenants)
    for visit in entry.inject(entry.everything()).visits:
        _on_the_way(case, visit)
    if host.name in callers:
        _own_calls(case, callers[host.name])
    return account


def _on_the_way(case: _Case, visit: LinkVisit) -> None:
    entry, left, realm = case.entry, visit.passage.left, case.entry.beyond(visit)
    for what in (Property.NOTHING_ELSE, Property.INTERNET):
        entry.account.count(what, 1)
    if realm.kind is RealmKind.INTERNET:
        entry.refute(Property.INTERNET, visit.node, "the packet leaves to the Internet", left.senders, left.targets)
    if realm.kind is not RealmKind.TENANT:
        return
    expected = case.tenants.get(realm.name)
    if expected is None or expected.calls is None:
        reason = f"the packet reaches the WAN of {realm.name}, which no host may call"
        entry.refute(Property.NOTHING_ELSE, visit.node, reason, left.senders, left.targets)
    else:
        _called(case, visit, expected, expected.calls)


def _called(case: _Case, visit: LinkVisit, expected: Expected, calls: Calls) -> None:
    """Hold what reaches the WAN of a tenant that may be called against what may be called there."""
    entry, left = case.entry, visit.passage.left
    wan = f"the WAN of {expected.tenant}"
    forged = without(sender_sets.origins(left.senders), case.callers)
    if forged:
        reason = f"the packet reaches {wan} with a source that may not call"
        entry.refute(Property.FORGED, visit.node, reason, sender_sets.sent_from(left.senders, forged), left.targets)
    for each in left.targets:
        here = holds(calls.dialled, each.first, each.last) and holds(expected.carried, each.at, each.end)
        if not here or not calls.offers(each.low, each.high):
            reason = f"the packet reaches {wan} at an address or port that may not be called"
            entry.refute(Property.NOTHING_ELSE, visit.node, reason, left.senders, (each,))
        elif not calls.means(each):
            reason = f"the packet reaches {wan} for another host than the one called"
            entry.refute(Property.NOTHING_ELSE, visit.node, reason, left.senders, (each,))
    entry.account.count(Property.LEAKS, len(left.senders))
    for sender in left.senders:
        unknown = without((sender.now(),), calls.shown)
        if unknown:
            reason = f"{wan} sees a source that is not presented to it"
            entry.refute(Property.LEAKS, visit.node, reason, sender_sets.now_at((sender,), unknown), left.targets)


def _own_calls(case: _Case, address: int) -> None:
    """Look at the calls that the host makes from its own address: what they reach, and whether they are answered."""
    entry = case.entry
    alone = (Senders(address, address, address, entry.realm),)
    targets = tuple(
        Targets(first, last, first, *EVERY_PORT, PROVIDER if expected.calls.again else LAKE)
        for expected in case.tenants.values()
        if expected.calls is not None
        for first, last in expected.calls.dialled
    )
    found = entry.inject(Stream(alone, targets))
    entry.refute_look_ups(found)
    for visit in found.visits:
        entry.enter_flows(visit)
    answered: Answered = {}
    for arrival, lost in entry.arrivals(found, _at_a_tenants_host):
        entry.refute_replies(lost)
        entry.account.count(Property.RETURN_PATH, len(arrival.stream.targets))
        sources = without(sender_sets.origins(alone), unanswered(lost))
        entry.enter_answered(answered, arrival, arrival.stream.targets, sources)
    if address != int(case.host.address.ip):
        answered = {}  # the replies go to another host
    for expected in case.tenants.values():
        if expected.calls is not None:
            _reach(entry, expected.calls, alone, answered)
            _carried(entry, expected.tenant, expected.calls, alone, found)


def _at_a_tenants_host(arrival: Arrival) -> bool:
    return arrival.node.address.realm.kind is RealmKind.TENANT and arrival.own


def _reach(entry: EntryPoint, calls: Calls, alone: tuple[Senders, ...], answered: Answered) -> None:
    for name, dialled in calls.hosts.items():
        for port_index in sorted(calls.port_indices):
            entry.account.count(Property.REACH, 1)
            if not answered.get((entry.start.interface, name, dialled, port_index)):
                entry.refute_reach(name, name, alone, dialled, port_index)


def _carried(entry: EntryPoint, tenant: str, calls: Calls, alone: tuple[Senders, ...], found: Spread) -> None:
    """Hold what reaches a tenant's WAN against all that may be called there, whether a host has a name or not."""
    there = [
        target
        for visit in found.visits
        if entry.beyond(visit).name == tenant and not visit.passage.doubtful
        for target in visit.passage.left.targets
    ]
    for port_index in sorted(calls.port_indices):
        entry.account.count(Property.REACH, 1)
        carried = union((each.first, each.last) for each in there if each.low <= port_index <= each.high)
        for first, last in without(calls.dialled, carried):
            target = Targets(first, last, first, port_index, port_index, entry.realm)
            reason = f"the WAN of {tenant} is not reached at this address"
            entry.refute(Property.REACH, tenant, reason, alone, (target,))
