"""Fragments of two tenants: equal addresses, ports and identifications, and none is ever in the other's datagram."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

import live_tools
import pytest
from live_fragments import LENGTH, LETTERS, PLAYS, Play, Sender, both, datagram, received
from live_intents import DISTINCT, case, device, end_system
from live_world import World

from farshore.conformance.check import Check, Injection
from farshore.conformance.expectations import expectations
from farshore.design.catalogue import build
from farshore.engine.nftables import nft
from farshore.engine.nftables.ruleset import device_ruleset
from farshore.fabric.model import Fabric
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.port import Protocol
from farshore.traffic.packet import TCP_SYN, WirePacket, encode, fragment, fragments

pytestmark = pytest.mark.kernel

ALICE, BILL, HERE, PORTAL, REAL_PORTAL = "customer-a/alice", "customer-b/bill", "10.1.1.1", "10.2.2.1", "10.3.3.1"
DESIGNS = ("lake", "last-hop", "single-nat")


def fabric_of(design: str) -> Fabric:
    whole = case(DISTINCT)
    return build(whole.intent, whole.plan, design)


@pytest.fixture(scope="module", params=DESIGNS)
def design(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def built(design: str) -> Iterator[World]:
    """Return a world that holds the design."""
    with World() as made:
        made.call(live_tools.build, fabric_of(design))
        yield made


def put_together(whole: Fabric, play: Play, identification: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Let Bill plant fragments around a datagram of Alice's, and each send a datagram alone.

    Return what the portal received of each alone, and of both.
    """
    packets = datagram(HERE, PORTAL, "A", LETTERS), datagram(HERE, PORTAL, "B", LETTERS)
    with (
        live_tools.udp("provider/portal", REAL_PORTAL, 5000) as portal,
        Sender(whole, ALICE) as alice,
        Sender(whole, BILL) as bill,
    ):
        alone = []
        for sender, packet in zip((alice, bill), packets, strict=True):
            sender.send(packet)
            alone += received(portal)
        both(alice, bill, packets, play, identification)
        return alone, received(portal)


@pytest.mark.parametrize("name", PLAYS)
def test_two_tenants_fragments_are_never_put_together(name: str, design: str, built: World) -> None:
    play = PLAYS[name]
    identification = 1000 + list(PLAYS).index(name)
    alone, got = built.call(put_together, fabric_of(design), play, identification)
    (alice, _), (bill, _) = alone
    assert alone == [(alice, "A"), (bill, "B")]
    assert alice != bill
    # Whoever sends all of a datagram has it delivered, whatever others have sent.
    assert got == [(alice, "A"), *([(bill, "B")] if play.finished else [])]


# --- from the Internet ------------------------------------------------------------------------------------


def from_the_internet(whole: Fabric, play: Play, identification: int, source: str, destination: str) -> list[str]:
    """Let somebody on the Internet plant fragments around a datagram of Alice's; return what the portal received."""
    packets = datagram(HERE, PORTAL, "A", LETTERS), datagram(source, destination, "B", LETTERS)
    with (
        live_tools.udp("provider/portal", REAL_PORTAL, 5000) as portal,
        Sender(whole, ALICE) as alice,
        Sender(whole, "internet/host", "internet") as stranger,
    ):
        both(alice, stranger, packets, play, identification)
        return [letters for _, letters in received(portal)]


@pytest.mark.parametrize("name", PLAYS)
def test_no_fragment_from_the_internet_is_put_into_a_tenants_datagram(name: str, design: str, built: World) -> None:
    play, whole = PLAYS[name], fabric_of(design)
    host = str(end_system(whole, "internet/host").address.ip)
    # From an address of the Internet's, and from the one by which the portal knows Alice.
    for number, (source, arrives) in enumerate({host: play.finished, "100.65.0.1": False}.items()):
        identification = 3000 + 100 * number + list(PLAYS).index(name)
        got = built.call(from_the_internet, whole, play, identification, source, "203.0.113.10")
        assert got == ["A", *(["B"] if arrives else [])]


# --- forged behind the near shore ------------------------------------------------------------------------


def forged(whole: Fabric, play: Play, identification: int) -> list[tuple[str, str]]:
    """Let whoever has the far side of Bill's NAT device plant fragments from Alice's lake address."""
    with live_tools.udp("provider/portal", REAL_PORTAL, 5000) as portal, Sender(whole, ALICE) as alice:
        alice.send(datagram(HERE, PORTAL, "A", LETTERS))
        ((source, _),) = received(portal)
        portal_in_lake = str(case(DISTINCT).plan.services["portal"].lake.ip)
        packets = datagram(HERE, PORTAL, "A", LETTERS), datagram(source, portal_in_lake, "B", LETTERS)
        with Sender(whole, "customer-b/nat", "lake") as behind:
            both(alice, behind, packets, play, identification)
        return received(portal)


@pytest.mark.parametrize("name", PLAYS)
def test_no_forged_fragment_is_put_into_a_datagram(name: str, world: World) -> None:
    whole = fabric_of("lake")
    world.call(live_tools.build, whole)
    got = world.call(forged, whole, PLAYS[name], 7)
    assert [letters for _, letters in got] == ["A"]


# --- at a proxy ------------------------------------------------------------------------------------------


