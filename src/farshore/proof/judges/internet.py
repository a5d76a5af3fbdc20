"""What can come from the Internet, held against what is published to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from farshore.fabric.model import Device, Direction, EndSystem, LinkEnd
from farshore.fabric.names import NodeName
from farshore.proof.judges.account import Account, Packets, Property, two_sided_says
from farshore.proof.judges.expected import Published
from farshore.proof.judges.flows import prints
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets.intervals import EVERY_ADDRESS, Intervals, common, holds, union, without
from farshore.proof.sets.senders import Senders, anybody
from farshore.proof.sets.targets import Targets, anything
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.returning import Clean, Fault, Strayed, strayed, unanswered
from farshore.proof.spread.spread import Arrival, LinkVisit, Terrain, spread
from farshore.proof.spread.tables import DeviceTables
from farshore.realm import RealmKind

_WHERE = {RealmKind.TENANT: "onto a tenant's WAN", RealmKind.LAKE: "into the lake"}


@dataclass(frozen=True, slots=True)
class _Case:
    """The Internet, looked at. ``answered`` are the sources that reach a node, address and place, and are answered."""

    terrain: Terrain
    host: EndSystem
    published: Published
    account: Account
    answered: dict[tuple[NodeName, int, int], Intervals]

    @property
    def start(self) -> LinkEnd:
        return LinkEnd(self.host.name, self.host.interface.name)


def internet_account(terrain: Terrain, host: EndSystem, published: Published) -> Account:
    """Look at everything that can come from the Internet."""
    case = _Case(terrain, host, published, Account(host.name), {})
    case.account.touched.add(host.name)
    found = spread(terrain, case.start, Stream(anybody(host.address.realm), anything(host.address.realm)))
    case.account.met.extend(found.met)
    for node, each in found.two_sided:
        packets = Packets(case.start, each.stream.senders, each.stream.targets)
        case.account.refute(Property.AMBIGUITY, packets, node, two_sided_says(each))
    for visit in found.visits:
        _on_the_way(case, visit)
    clean: Clean = {}
    for arrival in found.arrivals:
        _arrived(case, arrival, tuple(strayed(terrain, arrival, clean)))
    _reach(case)
    return case.account


def _on_the_way(case: _Case, visit: LinkVisit) -> None:
    node, left = case.terrain.fabric.nodes[visit.node], visit.passage.left
    if isinstance(node, Device) and node.policy is not None:
        case.account.prints.extend(prints(visit, node, case.start))
    realm = case.terrain.boxes[visit.node].realms[visit.passage.egress]
    case.account.count(Property.INTERNET, len(left.targets))
    if realm.kind in _WHERE:
        packets = Packets(case.start, left.senders, left.targets)
        reason = f"what comes from the Internet gets {_WHERE[realm.kind]}"
        case.account.refute(Property.INTERNET, packets, visit.node, reason)


def _arrived(case: _Case, arrival: Arrival, faults: tuple[Strayed, ...]) -> None:
    account, stream, name = case.account, arrival.stream, arrival.node.name
    account.reach(case.start, name, stream.senders, stream.targets)
    whence = sender_sets.origins(stream.senders)
    for each in stream.targets:
        account.count(Property.NOTHING_ELSE, 1)
        if not case.published.offers(name, each):
            packets = Packets(case.start, stream.senders, (each,))
            account.refute(Property.NOTHING_ELSE, packets, name, f"{name} gets it, which is not published")
    forged = sender_sets.those_once(stream.senders, without(whence, case.published.abroad))
    account.count(Property.FORGED, 1)
    if forged:
        packets = Packets(case.start, forged, stream.targets)
        account.refute(Property.FORGED, packets, name, f"{name} gets it, with a source that the Internet has not")
    account.count(Property.FORGED, 1)
    for visit, signers in _errors(case, arrival):
        packets = Packets(
            case.start, tuple(Senders(a, b, a, case.host.address.realm) for a, b in signers), stream.targets
        )
        reason = "an ICMP error about its flow gets on with a source that the Internet has not"
        account.refute(Property.FORGED, packets, visit.node, reason)
    account.count(Property.RETURN_PATH, len(stream.targets))
    for fault in faults:
        what = Property.AMBIGUITY if fault.fault is Fault.TWO_SIDED else Property.RETURN_PATH
        packets = Packets(case.start, fault.senders, fault.targets)
        account.refute(what, packets, fault.node, f"{fault.fault}, at {fault.node}")
    if any(visit.passage.doubtful for visit in arrival.path):
        return
    sources = without(whence, unanswered(faults))
    for each in stream.targets:
        for port_index in arrival.heard(each) if case.published.offers(name, each) else ():
            key = (name, each.first, port_index)
            case.answered[key] = union((*case.answered.get(key, ()), *sources))


def _errors(case: _Case, arrival: Arrival) -> Iterator[tuple[LinkVisit, Intervals]]:
    """Yield where errors about a flow get on with sources that the Internet has not, and those sources.

    An error is let in by its destination alone, for any router on the way may have sent it. Where a box does not
    translate the flow's source it leaves an error's as it is, and only the last guard asks for it.
    """
    sources = EVERY_ADDRESS
    for visit in arrival.path:
        box = case.terrain.box(case.terrain.fabric.nodes[visit.node])
        came, went = ({each.realm for each in s.senders} for s in (visit.passage.arrived, visit.passage.left))
        if not isinstance(box, DeviceTables) or not came & went:
            return
        guard = box.guard(visit.passage.egress, Direction.OUT)
        sources = sources if guard is None else common(sources, guard.sources)
        if beyond := without(sources, case.published.abroad):
            yield visit, beyond
            return


def _reach(case: _Case) -> None:
    for (name, ip), port_indices in case.published.port_indices.items():
        for port_index in sorted(port_indices):
            case.account.count(Property.REACH, 1)
            sources = case.answered.get((name, ip, port_index), ())
            if missing := without(case.published.abroad, sources):
                own, realm = int(case.host.address.ip), case.host.address.realm
                # The lab's own host makes the better example, where it is one.
                first = missing[0][0] if holds(sources, own, own) else own
                target = Targets(ip, ip, ip, port_index, port_index, realm)
                packets = Packets(case.start, (Senders(first, first, first, realm),), (target,))
                reason = f"{name} is not reached, or its reply does not come back"
                case.account.refute(Property.REACH, packets, name, reason)
