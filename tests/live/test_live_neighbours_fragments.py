"""The memory for fragments: one tenant's unfinished ones take nothing from another's whole ones."""

from __future__ import annotations

import itertools
from ipaddress import IPv4Address
from pathlib import Path

import live_tools
import pytest
from live_fragments import LETTERS, Sender, datagram, received
from live_intents import DISTINCT, case
from live_world import World

from farshore.design.catalogue import build
from farshore.engine.nftables.fragments import RATE, SECONDS
from farshore.fabric.model import Fabric
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.port import Protocol
from farshore.traffic.packet import WirePacket, encode, fragment, fragments

pytestmark = pytest.mark.kernel

ALICE, BILL, HERE, PORTAL, REAL_PORTAL = "customer-a/alice", "customer-b/bill", "10.1.1.1", "10.2.2.1", "10.3.3.1"
PINGS, UNFINISHED, AT_ONCE = 60, 9000, 256
BOXES = {"lake": "provider/nat", "last-hop": "provider/last-hop", "single-nat": "customer-a/ce"}


def unfinished(source: str, destination: str, size: int) -> bytes:
    """Return the first 1,480 bytes of a datagram that never comes, or fewer."""
    header = WirePacket(Protocol.UDP, IPv4Address(source), IPv4Address(destination), 40404, 5000)
    return encode(header, bytes(size))


def pings(whole: Fabric, attack: tuple[str, str, str, str], size: int, box: str) -> tuple[int, int]:
    """Send 9,000 unfinished datagrams from the wire of an interface, then Alice's pings with 150 more before each.

    Return how many pings of 4,000 bytes were answered, and how much memory fragments took in a node at most.
    """
    node, interface, source, destination = attack
    pinger = live_tools.Pinger(ALICE, HERE)
    packet = unfinished(source, destination, 2000)
    answered = most = 0
    with pinger.socket, Sender(whole, node, interface) as attacker:
        numbers = itertools.count()

        def attack_with(count: int) -> None:
            for number in itertools.islice(numbers, count):
                attacker.send(fragment(packet, number & 0xFFFF, 0, size))
                if number % AT_ONCE == 0:
                    live_tools.settle()  # all of it arrives, none overflows a queue on the way

        attack_with(UNFINISHED)
        for number in range(PINGS):
            attack_with(150)
            answer = pinger.ping(PORTAL, number, payload=bytes(4000))
            answered += answer is not None and len(answer.payload) == 4000
            most = max(most, fragment_memory(box))
    return answered, most


def fragment_memory(node: str) -> int:
    """Return how many bytes fragments take in a node."""
    with PRIVATE.entered(namespace_name(node)):  # type: ignore[arg-type]
        line = next(line for line in Path("/proc/thread-self/net/sockstat").read_text().splitlines() if "FRAG" in line)
    return int(line.split()[-1])


# Who attacks from where: Bill's host, whoever has the far side of his NAT device, and a service that answers him.
BILL_IN_LAKE = "100.65.1.1"
ATTACKS = {
    "lake": (BILL, "wan", HERE, PORTAL),
    "single-nat": (BILL, "wan", HERE, PORTAL),
    "last-hop": (BILL, "wan", HERE, PORTAL),
    "lake, behind his NAT": ("customer-b/nat", "lake", BILL_IN_LAKE, "100.64.0.1"),
    "lake, toward him": ("provider/portal", "provider", REAL_PORTAL, BILL_IN_LAKE),
    "last-hop, toward him": ("provider/portal", "provider", REAL_PORTAL, BILL_IN_LAKE),
}


@pytest.mark.parametrize(("name", "size"), [*((name, 1480) for name in ATTACKS), ("last-hop", 8)])
def test_unfinished_fragments_of_a_tenant_starve_no_other(name: str, size: int, world: World) -> None:
    design = name.partition(",")[0]
    whole = build(case(DISTINCT).intent, case(DISTINCT).plan, design)
    world.call(live_tools.build, whole)
    answered, most = world.call(pings, whole, ATTACKS[name], size, BOXES[design])
    assert answered == PINGS
    # What waits is one tenant's share at most, however long it goes on.
    assert most <= RATE * (SECONDS + 1) * 4608


def with_many_between(whole: Fabric, count: int) -> list[str]:
    """Send a datagram of Alice's in two parts, with many fragments of Bill's from the same address between them."""
    parts = fragments(datagram(HERE, PORTAL, "A", LETTERS), 1, (24,))
    with (
        live_tools.udp("provider/portal", REAL_PORTAL, 5000) as portal,
        Sender(whole, ALICE) as alice,
        Sender(whole, BILL) as bill,
    ):
        alice.send(parts[0])
        live_tools.settle()
        for number in range(count):
            bill.send(fragment(unfinished(HERE, PORTAL, 2000), 1000 + number, 0, 8))
        live_tools.settle()
        alice.send(parts[1])
        return [letters for _, letters in received(portal)]


@pytest.mark.parametrize("design", BOXES)
def test_parts_of_a_datagram_may_be_far_apart(design: str, world: World) -> None:
    """The kernel gives up a datagram when 64 fragments of its source have come since, whoever's the source is."""
    whole = build(case(DISTINCT).intent, case(DISTINCT).plan, design)
    world.call(live_tools.build, whole)
    assert world.call(with_many_between, whole, 200) == ["A"]


def first_packets(whole: Fabric) -> int:
    """Send first packets of Alice's connections in two fragments each, after many unfinished ones of Bill's.

    Return how many were answered.
    """
    answered = 0
    wire = live_tools.Wire(ALICE, "wan")
    with Sender(whole, ALICE) as alice, Sender(whole, BILL) as bill:
        for number in range(UNFINISHED):
            bill.send(fragment(unfinished(HERE, PORTAL, 2000), number, 0, 1480))
            if number % AT_ONCE == 0:
                live_tools.settle()
        for number in range(PINGS):
            header = WirePacket(Protocol.TCP, IPv4Address(HERE), IPv4Address(PORTAL), 30000 + number, 443)
            for part in fragments(encode(header, bytes(44)), number, (24,)):
                alice.send(part)
            live_tools.settle()
            answered += any(packet[12:16] == IPv4Address(PORTAL).packed for packet in wire.heard())
    return answered


def test_nor_at_a_proxy(world: World) -> None:
    whole = build(case(DISTINCT).intent, case(DISTINCT).plan, "appliance")
    world.call(live_tools.build, whole)
    assert world.call(first_packets, whole) == PINGS
