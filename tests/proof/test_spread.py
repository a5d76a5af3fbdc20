"""The proof's way through a fabric is the walk's: any packet from any wire ends where the walk says, only there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from both_ways import Now, every_choice, first_port, last_port, now_of, nows, paired
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proof_fabrics import broken_fabrics, doubtful_fabrics, fabrics, packets, realm_at, wires

from farshore.fabric.model import Device, EndSystem, Fabric, Interface, Link, NodeKind, Route
from farshore.fabric.names import LinkEnd, NodeName
from farshore.port import Protocol
from farshore.proof.sets.senders import every_source
from farshore.proof.sets.targets import every_target
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.spread import Spread, Terrain, spread
from farshore.realm import PROVIDER, Address, Prefix
from farshore.semantics.choice import Choices
from farshore.semantics.packet import Packet
from farshore.semantics.profile import PROFILES, Profile, ProfileOf, profile_of
from farshore.semantics.trace import MAX_HOPS, Trace, trace

some = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
profiles = st.none() | st.sampled_from(list(PROFILES.values()))


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a packet ends, whether it is taken there, as what, and by which nodes and interfaces it came."""

    node: str
    own: bool
    now: Now
    path: tuple[tuple[str, str], ...]


def everything(fabric: Fabric, start: LinkEnd) -> Stream:
    realm = realm_at(fabric, start)
    return Stream(every_source(realm), every_target(realm))


def proven(found: Spread, packet: Packet) -> set[Ending]:
    return {
        Ending(arrival.node.name, arrival.own, now, tuple((hop.node, hop.ingress) for hop in arrival.path))
        for arrival in found.arrivals
        for now in nows(arrival.stream, packet)
    }


def walked(fabric: Fabric, profile: ProfileOf, start: LinkEnd, packet: Packet) -> set[Ending]:
    def run(choices: Choices) -> Trace:
        return trace(fabric, profile, start, packet, {}, choices=choices)

    both = paired(every_choice(run, first_port), every_choice(run, last_port))
    return {_ending(packet, first, last) for first, last in both if first.hops[-1].crossing is None}


def _ending(packet: Packet, first: Trace, last: Trace) -> Ending:
    path = tuple((hop.node, hop.ingress) for hop in first.hops)
    assert path == tuple((hop.node, hop.ingress) for hop in last.hops)
    now = now_of(packet, first.last_packet, last.last_packet)
    return Ending(path[-1][0], first.arrived_at is not None, now, path[:-1])


def agree(fabric: Fabric, profile: Profile | None, data: st.DataObject) -> None:
    start = data.draw(wires(fabric))
    of = profile_of(profile)
    found = spread(Terrain(fabric, of, {}), start, everything(fabric, start))
    far = [arrival.stream for arrival in found.arrivals if len(arrival.path) > 1]
    sets = [*far * 2, *(arrival.stream for arrival in found.arrivals), *(visit.passage.left for visit in found.visits)]
    for _ in range(10):
        packet = data.draw(packets(fabric, start, sets))
        assert proven(found, packet) == walked(fabric, of, start, packet)


@some
@given(fabrics(), profiles, st.data())
def test_a_packet_ends_where_the_walk_says(fabric: Fabric, profile: Profile | None, data: st.DataObject) -> None:
    agree(fabric, profile, data)


@some
@given(broken_fabrics(), profiles, st.data())
def test_it_does_so_where_something_is_wrong(fabric: Fabric, profile: Profile | None, data: st.DataObject) -> None:
    agree(fabric, profile, data)


def chain(routers: int) -> Fabric:
    """Return two hosts with that many routers between them."""
    left, right = (Address(PROVIDER, IPv4Address(f"10.0.0.{n}")) for n in (1, 2))
    ends = (Interface("left", PROVIDER), Interface("right", PROVIDER))
    everywhere = (Route(Prefix(PROVIDER, IPv4Network("0.0.0.0/0")), "right"),)
    names = [NodeName(f"r{n}") for n in range(routers)]
    nodes = (
        EndSystem(NodeName("near"), NodeKind.HOST, Interface("right", PROVIDER), left),
        *(Device(name, NodeKind.ROUTER, ends, everywhere) for name in names),
        EndSystem(NodeName("far"), NodeKind.HOST, Interface("left", PROVIDER), right),
    )
    links = tuple(
        Link(LinkEnd(one.name, "right"), LinkEnd(other.name, "left"), PROVIDER)
        for one, other in itertools.pairwise(nodes)
    )
    return Fabric.of("chain", nodes, links)


def arrives(routers: int, *, proof: bool) -> bool:
    fabric, start = chain(routers), LinkEnd(NodeName("near"), "right")
    of = profile_of(None)
    if proof:
        return bool(spread(Terrain(fabric, of, {}), start, everything(fabric, start)).arrivals)
    ends = [node.address for node in fabric.end_systems]
    packet = Packet(Protocol.TCP, *ends, 40000, 80)
    return trace(fabric, of, start, packet, {}).arrived_at is not None


def test_a_packet_lives_as_long_as_in_the_walk() -> None:
    for routers in range(MAX_HOPS - 2, MAX_HOPS + 2):
        assert arrives(routers, proof=True) is arrives(routers, proof=False)
    assert not arrives(MAX_HOPS, proof=True)


@some
@given(doubtful_fabrics(), profiles, st.data())
def test_it_does_so_where_a_route_is_in_doubt(fabric: Fabric, profile: Profile | None, data: st.DataObject) -> None:
    agree(fabric, profile, data)
