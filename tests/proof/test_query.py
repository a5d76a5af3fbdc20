"""A single packet is looked up in what becomes of all packets; a walk of that packet says the same."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from farshore.design.catalogue import build
from farshore.fabric.model import Device, Fabric, Proxy
from farshore.fabric.names import LinkEnd
from farshore.intent.load import load
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.port import Port, Protocol
from farshore.proof.query import Arrived, Query
from farshore.realm import Address
from farshore.semantics.packet import Packet
from farshore.semantics.profile import PROFILES, ProfileOf, profile_of
from farshore.semantics.trace import Trace, trace
from strategies import intents, mixed_intents

TEN = Path(__file__).parents[2] / "examples" / "ten-tenants.yaml"
EVERY_PORT = (0, 65535)
SOURCE_PORT = 2000


def built(intent: Intent | None, design: str | None) -> Fabric:
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return build(intent, plan, design)


def arrivals(query: Query, node: str, source: str, destination: str, port: Port) -> list[Arrived]:
    sender = query.terrain.fabric.nodes[node]
    there = Address(sender.interfaces[0].realm, IPv4Address(destination))
    start = LinkEnd(node, sender.interfaces[0].name)
    return list(query.arrivals(start, IPv4Address(source), there, port))


def test_where_and_as_whom() -> None:
    query = Query.of(built(load(TEN).intent, "lake"), profile_of(None))
    (anna,) = arrivals(query, "aurora/anna", "10.1.1.1", "10.2.2.1", Port(Protocol.TCP, 443))
    assert (anna.node, anna.own, anna.ports, anna.doubtful, anna.answered) == (
        "provider/portal",
        True,
        EVERY_PORT,
        False,
        True,
    )
    # Behind a pool of addresses each of a network's 65,536 has 126 ports of its own, 512 of them on an address.
    (dora,) = arrivals(query, "delta/dora", "10.0.0.1", "172.31.0.1", Port(Protocol.ICMP))
    (dirk,) = arrivals(query, "delta/dora", "10.0.255.254", "172.31.0.1", Port(Protocol.ICMP))
    assert (dora.ports, dirk.ports) == ((1150, 1275), (1024 + 510 * 126, 1024 + 511 * 126 - 1))
    assert int(dirk.source) - int(dora.source) == 127


@pytest.mark.parametrize(
    ("source", "destination", "port"),
    [
        ("10.1.1.1", "10.2.2.1", Port(Protocol.TCP, 444)),
        ("10.1.1.1", "10.2.2.1", Port(Protocol.UDP, 443)),
        ("10.1.1.1", "10.2.2.9", Port(Protocol.TCP, 443)),
        ("10.1.2.1", "10.2.2.1", Port(Protocol.TCP, 443)),
    ],
)
def test_what_arrives_nowhere(source: str, destination: str, port: Port) -> None:
    query = Query.of(built(load(TEN).intent, "lake"), profile_of(None))
    assert arrivals(query, "borealis/bea", source, destination, port) == []


def test_a_link_is_spread_once() -> None:
    query = Query.of(built(load(TEN).intent, "lake"), profile_of(None))
    for last in range(3):
        arrivals(query, "aurora/anna", "10.1.1.1", f"10.2.2.{last}", Port(Protocol.TCP, 443))
    assert [start.node for start, _ in query.links] == ["aurora/anna"]


@settings(max_examples=60)
@given(st.data(), intents(most_tenants=3) | mixed_intents(most_tenants=3), st.sampled_from(sorted(PROFILES)))
def test_a_walk_of_the_packet_says_the_same(data: st.DataObject, intent: Intent, profile: str) -> None:
    """Except where a look-up has no one right answer, which the walk decides and the proof does not."""
    assume(allocate(intent).plan is not None)
    fabric = built(intent, None)
    assume(fabric.links)
    of = profile_of(PROFILES[profile])
    query = Query.of(fabric, of)
    dialled, sources, offered = telling(fabric)
    for _ in range(10):
        start = data.draw(st.sampled_from(sorted(fabric.far_ends)))
        realm = next(i.realm for i in fabric.nodes[start.node].interfaces if i.name == start.interface)
        source = Address(realm, data.draw(st.sampled_from(sources)))
        destination = Address(realm, data.draw(st.sampled_from(dialled)))
        port = data.draw(st.sampled_from(offered))
        found = query.arrivals(start, source.ip, destination, port)
        if any(each.doubtful for each in found):
            continue
        sent = Packet(port.protocol, source, destination, SOURCE_PORT, port.number or SOURCE_PORT)
        walked = trace(fabric, of, start, sent, {})
        last, way = walked.hops[-1], tuple(hop.node for hop in walked.hops[:-1])
        arrived = last.crossing is None
        assert [(each.node, each.source, each.through) for each in found] == (
            [(last.node, last.packet.source.ip, way)] if arrived else []
        )
        for each in found:
            assert each.ports[0] <= last.packet.source_port <= each.ports[1]
            assert each.own is (walked.arrived_at is not None)
            assert each.answered is (each.own and answered(fabric, of, walked, start))


def telling(fabric: Fabric) -> tuple[list[IPv4Address], list[IPv4Address], list[Port]]:
    """Return the destinations, sources and ports by which most packets of a fabric get anywhere, and some do not."""
    own = {node.address.ip for node in fabric.end_systems}
    dialled, offered = {*own, IPv4Address("198.51.100.9")}, {Port(Protocol.TCP, 9)}
    sources = {*own, IPv4Address("198.51.100.9")}
    for node in fabric.nodes.values():
        if isinstance(node, Device) and node.policy is not None:
            dialled |= {permit.destination.network.network_address for permit in node.policy.permits}
            offered |= {permit.port for permit in node.policy.permits}
            sources |= {nat.inside.network[-1] for nat in node.source_nat}
        elif isinstance(node, Proxy):
            dialled |= {front.presented.ip for front in node.fronts}
            offered |= {front.port for front in node.fronts}
    return sorted(dialled), sorted(sources), sorted(offered)


def answered(fabric: Fabric, of: ProfileOf, walked: Trace, start: LinkEnd) -> bool:
    """Tell whether a reply comes back on the very way, with every look-up as it should be."""
    server = walked.arrived_at
    assert server is not None
    reply = walked.last_packet.answered()
    back = trace(fabric, of, LinkEnd(server.name, server.interface.name), reply, walked.memory)
    way = [hop.node for hop in walked.hops[:-1]]
    # A link in the middle of the fabric has no host that takes the reply: it only has to pass there.
    hops = back.hops[: len(way)]
    crossings = [hop.crossing for hop in hops if hop.crossing is not None]
    if [hop.node for hop in hops] != way[::-1] or any(event.wrong for each in crossings for event in each.events):
        return False
    if not way:
        return True
    egress = crossings[-1].egress
    return egress is not None and fabric.far_ends[LinkEnd(way[0], egress)] == start
