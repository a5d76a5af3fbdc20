"""Reach: every offer, from every address that may use it, by the link of the tenant's router for it."""

from __future__ import annotations

from ipaddress import IPv4Address

from farshore.fabric.model import EndSystem
from farshore.fabric.names import LinkEnd
from farshore.proof.judges.account import Account, Property
from farshore.proof.judges.expected import Expected
from farshore.proof.judges.sources import Answered, EntryPoint, TenantSite
from farshore.proof.sets.intervals import EVERY_PORT, holds, without
from farshore.proof.sets.senders import Senders, one_source
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.crossing import Stream, cross
from farshore.proof.spread.passages import routes_of
from farshore.proof.spread.spread import Terrain
from farshore.proof.spread.tables import DeviceTables
from farshore.realm import Address
from farshore.semantics.routing import Found

# For an address: bounds of port indices, and the uplink that the router takes for them.
_Ways = dict[int, list[tuple[int, int, LinkEnd]]]


def reach(terrain: Terrain, site: TenantSite, expected: Expected, account: Account, answered: Answered) -> None:
    """Refute every offer that is not reached by every host, and by every other address that may use it.

    A host that the router does not find reaches nothing: no reply would come to it.
    """
    box = terrain.box(terrain.fabric.nodes[site.router])
    assert isinstance(box, DeviceTables)  # noqa: S101 - hosts stand behind routers
    ways: _Ways = {}
    for host in reversed(site.hosts):
        ways = _ways(box, terrain, host, expected)
        start = LinkEnd(host.name, host.interface.name)
        far = terrain.fabric.far_ends[start]
        own = expected.hosts.get(host.name, int(host.address.ip)) == int(host.address.ip)
        home = own and far.node == site.router and _leads_to(box, host, far.interface)
        entry = EntryPoint(terrain, start, host.address.realm, account)
        _reached_by(entry, host, ways if home else {}, expected, answered)
    # The router does not look at sources: packets from all addresses take the uplinks of the first host's.
    for offer in expected.offers.values():
        for port_index in sorted(offer.port_indices):
            uplink = _uplink(ways, offer.presented, port_index)
            if uplink is None:
                continue  # refuted for the hosts already
            missing = without(
                offer.sources, answered.get((uplink.interface, offer.node, offer.presented, port_index), ())
            )
            if missing:
                entry = EntryPoint(terrain, uplink, box.realms[uplink.interface], account)
                senders = tuple(Senders(first, last, first, entry.realm) for first, last in missing)
                entry.refute_reach(offer.node, offer.service, senders, offer.presented, port_index)


def _reached_by(entry: EntryPoint, host: EndSystem, ways: _Ways, expected: Expected, answered: Answered) -> None:
    ip = expected.hosts.get(host.name, int(host.address.ip))
    alone = one_source(Address(entry.realm, IPv4Address(ip)))
    for offer in expected.offers.values():
        if not holds(offer.sources, ip, ip):
            continue  # in mode host it is not listed: it may not use anything
        for port_index in sorted(offer.port_indices):
            entry.account.count(Property.REACH, 1)
            uplink = _uplink(ways, offer.presented, port_index)
            if uplink is None or not holds(
                answered.get((uplink.interface, offer.node, offer.presented, port_index), ()), ip, ip
            ):
                entry.refute_reach(offer.node, offer.service, alone, offer.presented, port_index)


def _ways(box: DeviceTables, terrain: Terrain, host: EndSystem, expected: Expected) -> _Ways:
    """Return the uplinks that the router takes for what a host sends to the offers."""
    realm = host.address.realm
    asked = tuple(Targets(o.presented, o.presented, o.presented, *EVERY_PORT, realm) for o in expected.offers.values())
    found: _Ways = {}
    far = terrain.fabric.far_ends[LinkEnd(host.name, host.interface.name)]
    if far.node != box.device.name:
        return found
    for passage in cross(box, far.interface, Stream(one_source(host.address), asked)).passages:
        uplink = LinkEnd(box.device.name, passage.egress)
        for target in passage.left.targets if not passage.doubtful else ():
            found.setdefault(target.first, []).append((target.low, target.high, uplink))
    return found


def _uplink(ways: _Ways, address: int, port_index: int) -> LinkEnd | None:
    return next((uplink for low, high, uplink in ways.get(address, ()) if low <= port_index <= high), None)


def _leads_to(router: DeviceTables, host: EndSystem, interface: str) -> bool:
    """Tell whether a tenant's router has its route to a host out of an interface."""
    ip = int(host.address.ip)
    for stretch in router.routes.over(ip, ip):
        if stretch.entries:
            right, _, found = routes_of(stretch.entries, host.address.realm, ip)
            return found is Found.ROUTE and right is not None and right.interface == interface
    return False
