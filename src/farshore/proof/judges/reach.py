"""Reach: every offer, from every address that may use it, by the wire that the tenant's own router takes for it."""

from __future__ import annotations

from ipaddress import IPv4Address

from farshore.fabric.model import EndSystem, LinkEnd
from farshore.fabric.names import NodeName
from farshore.proof.judges.account import Account, Packets, Property
from farshore.proof.judges.expected import Expected
from farshore.proof.judges.sources import TenantSite
from farshore.proof.sets import senders as sender_sets
from farshore.proof.sets.intervals import EVERY_PORT, Intervals, holds, without
from farshore.proof.sets.senders import Senders, somebody
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.crossing import Stream, cross
from farshore.proof.spread.passages import routes_of
from farshore.proof.spread.spread import Terrain
from farshore.proof.spread.tables import DeviceTables
from farshore.realm import Address
from farshore.semantics.routing import Found

# By the wire, the node, the address and the place that were asked for: the sources of which every packet arrived
# and was answered.
Answered = dict[tuple[str, NodeName, int, int], Intervals]

# Of an address, bounds of places and the wire that is taken for them.
Wires = dict[int, list[tuple[int, int, str]]]


def reach(terrain: Terrain, ground: TenantSite, expected: Expected, account: Account, answered: Answered) -> None:
    """Enter every offer that is not reached by every host, and by every other address that may use it.

    A host that the router does not find reaches nothing: no reply would come to it.
    """
    box = terrain.box(terrain.fabric.nodes[ground.router])
    assert isinstance(box, DeviceTables)  # noqa: S101 - hosts stand behind routers
    passages: Wires = {}
    for host in reversed(ground.hosts):
        passages = _ways(box, terrain, host, expected)
        far = terrain.fabric.far_ends[LinkEnd(host.name, host.interface.name)]
        own = expected.hosts.get(host.name, int(host.address.ip)) == int(host.address.ip)
        home = own and far.node == ground.router and _leads_to(box, host, far.interface)
        _reached_by(host, passages if home else {}, expected, account, answered)
    # The router does not ask from whom a packet is: what the first host's takes, everybody's does.
    for offer in expected.offers.values():
        for port_index in sorted(offer.port_indices):
            wire = _wire(passages, offer.presented, port_index)
            if wire is None:
                continue  # the hosts have said so already
            missing = without(offer.sources, answered.get((wire, offer.node, offer.presented, port_index), ()))
            if missing:
                realm = box.realms[wire]
                target = Targets(offer.presented, offer.presented, offer.presented, port_index, port_index, realm)
                senders = tuple(Senders(first, last, first, realm) for first, last in missing)
                packets = Packets(LinkEnd(ground.router, wire), senders, (target,))
                account.refute(Property.REACH, packets, offer.node, _unreached(offer.service))


def _reached_by(host: EndSystem, passages: Wires, expected: Expected, account: Account, answered: Answered) -> None:
    start, ip = LinkEnd(host.name, host.interface.name), expected.hosts.get(host.name, int(host.address.ip))
    alone = Address(host.address.realm, IPv4Address(ip))
    for offer in expected.offers.values():
        if not holds(offer.sources, ip, ip):
            continue  # in mode host it is not listed: it may not use anything
        for port_index in sorted(offer.port_indices):
            account.count(Property.REACH, 1)
            wire = _wire(passages, offer.presented, port_index)
            sources = answered.get((wire or "", offer.node, offer.presented, port_index), ())
            if not holds(sources, ip, ip):
                target = Targets(
                    offer.presented, offer.presented, offer.presented, port_index, port_index, host.address.realm
                )
                packets = Packets(start, sender_sets.somebody(alone), (target,))
                account.refute(Property.REACH, packets, offer.node, _unreached(offer.service))


def _ways(box: DeviceTables, terrain: Terrain, host: EndSystem, expected: Expected) -> Wires:
    """Return the wires that the router takes for what a host sends to the offers."""
    realm = host.address.realm
    asked = tuple(Targets(o.presented, o.presented, o.presented, *EVERY_PORT, realm) for o in expected.offers.values())
    found: Wires = {}
    far = terrain.fabric.far_ends[LinkEnd(host.name, host.interface.name)]
    if far.node != box.device.name:
        return found
    plug = far.interface
    for passage in cross(box, plug, Stream(somebody(host.address), asked)).passages:
        for target in passage.left.targets if not passage.doubtful else ():
            found.setdefault(target.first, []).append((target.low, target.high, passage.egress))
    return found


def _wire(passages: Wires, address: int, port_index: int) -> str | None:
    return next((wire for low, high, wire in passages.get(address, ()) if low <= port_index <= high), None)


def _leads_to(router: DeviceTables, host: EndSystem, plug: str) -> bool:
    """Tell whether a tenant's router knows the way to a host."""
    ip = int(host.address.ip)
    for stretch in router.passages.over(ip, ip):
        if stretch.entries:
            right, _, found = routes_of(stretch.entries, host.address.realm, ip)
            return found is Found.ROUTE and right is not None and right.interface == plug
    return False


def _unreached(service: str) -> str:
    return f"{service} is not reached, or its reply does not come back"
