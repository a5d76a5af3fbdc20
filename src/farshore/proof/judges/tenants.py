"""What one tenant can do, held against what it should be able to do.

On each of its wires to the provider anything at all is put: every source, every destination, every port. What
comes through is all that anybody on its WAN could ever bring about.
"""

from __future__ import annotations

from dataclasses import dataclass

from farshore.fabric.model import Device, LinkEnd
from farshore.fabric.names import NodeName
from farshore.proof.judges.account import Account, Packets, Property, two_sided_says
from farshore.proof.judges.expected import Expected, Offer
from farshore.proof.judges.flows import prints
from farshore.proof.judges.reach import Answered, reach
from farshore.proof.judges.sources import TenantSite
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets.intervals import Intervals, common, holds, union, without
from farshore.proof.sets.senders import SHARED_BY_ALL, anybody, unlike
from farshore.proof.sets.targets import Targets, anything
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.returning import Clean, Fault, Strayed, strayed, unanswered
from farshore.proof.spread.spread import Arrival, LinkVisit, Spread, Terrain, spread
from farshore.realm import Realm, RealmKind


@dataclass(frozen=True, slots=True)
class _Case:
    """One tenant, looked at."""

    terrain: Terrain
    realm: Realm
    ground: TenantSite
    expected: Expected
    account: Account


def tenant_account(terrain: Terrain, realm: Realm, ground: TenantSite, expected: Expected) -> Account:
    """Look at everything that can come from one tenant's WAN."""
    case = _Case(terrain, realm, ground, expected, Account(expected.tenant))
    case.account.touched.update((ground.router, *(host.name for host in ground.hosts)))
    answered: Answered = {}
    for uplink in ground.uplinks:
        everything = Stream(anybody(realm), anything(realm))
        found = spread(terrain, uplink, everything)
        case.account.met.extend(found.met)
        _plugged(case, uplink, everything)
        _look_ups(case, uplink, found)
        for visit in found.visits:
            _on_the_way(case, uplink, visit)
        clean: Clean = {}
        for arrival in found.arrivals:
            _arrived(case, uplink, arrival, tuple(strayed(terrain, arrival, clean)), answered)
    reach(terrain, ground, expected, case.account, answered)
    return case.account


def _plugged(case: _Case, uplink: LinkEnd, everything: Stream) -> None:
    """See that a wire leads to where its own realm is expected: with equal addresses nothing else would show it."""
    far = case.terrain.fabric.far_ends[uplink]
    there = case.terrain.box(case.terrain.fabric.nodes[far.node]).realms[far.interface]
    case.account.count(Property.ISOLATION, 1)
    if there != case.realm:
        packets = Packets(uplink, everything.senders, everything.targets)
        reason = f"its WAN is plugged in where that of {there.name} belongs"
        case.account.refute(Property.ISOLATION, packets, far.node, reason)


def _look_ups(case: _Case, uplink: LinkEnd, found: Spread) -> None:
    case.account.count(Property.AMBIGUITY, len(found.visits))
    for node, each in found.two_sided:
        packets = Packets(uplink, each.stream.senders, each.stream.targets)
        case.account.refute(Property.AMBIGUITY, packets, node, two_sided_says(each))


def _on_the_way(case: _Case, uplink: LinkEnd, visit: LinkVisit) -> None:
    """Look at the wire that a set of packets leaves by: whose it is, and what may be seen there."""
    account, passage = case.account, visit.passage
    node = case.terrain.fabric.nodes[visit.node]
    if isinstance(node, Device) and node.policy is not None:
        account.prints.extend(prints(visit, node, uplink))
    realm = case.terrain.boxes[visit.node].realms[passage.egress]
    left = passage.left
    for what in (Property.ISOLATION, Property.INTERNET):
        account.count(what, 1)
    account.count(Property.LEAKS, len(left.senders))
    match realm.kind:
        case RealmKind.TENANT:
            what = Property.ISOLATION if realm != case.realm else Property.NOTHING_ELSE
            reason = f"it gets onto the WAN of {realm.name}"
            account.refute(what, Packets(uplink, left.senders, left.targets), visit.node, reason)
            return
        case RealmKind.INTERNET:
            reason = "it goes on to the Internet"
            account.refute(Property.INTERNET, Packets(uplink, left.senders, left.targets), visit.node, reason)
            return
        case RealmKind.LAKE:
            known = case.expected.lake
        case RealmKind.PROVIDER:
            known = case.expected.provider
    for each in left.senders:
        # The second connection of a proxy is the proxy's own.
        if not holds(known, *each.now()) and each.stride != SHARED_BY_ALL:
            reason = f"a source that is none of the tenant's in the {realm.name}'s network leaves there"
            if realm.kind is RealmKind.LAKE:
                reason = "a source that is none of the tenant's in the lake leaves there"
            shown = sender_sets.those_now((each,), without((each.now(),), known))
            account.refute(Property.LEAKS, Packets(uplink, shown, left.targets), visit.node, reason)


