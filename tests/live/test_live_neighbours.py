"""What tenants share besides sessions and fragments: one attacks, and its neighbour loses nothing."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

import live_tools
import pytest
from live_fragments import Sender
from live_intents import DISTINCT, POOLED, case
from live_world import World

from farshore.design.catalogue import build
from farshore.fabric.model import Fabric
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.port import Protocol
from farshore.traffic.packet import TCP_ACK, TCP_SYN, WirePacket, encode

pytestmark = pytest.mark.kernel

ALICE, ARNOLD, BILL, HERE, PORTAL = "customer-a/alice", "customer-a/arnold", "customer-b/bill", "10.1.1.1", "10.2.2.1"
DESIGNS = ("lake", "last-hop", "single-nat")
TIMES = 60


def built(design: str, text: str = DISTINCT) -> Fabric:
    return build(case(text).intent, case(text).plan, design)


def connections(node: str, first_port: int) -> int:
    """Return how many of some connections to the portal go through."""
    through = 0
    for number in range(TIMES):
        with contextlib.suppress(OSError), live_tools.tcp(node, HERE, first_port + number, PORTAL, 443) as connection:
            through += bool(live_tools.read_line(connection))
    return through


# --- the machine's neighbour table ----------------------------------------------------------------------

# More than the table has room for by itself (gc_thresh3).
DESTINATIONS = 2000


def scanned(whole: Fabric) -> tuple[dict[str, str], dict[str, str], int]:
    """Let Bill send to thousands of addresses from thousands of sources; return all neighbours before and after."""
    live_tools.build(whole)
    live_tools.serve_echo(whole)
    before = neighbours(whole)
    with Sender(whole, BILL) as bill:
        for number, packet in enumerate(_scan()):
            bill.send(packet)
            if number % 128 == 0:
                live_tools.settle()
    live_tools.settle()
    return before, neighbours(whole), connections(ALICE, 30000)


def _scan() -> Iterator[bytes]:
    for number in range(DESTINATIONS):
        for source, destination in (
            (HERE, IPv4Address(PORTAL) + number),
            (str(IPv4Address(HERE) + number), IPv4Address(PORTAL)),
            (HERE, IPv4Address("10.3.3.0") + number),
            (HERE, IPv4Address("100.64.0.0") + number),
        ):
            yield encode(WirePacket(Protocol.UDP, IPv4Address(source), destination, 4000, 5000), b"?")


def neighbours(whole: Fabric) -> dict[str, str]:
    found = {}
    for node in whole.nodes:
        with PRIVATE.entered(namespace_name(node)):
            shown = subprocess.run(["ip", "neighbour", "show"], capture_output=True, text=True, check=True).stdout
        found[node] = "".join(sorted(shown.splitlines(keepends=True)))
    return found


@pytest.mark.parametrize("design", DESIGNS)
def test_no_tenant_makes_neighbours(design: str, world: World) -> None:
    before, after, through = world.call(scanned, built(design))
    assert after == before
    entries = [line for lines in after.values() for line in lines.splitlines()]
    assert entries
    assert all("PERMANENT" in line for line in entries)
    assert through == TIMES


# --- processors, and whatever else a packet costs ---------------------------------------------------------


def flooded(whole: Fabric) -> tuple[int, int]:
    """Connect while Bill sends as fast as he can what must be dropped; return how much, and how many connections."""
    live_tools.build(whole)
    live_tools.serve_echo(whole)
    over = threading.Event()

    def flood() -> int:
        junk = [
            encode(WirePacket(protocol, IPv4Address(source), IPv4Address(destination), 4000, port, flags), b"?")
            for protocol, source, destination, port, flags in (
                (Protocol.TCP, HERE, PORTAL, 9, TCP_SYN),
                (Protocol.TCP, HERE, PORTAL, 443, TCP_ACK),
                (Protocol.UDP, "10.9.9.9", PORTAL, 5000, 0),
                (Protocol.UDP, HERE, "10.2.2.14", 5000, 0),
            )
        ]
        sent = 0
        with Sender(whole, BILL) as bill:
            while not over.is_set():
                for packet in junk:
                    with contextlib.suppress(BlockingIOError):
                        bill.send(packet)
                sent += len(junk)
                if sent % 256 == 0:
                    live_tools.settle()  # queues between nodes are the machine's: they are not to overflow
        return sent

    working = ThreadPoolExecutor(1).submit(flood)
    through = connections(ALICE, 30000)
    over.set()
    return working.result(), through


@pytest.mark.parametrize("design", DESIGNS)
def test_what_is_dropped_costs_no_neighbour_a_connection(design: str, world: World) -> None:
    sent, through = world.call(flooded, built(design))
    assert sent > TIMES
    assert through == TIMES


# --- ports of a pool -------------------------------------------------------------------------------------

BLOCK = 504  # ports of each of 128 hosts on one address: 64,512 // 128


def used_up(whole: Fabric) -> tuple[int, int, int]:
    """Open more flows than Alice's block has ports; return the ports seen, and the answers of Arnold and of Bill."""
    live_tools.build(whole)
    ports = set()
    with live_tools.udp("provider/portal", "10.3.3.1", 5000) as portal, Sender(whole, ALICE) as alice:
        for number in range(BLOCK + 100):
            header = WirePacket(Protocol.UDP, IPv4Address(HERE), IPv4Address(PORTAL), 2000 + number, 5000)
            alice.send(encode(header, b"?"))
            while number % 32 == 0 and live_tools.comes(portal):
                ports.add(portal.recvfrom(100)[1])
        while live_tools.comes(portal):
            ports.add(portal.recvfrom(100)[1])
    live_tools.serve_echo(whole)
    answers = []
    for node, source in ((ARNOLD, "10.1.1.2"), (BILL, HERE)):
        answered = 0
        for number in range(TIMES):
            with live_tools.udp(node, source, 30000 + number, PORTAL, 5000) as asking, contextlib.suppress(OSError):
                answered += live_tools.ask(asking, b"?")[2] == b"?"
        answers.append(answered)
    return len(ports), answers[0], answers[1]


@pytest.mark.parametrize("design", ["lake", "last-hop"])
def test_a_host_has_the_ports_of_its_block_and_no_others(design: str, world: World) -> None:
    assert world.call(used_up, built(design, POOLED)) == (BLOCK, TIMES, TIMES)