def answered(whole: Fabric, play: Play, identification: int) -> tuple[list[int], list[int]]:
    """Do the same with the first packets of connections, which differ in nothing but their sequence number.

    Return which were answered on each of the two wires, by the number that the answer acknowledges.
    """
    packets = []
    for sequence in (1000, 2000):
        header = WirePacket(Protocol.TCP, IPv4Address(HERE), IPv4Address(PORTAL), 40404, 443, TCP_SYN, sequence)
        packets.append(encode(header, b"x" * (LENGTH - 20)))
    wires = live_tools.Wire(ALICE, "wan"), live_tools.Wire(BILL, "wan")
    with Sender(whole, ALICE) as alice, Sender(whole, BILL) as bill:
        both(alice, bill, (packets[0], packets[1]), play, identification)
    return _acknowledged(wires[0]), _acknowledged(wires[1])


def _acknowledged(wire: live_tools.Wire) -> list[int]:
    from_portal = (p for p in wire.heard() if p[9] == socket.IPPROTO_TCP and p[12:16] == IPv4Address(PORTAL).packed)
    return [int.from_bytes(packet[28:32], "big") for packet in from_portal]


@pytest.mark.parametrize("name", PLAYS)
def test_a_proxy_puts_no_tenants_fragments_together(name: str, shared_world: World) -> None:
    whole = fabric_of("appliance")
    shared_world.call(live_tools.build, whole)
    alice, bill = shared_world.call(answered, whole, PLAYS[name], 2000 + list(PLAYS).index(name))
    # Who serves there is of no matter: a refusal acknowledges what it refuses. Data in a first packet may count.
    assert alice
    assert {number // 1000 for number in alice} == {1}
    assert {number // 1000 for number in bill} == ({2} if PLAYS[name].finished else set())


# --- while the rules change -------------------------------------------------------------------------------

RELOADS = 60


def through_reloads(whole: Fabric, texts: list[str], weaken: bool) -> tuple[int, set[str], int]:
    """Exchange the box's rules while Bill plants first fragments for each datagram of Alice's.

    Return how many were sent, what was seen in those that arrived, and how many of Alice's arrived whole.
    """
    box = namespace_name("provider/last-hop")  # type: ignore[arg-type]
    over = threading.Event()

    def reload() -> None:
        with PRIVATE.entered(box):
            for number in itertools.count():
                nft.load(texts[number % len(texts)], in_use=True)
                if number >= RELOADS:
                    over.set()
                    return

    if weaken:
        texts = [text.replace("priority -440", "priority -390") for text in texts]
    mine, planted = datagram(HERE, PORTAL, "A", LETTERS), datagram(HERE, PORTAL, "B", LETTERS)
    sent, seen = 0, []
    with (
        live_tools.udp("provider/portal", REAL_PORTAL, 5000) as portal,
        Sender(whole, ALICE) as alice,
        Sender(whole, BILL) as bill,
    ):
        working = ThreadPoolExecutor(1).submit(reload)
        while not over.is_set():
            sent += 1
            bill.send(fragment(planted, sent, 0, 24))
            for part in fragments(mine, sent, (24,)):
                alice.send(part)
            bill.send(fragment(planted, sent, 24, LENGTH))
            seen += received(portal)
        working.result()
        seen += received(portal)
    return sent, {letters for _, letters in seen}, sum(letters == "A" for _, letters in seen)


@pytest.mark.parametrize("weaken", [False, True])
def test_no_change_of_rules_lets_fragments_of_two_meet(weaken: bool, world: World) -> None:
    whole = fabric_of("last-hop")
    text = device_ruleset(device(whole, "provider/last-hop"))
    assert text is not None
    # Another permitted port, another limit: chains and elements of both tenants change.
    texts = [text, text.replace("203.0.113.10", "203.0.113.11").replace("5000", "5000, 10.3.3.1 . udp . 5001", 1)]
    world.call(live_tools.build, whole)
    sent, seen, whole_ones = world.call(through_reloads, whole, texts, weaken)
    if weaken:
        assert seen - {"A", "B"}  # the test sees fragments that meet
    else:
        assert seen == {"A", "B"}
        assert 0 < whole_ones <= sent


# --- what a lab shows of it -------------------------------------------------------------------------------


def differing(whole: Fabric, checks: list[Check], weaken: bool) -> list[str]:
    """Make checks, with zones that come too late if so wished, and return the names of those that differ."""
    live_tools.build(whole)
    text = device_ruleset(device(whole, "provider/last-hop"))
    if weaken and text is not None:
        with PRIVATE.entered(namespace_name("provider/last-hop")):  # type: ignore[arg-type]
            nft.load(text.replace("priority -440", "priority -390"), in_use=False)
    live_tools.serve_lab(whole)
    return [result.name for result in live_tools.make_checks(checks, whole) if not result.ok]


@pytest.mark.parametrize("weaken", [False, True])
def test_a_lab_shows_fragments_that_are_put_together(weaken: bool, world: World) -> None:
    whole = fabric_of("last-hop")
    checks = [
        check
        for check in expectations(case(DISTINCT).intent, case(DISTINCT).plan, whole)
        if isinstance(check.attempt, Injection) and check.attempt.cut is not None
    ]
    assert len(checks) == 4  # of each tenant a packet that is whole, and one that is not
    found = world.call(differing, whole, checks, weaken)
    # Put together, the unfinished one of each arrives, and the whole one of the other does not.
    assert sorted(found) == (sorted(check.name for check in checks) if weaken else [])
