"""The proof's replies are the walk's: what it says does not come back does not, and what it says nothing of does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from both_ways import TWO_SIDED, has, port_index
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proof_fabrics import broken_fabrics, doubtful_fabrics, fabrics, packets, realm_at, tenant_uplinks

from farshore.fabric.model import Device, Direction, Fabric, Guard
from farshore.fabric.names import LinkEnd
from farshore.proof.sets.intervals import of_port
from farshore.proof.sets.senders import every_source
from farshore.proof.sets.targets import every_target
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.returning import Clean, strayed
from farshore.proof.spread.spread import Arrival, Terrain, spread
from farshore.semantics.packet import Packet
from farshore.semantics.profile import PROFILES, Profile, ProfileOf, profile_of
from farshore.semantics.trace import Hop, Trace, trace

some = settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
profiles = st.none() | st.sampled_from(list(PROFILES.values()))


@dataclass(frozen=True, slots=True)
class Query:
    """A request that arrived at a node that listens, the proof's arrival of it, and what that spread remembers."""

    start: LinkEnd
    packet: Packet
    request: Trace
    arrival: Arrival
    clean: Clean


def says_lost(terrain: Terrain, asked: Query) -> bool:
    """Tell whether the proof says that a reply goes wrong."""
    faults = list(strayed(terrain, asked.arrival, asked.clean))
    return any(has(Stream(fault.senders, fault.targets), asked.packet) for fault in faults)


def comes_back(fabric: Fabric, profile: ProfileOf, asked: Query) -> bool:
    """Tell whether the reply goes the whole way back, with no look-up in doubt, to the wire that the request was on.

    It must be seen there as the answer to what was sent.
    """
    server = asked.arrival.node
    answer = asked.request.last_packet.answered()
    reply = trace(fabric, profile, LinkEnd(server.name, server.interface.name), answer, asked.request.memory)
    back = list(reversed([hop for hop in asked.request.hops if hop.crossing is not None]))
    for there, here in zip(back, reply.hops, strict=False):
        if here.node != there.node or here.crossing is None or here.crossing.egress != there.ingress:
            return False
        if _is_doubtful(here):
            return False
    if len(reply.hops) < len(back):
        return False
    last = back[-1], reply.hops[len(back) - 1]
    left = last[1].crossing.packet if last[1].crossing is not None else last[1].packet
    return left.header() == asked.packet.header().reversed()


def _is_doubtful(hop: Hop) -> bool:
    return hop.crossing is not None and any(event.found in TWO_SIDED for event in hop.crossing.events)


def requests(fabric: Fabric, profile: ProfileOf, terrain: Terrain, data: st.DataObject) -> list[Query]:
    """Draw packets from a wire where a tenant's network ends, and keep those that are taken by who listens."""
    start = data.draw(st.sampled_from(tenant_uplinks(fabric)))
    realm = realm_at(fabric, start)
    found = spread(terrain, start, Stream(every_source(realm), every_target(realm)))
    taken = [arrival for arrival in found.arrivals if arrival.own and arrival.path]
    clean: Clean = {}
    drawn = (data.draw(packets(fabric, start, [arrival.stream for arrival in taken])) for _ in range(8))
    return [asked for packet in drawn for asked in _asked(fabric, profile, start, packet, (taken, clean))]


def _asked(
    fabric: Fabric, profile: ProfileOf, start: LinkEnd, packet: Packet, spread_out: tuple[list[Arrival], Clean]
) -> Iterator[Query]:
    taken, clean = spread_out
    request = trace(fabric, profile, start, packet, {})
    arrived = request.arrived_at
    if arrived is None or any(map(_is_doubtful, request.hops)):
        return
    if port_index(packet) in {*map(of_port, arrived.listens)}:
        way = [(hop.node, hop.ingress) for hop in request.hops[:-1]]
        its = [a for a in taken if has(a.stream, packet) and [(h.node, h.ingress) for h in a.path] == way]
        assert its or not way
        yield from (Query(start, packet, request, arrival, clean) for arrival in its)


def agree(fabric: Fabric, profile: Profile | None, data: st.DataObject) -> None:
    of = profile_of(profile)
    terrain = Terrain(fabric, of, {})
    for asked in requests(fabric, of, terrain, data):
        assert says_lost(terrain, asked) is not comes_back(fabric, of, asked)


@some
@given(fabrics(), profiles, st.data())
def test_a_reply_comes_back_as_the_walk_says(fabric: Fabric, profile: Profile | None, data: st.DataObject) -> None:
    agree(fabric, profile, data)


@some
@given(broken_fabrics(), profiles, st.data())
def test_it_does_so_where_something_is_wrong(fabric: Fabric, profile: Profile | None, data: st.DataObject) -> None:
    agree(fabric, profile, data)


@some
@given(doubtful_fabrics(), profiles, st.data())
def test_it_does_so_where_a_route_is_in_doubt(fabric: Fabric, profile: Profile | None, data: st.DataObject) -> None:
    agree(fabric, profile, data)


@settings(some, max_examples=40)
@given(fabrics(), st.data())
def test_a_guard_that_lets_no_reply_pass_is_seen(fabric: Fabric, data: st.DataObject) -> None:
    """Whichever of the four it judges: where the reply comes from and goes to, as it comes in and as it goes out."""
    of = profile_of(None)
    for asked in requests(fabric, of, Terrain(fabric, of, {}), data)[:2]:
        for hop in asked.arrival.path:
            ends = (Direction.IN, hop.passage.egress), (Direction.OUT, hop.ingress)
            for direction, interface in ends:
                for field in ("sources", "destinations"):
                    tight = _tightened(fabric, hop.node, (direction, interface), field)
                    if tight is not None:
                        _is_refused(tight, asked)


def _tightened(fabric: Fabric, node: str, where: tuple[Direction, str], field: str) -> Fabric | None:
    """Return a fabric in which one guard holds no prefixes any more; None where no guard stands there."""
    device = fabric.nodes[node]
    if not isinstance(device, Device) or not any((g.direction, g.interface) == where for g in device.guards):
        return None

    def tight(guard: Guard) -> Guard:
        return replace(guard, **{field: ()}) if (guard.direction, guard.interface) == where else guard

    nodes = dict(fabric.nodes) | {node: replace(device, guards=tuple(map(tight, device.guards)))}
    return Fabric.of(fabric.design, tuple(nodes.values()), fabric.links)


def _is_refused(fabric: Fabric, asked: Query) -> None:
    of = profile_of(None)
    terrain = Terrain(fabric, of, {})
    realm = realm_at(fabric, asked.start)
    found = spread(terrain, asked.start, Stream(every_source(realm), every_target(realm)))
    taken = [arrival for arrival in found.arrivals if arrival.own and arrival.path]
    # The request passes as before, for these guards stand on the other side.
    (again,) = _asked(fabric, of, asked.start, asked.packet, (taken, {}))
    assert says_lost(terrain, again)
    assert not comes_back(fabric, of, again)
