"""Interfaces that end outside of the fabric: each ends at one link or one attachment, and no packet is lost there."""

from __future__ import annotations

import pickle
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from farshore.engine.nftables.desired import compile_fabric
from farshore.errors import MachineError
from farshore.fabric.model import Attachment, Device, EndSystem, Fabric, Interface, Link, NodeKind, Route
from farshore.fabric.names import LinkEnd, NodeName
from farshore.port import Port, Protocol
from farshore.proof.judges.sources import Sources
from farshore.proof.sets.senders import every_source
from farshore.proof.sets.targets import every_target
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.spread import Terrain, spread
from farshore.realm import PROVIDER, Address, Prefix, tenant_realm
from farshore.semantics.packet import Packet
from farshore.semantics.profile import profile_of
from farshore.semantics.trace import trace
from farshore.walk.tell.journey import Probe, walk
from farshore.walk.tell.summary import document, verdict

REALM = tenant_realm("customer-a")
ALICE, BOX = NodeName("customer-a/alice"), NodeName("customer-a/ce")
OUT = LinkEnd(BOX, "wan")
HOME = LinkEnd(ALICE, "eth")
WAN = Attachment(OUT, REALM, "wan0")


def network(text: str) -> Prefix:
    return Prefix(REALM, IPv4Network(text))


HOST = EndSystem(ALICE, NodeKind.HOST, Interface("eth", REALM), Address(REALM, IPv4Address("10.1.1.1")))
ROUTER = Device(
    BOX,
    NodeKind.CE,
    (Interface("lan", REALM), Interface("wan", REALM)),
    (Route(network("10.1.1.1/32"), "lan"), Route(network("10.1.1.0/24"), "wan")),
)
LINKS = (Link(HOME, LinkEnd(BOX, "lan"), REALM),)


def fabric(*attachments: Attachment) -> Fabric:
    return Fabric.of("made by hand", (HOST, ROUTER), LINKS, attachments)


def sent(to: str) -> Packet:
    return Packet(Protocol.TCP, HOST.address, Address(REALM, IPv4Address(to)), 40000, 80)


def test_an_interface_may_end_outside_of_the_fabric() -> None:
    whole = fabric(WAN)
    assert whole.attachments == {OUT: WAN}
    assert OUT not in whole.far_ends
    assert pickle.loads(pickle.dumps(whole)) == whole  # noqa: S301 - pickled just here
    assert whole != fabric(replace(WAN, port="wan1"))


@pytest.mark.parametrize(
    "attachments",
    [
        (),  # an interface that ends nowhere
        (WAN, WAN),
        (WAN, replace(WAN, port="wan1")),
        (WAN, replace(WAN, end=LinkEnd(BOX, "lan"))),  # the end of a link too
        (WAN, replace(WAN, end=LinkEnd(BOX, "eth7"))),  # an interface that is not there
    ],
)
def test_every_interface_ends_once(attachments: tuple[Attachment, ...]) -> None:
    with pytest.raises(ValueError, match="the end of exactly one link or one attachment"):
        fabric(*attachments)


def test_it_is_attached_to_its_own_realm() -> None:
    with pytest.raises(ValueError, match="attached to the realm"):
        fabric(replace(WAN, realm=PROVIDER))


def test_a_packet_leaves_the_fabric_where_it_is_attached() -> None:
    found = trace(fabric(WAN), profile_of(None), HOME, sent("10.1.1.7"), {})
    assert found.left_at == WAN
    assert found.arrived_at is None
    assert [hop.node for hop in found.hops] == [BOX]


def test_one_that_stays_inside_does_not() -> None:
    found = trace(fabric(WAN), profile_of(None), HOME, sent("192.0.2.1"), {})
    assert found.left_at is None
    assert found.arrived_at is None


def test_one_that_is_put_on_the_attached_wire_has_left_already() -> None:
    found = trace(fabric(WAN), profile_of(None), OUT, sent("10.1.1.7"), {})
    assert found.left_at == WAN
    assert found.hops == ()


def test_a_walk_says_so() -> None:
    probe = Probe(ALICE, "the office", Address(REALM, IPv4Address("10.1.1.7")), Port(Protocol.TCP, 80))
    walked = walk(fabric(WAN), None, probe)
    assert not walked.delivered
    assert verdict(walked) == "left the fabric at port wan0 (customer-a), after step 2"
    assert document(walked)["verdict"] == "glitched"


def test_sets_of_packets_leave_there_too() -> None:
    found = spread(Terrain(fabric(WAN), profile_of(None), {}), HOME, Stream(every_source(REALM), every_target(REALM)))
    assert {departure.attachment for departure in found.departures} == {WAN}
    gone = {
        (target.first, target.last)
        for departure in found.departures
        for target in departure.stream.targets
        if not any(visit.passage.doubtful for visit in departure.path)
    }
    inside = IPv4Network("10.1.1.0/24")
    first, last = int(inside.network_address), int(inside.broadcast_address)
    assert gone == {(first, first), (first + 2, last)}
    # What is the host's own is sent back to it, and nothing else arrives anywhere.
    assert [(arrival.node, arrival.own) for arrival in found.arrivals] == [(HOST, True)]


def test_the_engine_does_not_run_what_it_cannot_attach() -> None:
    with pytest.raises(MachineError, match=r"customer-a/ce: interface wan ends outside .* port wan0 \(customer-a\)"):
        compile_fabric(fabric(WAN))


def test_the_proof_does_not_vouch_for_what_comes_in_there() -> None:
    with pytest.raises(ValueError, match=r"enters the fabric at port wan0 \(customer-a\)"):
        Sources.of(fabric(WAN))
