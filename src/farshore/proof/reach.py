"""Reach: every offer, from every address that may use it, by the wire that the tenant's own router takes for it."""

from __future__ import annotations

from ipaddress import IPv4Address

from farshore.fabric.model import EndSystem, LinkEnd
from farshore.proof import senders as sender_sets
from farshore.proof.account import Account, Packets, Property
from farshore.proof.box import Box
from farshore.proof.crossing import Stream, cross
from farshore.proof.expected import Expected
from farshore.proof.intervals import EVERY_PORT, Intervals, holds, without
from farshore.proof.scene import Ground
from farshore.proof.senders import Senders, somebody
from farshore.proof.spread import Terrain
from farshore.proof.targets import Targets
from farshore.proof.ways import routes_of
from farshore.realm import Address
from farshore.walk.routing import Found

# By the wire, the node, the address and the place that were asked for: the sources of which every packet arrived
# and was answered.
Answered = dict[tuple[str, str, int, int], Intervals]

# Of an address, bounds of places and the wire that is taken for them.
Wires = dict[int, list[tuple[int, int, str]]]


def reach(terrain: Terrain, ground: Ground, expected: Expected, account: Account, answered: Answered) -> None:
    """Enter every offer that is not reached by every host, and by every other address that may use it.

    A host that the router does not find reaches nothing: no reply would come to it.
    """
    box = terrain.box(terrain.fabric.nodes[ground.router])
    assert isinstance(box, Box)  # noqa: S101 - hosts stand behind routers
    ways: Wires = {}
    for host in reversed(ground.hosts):
        ways = _ways(box, terrain, host, expected)
        far = terrain.fabric.far_ends[LinkEnd(host.name, host.interface.name)]
        own = expected.hosts.get(host.name, int(host.address.ip)) == int(host.address.ip)
        home = own and far.node == ground.router and _leads_to(box, host, far.interface)
        _reached_by(host, ways if home else {}, expected, account, answered)
    # The router does not ask from whom a packet is: what the first host's takes, everybody's does.
    for offer in expected.offers.values():
        for place in sorted(offer.places):
            wire = _wire(ways, offer.presented, place)
            if wire is None:
                continue  # the hosts have said so already
            missing = without(offer.sources, answered.get((wire, offer.node, offer.presented, place), ()))
            if missing:
                realm = box.realms[wire]
                target = Targets(offer.presented, offer.presented, offer.presented, place, place, realm)
                senders = tuple(Senders(first, last, first, realm) for first, last in missing)
                packets = Packets(LinkEnd(ground.router, wire), senders, (target,))
                account.refute(Property.REACH, packets, offer.node, _unreached(offer.service))


def _reached_by(host: EndSystem, ways: Wires, expected: Expected, account: Account, answered: Answered) -> None:
    start, ip = LinkEnd(host.name, host.interface.name), expected.hosts.get(host.name, int(host.address.ip))
    alone = Address(host.address.realm, IPv4Address(ip))
    for offer in expected.offers.values():
        if not holds(offer.sources, ip, ip):
            continue  # in mode host it is not listed: it may not use anything
        for place in sorted(offer.places):
            account.count(Property.REACH, 1)
            wire = _wire(ways, offer.presented, place)
            sources = answered.get((wire or "", offer.node, offer.presented, place), ())
            if not holds(sources, ip, ip):
                target = Targets(offer.presented, offer.presented, offer.presented, place, place, host.address.realm)
                packets = Packets(start, sender_sets.somebody(alone), (target,))
                account.refute(Property.REACH, packets, offer.node, _unreached(offer.service))


def _ways(box: Box, terrain: Terrain, host: EndSystem, expected: Expected) -> Wires:
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


def _wire(ways: Wires, address: int, place: int) -> str | None:
    return next((wire for low, high, wire in ways.get(address, ()) if low <= place <= high), None)


def _leads_to(router: Box, host: EndSystem, plug: str) -> bool:
    """Tell whether a tenant's router knows the way to a host."""
    ip = int(host.address.ip)
    for stretch in router.ways.over(ip, ip):
        if stretch.entries:
            right, _, found = routes_of(stretch.entries, host.address.realm, ip)
            return found is Found.ROUTE and right is not None and right.interface == plug
    return False


def _unreached(service: str) -> str:
    return f"{service} is not reached, or its reply does not come back"