def _arrived(case: _Case, uplink: LinkEnd, arrival: Arrival, faults: tuple[Strayed, ...], answered: Answered) -> None:
    """Hold an arrival against what should arrive there; enter what is answered as it should be."""
    account, stream, name = case.account, arrival.stream, arrival.node.name
    whence = sender_sets.origins(stream.senders)
    offer = case.expected.offers.get(name) if arrival.own else None
    account.reach(uplink, name, stream.senders, stream.targets)
    good = []
    for target in stream.targets:
        account.count(Property.NOTHING_ELSE, 1)
        if offer is None or not offer.holds(target):
            _unexpected(case, uplink, stream.senders, target, name)
        else:
            good.append(target)
    if offer is None or not good:
        return
    forged = without(whence, offer.sources)
    account.count(Property.FORGED, 1)
    if forged:
        reason = f"{name} gets it, though its source is none of the tenant's"
        bad = sender_sets.those_once(stream.senders, forged)
        account.refute(Property.FORGED, Packets(uplink, bad, tuple(good)), name, reason)
    account.count(Property.ONE_TO_ONE, 1)
    if strangers := unlike(stream.senders, offer.seen):
        reason = f"{name} sees another source than the plan has it: who sent it would be answered wrongly"
        account.refute(Property.ONE_TO_ONE, Packets(uplink, strangers, tuple(good)), name, reason)
    for fault in faults:
        _lost(case, uplink, fault)
    account.count(Property.RETURN_PATH, len(good))
    if not any(visit.passage.doubtful for visit in arrival.path):
        # By a route that may be the wrong one nothing is sure to come.
        sources = without(common(whence, offer.sources), unanswered(faults))
        _enter(answered, uplink, arrival, good, sources)


def _unexpected(
    case: _Case, uplink: LinkEnd, senders: tuple[sender_sets.Senders, ...], target: Targets, node: NodeName
) -> None:
    owner = case.terrain.fabric.nodes[node].interfaces[0].realm
    offer = case.expected.offers.get(node)
    wrong = (target,) if offer is None else _beyond(offer, target)
    if owner.kind is RealmKind.TENANT and owner != case.realm:
        what = Property.ISOLATION
    elif owner.kind is RealmKind.INTERNET:
        what = Property.INTERNET
    else:
        what = Property.NOTHING_ELSE
    reason = f"{node} gets it, which is nothing for the tenant"
    case.account.refute(what, Packets(uplink, senders, wrong), node, reason)


def _beyond(offer: Offer, target: Targets) -> tuple[Targets, ...]:
    """Return the part of a target that is not what the offer says, a smallest packet of it at least."""
    if target.first != target.last or target.first != offer.presented:
        first = target.first if target.first != offer.presented else target.first + 1
        return (target._replace(first=first, at=target.at + first - target.first),)
    port_index = next(
        (port_index for port_index in range(target.low, target.high + 1) if port_index not in offer.port_indices),
        target.low,
    )
    return (target._replace(low=port_index, high=port_index),)


def _enter(answered: Answered, uplink: LinkEnd, arrival: Arrival, targets: list[Targets], sources: Intervals) -> None:
    for target in targets:
        for port_index in arrival.heard(target):
            key = (uplink.interface, arrival.node.name, target.first, port_index)
            before = answered.get(key)
            answered[key] = sources if before is None else union((*before, *sources))


def _lost(case: _Case, uplink: LinkEnd, fault: Strayed) -> None:
    reason = f"{fault.fault}, at {fault.node}"
    what = Property.AMBIGUITY if fault.fault is Fault.TWO_SIDED else Property.RETURN_PATH
    case.account.refute(what, Packets(uplink, fault.senders, fault.targets), fault.node, reason)
