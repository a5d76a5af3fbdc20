"""What can come from the provider's own hosts, held against whom they may call.

From the wire of each of them comes anything at all. Among themselves they do as they like; what gets onto a
tenant's WAN must be a call that the intent allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farshore.fabric.model import Device, EndSystem, LinkEnd
from farshore.fabric.names import NodeName
from farshore.proof.judges.account import Account, Packets, Property, two_sided_says
from farshore.proof.judges.expected import Calls, Expected
from farshore.proof.judges.flows import prints
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets.intervals import EVERY_PORT, Intervals, holds, union, without
from farshore.proof.sets.senders import Senders, anybody
from farshore.proof.sets.targets import Targets, anything
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.returning import Clean, Fault, Strayed, strayed
from farshore.proof.spread.spread import Arrival, LinkVisit, Spread, Terrain, spread
from farshore.realm import LAKE, PROVIDER, RealmKind

# For a node and the address that was called: the places at which it answers.
_Answered = dict[tuple[NodeName, int], set[int]]


@dataclass(frozen=True, slots=True)
class _Case:
    """One host of the provider, looked at. ``callers`` are the addresses that may call, ``tenants`` whom they may."""

    terrain: Terrain
    host: EndSystem
    callers: Intervals
    tenants: Mapping[str, Expected]
    account: Account

    @property
    def start(self) -> LinkEnd:
        return LinkEnd(self.host.name, self.host.interface.name)


def provider_account(
    terrain: Terrain, host: EndSystem, callers: Mapping[NodeName, int], tenants: Mapping[str, Expected]
) -> Account:
    """Look at everything that can come from the wire of one of the provider's hosts, and at its own calls."""
    calling = union((ip, ip) for ip in callers.values())
    case = _Case(terrain, host, calling, tenants, Account(host.name))
    case.account.touched.add(host.name)
    everything = Stream(anybody(host.address.realm), anything(host.address.realm))
    found = spread(terrain, case.start, everything)
    case.account.met.extend(found.met)
    for visit in found.visits:
        _on_the_way(case, visit)
    if host.name in callers:
        _own_calls(case, callers[host.name])
    return case.account


def _on_the_way(case: _Case, visit: LinkVisit) -> None:
    left = visit.passage.left
    realm = case.terrain.boxes[visit.node].realms[visit.passage.egress]
    packets = Packets(case.start, left.senders, left.targets)
    for what in (Property.NOTHING_ELSE, Property.INTERNET):
        case.account.count(what, 1)
    if realm.kind is RealmKind.INTERNET:
        case.account.refute(Property.INTERNET, packets, visit.node, "it goes on to the Internet")
    if realm.kind is not RealmKind.TENANT:
        return
    expected = case.tenants.get(realm.name)
    if expected is None or expected.calls is None:
        reason = f"it gets onto the WAN of {realm.name}, which nobody may call"
        case.account.refute(Property.NOTHING_ELSE, packets, visit.node, reason)
    else:
        _called(case, visit, expected, expected.calls)


def _called(case: _Case, visit: LinkVisit, expected: Expected, calls: Calls) -> None:
    """Hold what gets onto the WAN of a tenant that may be called against what may be called there."""
    account, left = case.account, visit.passage.left
    wan = f"the WAN of {expected.tenant}"
    forged = without(sender_sets.origins(left.senders), case.callers)
    if forged:
        bad = Packets(case.start, sender_sets.those_once(left.senders, forged), left.targets)
        account.refute(Property.FORGED, bad, visit.node, f"it gets onto {wan} with a source that may not call")
    for each in left.targets:
        here = holds(calls.dialled, each.first, each.last) and holds(expected.carried, each.at, each.end)
        if not here or not calls.offers(each.low, each.high):
            packets = Packets(case.start, left.senders, (each,))
            account.refute(
                Property.NOTHING_ELSE, packets, visit.node, f"it gets onto {wan}, which may not be called so"
            )
        elif not calls.means(each):
            packets = Packets(case.start, left.senders, (each,))
            account.refute(Property.NOTHING_ELSE, packets, visit.node, f"it gets onto {wan} for another than is called")
    account.count(Property.LEAKS, len(left.senders))
    for sender in left.senders:
        unknown = without((sender.now(),), calls.shown)
        if unknown:
            shown = Packets(case.start, sender_sets.those_now((sender,), unknown), left.targets)
            account.refute(Property.LEAKS, shown, visit.node, f"{wan} sees a source that is not presented to it")


