"""Packets from one tenant, compared with what the intent permits.

Every possible packet is injected on each of its links to the provider: every source, every destination, every port.
What comes through is all that the senders on its WAN can ever bring about.
"""

from __future__ import annotations

from dataclasses import dataclass

from farshore.fabric.names import NodeName
from farshore.proof.judges.account import Account, Property
from farshore.proof.judges.expected import Expected, Offer
from farshore.proof.judges.reach import reach
from farshore.proof.judges.sources import Answered, EntryPoint, TenantSite
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets.intervals import common, holds, without
from farshore.proof.sets.senders import SHARED_BY_ALL, Senders, unlike
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.returning import Strayed, unanswered
from farshore.proof.spread.spread import Arrival, LinkVisit, Terrain
from farshore.realm import Realm, RealmKind


@dataclass(frozen=True, slots=True)
class _Case:
    """One uplink of a tenant, looked at."""

    entry: EntryPoint
    expected: Expected
    answered: Answered


def tenant_account(terrain: Terrain, realm: Realm, site: TenantSite, expected: Expected) -> Account:
    """Look at everything that can come from one tenant's WAN."""
    account = Account(expected.tenant)
    account.touched.update((site.router, *(host.name for host in site.hosts)))
    answered: Answered = {}
    for uplink in site.uplinks:
        entry = EntryPoint(terrain, uplink, realm, account)
        case, everything = _Case(entry, expected, answered), entry.everything()
        found = entry.inject(everything)
        _cabled(entry, everything)
        account.count(Property.AMBIGUITY, len(found.visits))
        entry.refute_look_ups(found)
        for visit in found.visits:
            _on_the_way(case, visit)
        for arrival, lost in entry.arrivals(found):
            _arrived(case, arrival, lost)
    reach(terrain, site, expected, account, answered)
    return account


def _cabled(entry: EntryPoint, everything: Stream) -> None:
    """See that an uplink leads to where its own realm is expected: with equal addresses nothing else would show it."""
    far = entry.terrain.fabric.far_ends[entry.start]
    there = entry.terrain.box(entry.terrain.fabric.nodes[far.node]).realms[far.interface]
    entry.account.count(Property.ISOLATION, 1)
    if there != entry.realm:
        reason = f"its WAN is connected to the interface of {there.name}"
        entry.refute(Property.ISOLATION, far.node, reason, everything.senders, everything.targets)


def _on_the_way(case: _Case, visit: LinkVisit) -> None:
    """Look at the link that a set of packets leaves by: its realm, and the sources that may be seen there."""
    entry, account, left = case.entry, case.entry.account, visit.passage.left
    entry.enter_flows(visit)
    realm = entry.beyond(visit)
    for what in (Property.ISOLATION, Property.INTERNET):
        account.count(what, 1)
    account.count(Property.LEAKS, len(left.senders))
    match realm.kind:
        case RealmKind.TENANT:
            what = Property.ISOLATION if realm != entry.realm else Property.NOTHING_ELSE
            reason = f"the packet reaches the WAN of {realm.name}"
            entry.refute(what, visit.node, reason, left.senders, left.targets)
            return
        case RealmKind.INTERNET:
            reason = "the packet leaves to the Internet"
            entry.refute(Property.INTERNET, visit.node, reason, left.senders, left.targets)
            return
        case RealmKind.LAKE:
            known = case.expected.lake
        case RealmKind.PROVIDER:
            known = case.expected.provider
    for each in left.senders:
        # The second connection of a proxy is the proxy's own.
        if not holds(known, *each.now()) and each.stride != SHARED_BY_ALL:
            where = "lake" if realm.kind is RealmKind.LAKE else f"{realm.name}'s network"
            reason = f"the packet leaves with a source that the tenant does not have in the {where}"
            shown = sender_sets.now_at((each,), without((each.now(),), known))
            entry.refute(Property.LEAKS, visit.node, reason, shown, left.targets)


def _arrived(case: _Case, arrival: Arrival, lost: tuple[Strayed, ...]) -> None:
    """Hold an arrival against what should arrive there; enter what is answered as it should be."""
    entry, account = case.entry, case.entry.account
    stream, name = arrival.stream, arrival.node.name
    whence = sender_sets.origins(stream.senders)
    offer = case.expected.offers.get(name) if arrival.own else None
    good = []
    for target in stream.targets:
        account.count(Property.NOTHING_ELSE, 1)
        if offer is None or not offer.holds(target):
            _unexpected(case, stream.senders, target, name)
        else:
            good.append(target)
    if offer is None or not good:
        return
    forged = without(whence, offer.sources)
    account.count(Property.FORGED, 1)
    if forged:
        reason = f"{name} receives the packet with a source that is not an address of the tenant"
        entry.refute(Property.FORGED, name, reason, sender_sets.sent_from(stream.senders, forged), tuple(good))
    account.count(Property.ONE_TO_ONE, 1)
    if strangers := unlike(stream.senders, offer.seen):
        reason = f"{name} sees another source than the planned one, so that the reply goes to the wrong host"
        entry.refute(Property.ONE_TO_ONE, name, reason, strangers, tuple(good))
    entry.refute_replies(lost)
    account.count(Property.RETURN_PATH, len(good))
    entry.enter_answered(case.answered, arrival, good, without(common(whence, offer.sources), unanswered(lost)))


def _unexpected(case: _Case, senders: tuple[Senders, ...], target: Targets, node: NodeName) -> None:
    owner = case.entry.terrain.fabric.nodes[node].interfaces[0].realm
    offer = case.expected.offers.get(node)
    wrong = (target,) if offer is None else _beyond(offer, target)
    if owner.kind is RealmKind.TENANT and owner != case.entry.realm:
        what = Property.ISOLATION
    elif owner.kind is RealmKind.INTERNET:
        what = Property.INTERNET
    else:
        what = Property.NOTHING_ELSE
    case.entry.refute(what, node, f"{node} receives the packet, which the tenant may not send it", senders, wrong)


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
