"""The proof's replies are the walk's: what it says does not come back does not, and what it says nothing of does."""

from __future__ import annotations

from dataclasses import dataclass

from both_ways import TWO_SIDED, has, place
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proof_fabrics import broken_fabrics, doubtful_fabrics, fabrics, packets, realm_at

from farshore.fabric.model import Fabric, LinkEnd
from farshore.proof.crossing import Stream
from farshore.proof.intervals import of_port
from farshore.proof.returning import strayed
from farshore.proof.scene import scene
from farshore.proof.senders import anybody
from farshore.proof.spread import Arrival, Terrain, spread
from farshore.proof.targets import anything
from farshore.walk.journey import profile_of
from farshore.walk.packet import Packet
from farshore.walk.profile import Profile
from farshore.walk.profiles import PROFILES
from farshore.walk.trace import Hop, ProfileOf, Trace, trace

some = settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
profiles = st.none() | st.sampled_from(list(PROFILES.values()))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that arrived where somebody listens, and the proof's arrival that it is of."""

    start: LinkEnd
    packet: Packet
    request: Trace
    arrival: Arrival


def says_lost(terrain: Terrain, asked: Asked) -> bool:
    """Tell whether the proof says that a reply goes wrong."""
    faults = list(strayed(terrain, asked.arrival))
    return any(has(Stream(fault.senders, fault.targets), asked.packet) for fault in faults)


def comes_back(fabric: Fabric, profile: ProfileOf, asked: Asked) -> bool:
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


def requests(fabric: Fabric, profile: ProfileOf, terrain: Terrain, data: st.DataObject) -> list[Asked]:
    """Draw packets from a wire where a tenant's network ends, and keep those that are taken by who listens."""
    mouths = [mouth for ground in scene(fabric).grounds.values() for mouth in ground.mouths]
    start = data.draw(st.sampled_from(mouths))
    realm = realm_at(fabric, start)
    found = spread(terrain, start, Stream(anybody(realm), anything(realm)))
    taken = [arrival for arrival in found.arrivals if arrival.own and arrival.path]
    sets = [arrival.stream for arrival in taken]
    asked = []
    for _ in range(8):
        packet = data.draw(packets(fabric, start, sets))
        request = trace(fabric, profile, start, packet, {})
        arrived = request.arrived_at
        if arrived is None or any(map(_is_doubtful, request.hops)):
            continue
        if place(packet) in {*map(of_port, arrived.listens)}:
            way = [(hop.node, hop.ingress) for hop in request.hops[:-1]]
            its = [a for a in taken if has(a.stream, packet) and [(h.node, h.ingress) for h in a.path] == way]
            asked += [Asked(start, packet, request, arrival) for arrival in its]
            assert its or not way
    return asked


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