def _own_calls(case: _Case, address: int) -> None:
    """Look at the calls that the host makes from its own address: whom they reach, and whether they are answered."""
    alone = (Senders(address, address, address, case.host.address.realm),)
    targets = tuple(
        Targets(first, last, first, *EVERY_PORT, PROVIDER if expected.calls.again else LAKE)
        for expected in case.tenants.values()
        if expected.calls is not None
        for first, last in expected.calls.dialled
    )
    found = spread(case.terrain, case.start, Stream(alone, targets))
    for node, each in found.two_sided:
        packets = Packets(case.start, each.stream.senders, each.stream.targets)
        case.account.refute(Property.AMBIGUITY, packets, node, two_sided_says(each))
    for visit in found.visits:
        box = case.terrain.fabric.nodes[visit.node]
        if isinstance(box, Device) and box.policy is not None:
            case.account.prints.extend(prints(visit, box, case.start))
    answered: _Answered = {}
    clean: Clean = {}
    for arrival in found.arrivals:
        if arrival.node.address.realm.kind is RealmKind.TENANT and arrival.own:
            _answered(case, arrival, answered, tuple(strayed(case.terrain, arrival, clean)))
    if address != int(case.host.address.ip):
        answered = {}  # the replies are for somebody else
    for expected in case.tenants.values():
        if expected.calls is not None:
            _reach(case, expected.calls, alone, answered)
            _carried(case, expected, alone, found)


def _answered(case: _Case, arrival: Arrival, answered: _Answered, faults: tuple[Strayed, ...]) -> None:
    account, name, stream = case.account, arrival.node.name, arrival.stream
    for fault in faults:
        what = Property.AMBIGUITY if fault.fault is Fault.TWO_SIDED else Property.RETURN_PATH
        packets = Packets(case.start, fault.senders, fault.targets)
        account.refute(what, packets, fault.node, f"{fault.fault}, at {fault.node}")
    account.reach(case.start, name, stream.senders, stream.targets)
    for each in stream.targets:
        account.count(Property.RETURN_PATH, 1)
        if not faults and not any(visit.passage.doubtful for visit in arrival.path):
            answered.setdefault((name, each.first), set()).update(arrival.heard(each))


def _reach(case: _Case, calls: Calls, alone: tuple[Senders, ...], answered: _Answered) -> None:
    for name, dialled in calls.hosts.items():
        for port_index in sorted(calls.port_indices):
            case.account.count(Property.REACH, 1)
            if port_index not in answered.get((name, dialled), ()):
                target = Targets(dialled, dialled, dialled, port_index, port_index, case.host.address.realm)
                packets = Packets(case.start, alone, (target,))
                reason = f"{name} is not reached, or its reply does not come back"
                case.account.refute(Property.REACH, packets, name, reason)


def _carried(case: _Case, expected: Expected, alone: tuple[Senders, ...], found: Spread) -> None:
    """Hold what gets onto a tenant's WAN against all that may be called there, whether a host has a name or not."""
    calls = expected.calls
    assert calls is not None  # noqa: S101 - the caller has looked
    there = [
        target
        for visit in found.visits
        if case.terrain.boxes[visit.node].realms[visit.passage.egress].name == expected.tenant
        and not visit.passage.doubtful
        for target in visit.passage.left.targets
    ]
    for port_index in sorted(calls.port_indices):
        case.account.count(Property.REACH, 1)
        carried = union((each.first, each.last) for each in there if each.low <= port_index <= each.high)
        for first, last in without(calls.dialled, carried):
            target = Targets(first, last, first, port_index, port_index, case.host.address.realm)
            reason = f"the WAN of {expected.tenant} is not reached there"
            case.account.refute(Property.REACH, Packets(case.start, alone, (target,)), expected.tenant, reason)
