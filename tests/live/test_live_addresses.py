"""Invariant 3: on every wire only addresses that belong there, in headers and in what ICMP errors quote."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

import live_tools
import pytest
from live_intents import (
    DISTINCT,
    TRANSLATED_AGAIN,
    Case,
    case,
    device,
    end_system,
    unguarded,
    with_mtu,
    with_nodes,
)
from live_tools import FRAGMENTATION_NEEDED, PORT_UNREACHABLE, TIME_EXCEEDED, UNREACHABLE, Icmp
from live_world import World

from farshore.fabric.model import Fabric
from farshore.realm import RealmKind

pytestmark = pytest.mark.kernel

ALICE, BILL = "customer-a/alice", "customer-b/bill"
HERE, PORTAL, REAL_PORTAL = "10.1.1.1", "10.2.2.1", "10.3.3.1"
PATH = ("customer-a/alice", "customer-a/ce", "customer-a/nat", "provider/nat", "provider/router", "provider/portal")
# An unnumbered device speaks of itself with the dummy address of RFC 7600.
DUMMY = IPv4Network("192.0.0.8/32")
BELONGS = {
    RealmKind.TENANT: (IPv4Network("10.1.1.0/24"), IPv4Network("10.2.2.0/28"), DUMMY),
    RealmKind.LAKE: (IPv4Network("100.64.0.0/10"), DUMMY),
    RealmKind.PROVIDER: (IPv4Network("10.3.3.0/24"), IPv4Network("100.64.0.0/10"), DUMMY),
}
TRANSLATED_AGAIN_BELONGS = {
    **BELONGS,
    RealmKind.PROVIDER: (*BELONGS[RealmKind.PROVIDER][::2], IPv4Network("10.250.0.0/16")),
}


class Listening:
    """Hears all wires of a fabric, by the realms of their interfaces."""

    def __init__(self, fabric: Fabric) -> None:
        self.wires = [
            (live_tools.Wire(node.name, interface.name), interface.realm.kind)
            for node in fabric.nodes.values()
            for interface in node.interfaces
            if interface.realm.kind is not RealmKind.INTERNET
        ]

    def strangers(self, belongs: dict[RealmKind, tuple[IPv4Network, ...]]) -> tuple[set[str], int]:
        """Return the addresses that were heard where they do not belong, and the number of packets."""
        found, number = set(), 0
        for wire, kind in self.wires:
            for packet in wire.heard():
                number += 1
                for address in live_tools.addresses(packet):
                    if not any(address in network for network in belongs[kind]):
                        found.add(f"{address} at {wire.node} {wire.interface}")
        return found, number


Heard = tuple[set[str], int]


def everything(fabric: Fabric, again: bool) -> tuple[Heard, dict[str, Icmp | None]]:
    """Talk in every way, provoke every ICMP error, and return what was heard and the errors."""
    live_tools.build(fabric)
    listening = Listening(fabric)
    live_tools.serve_echo(without_port(fabric))
    got: dict[str, Icmp | None] = {}
    for node in (ALICE, BILL):
        with live_tools.tcp(node, HERE, 40404, PORTAL, 443) as flow:
            flow.sendall(b"x" * 5000)
            live_tools.read_line(flow)
            live_tools.read_exactly(flow, 5000)
        with live_tools.udp(node, HERE, 40404, "10.2.2.2", 53) as asking:
            live_tools.ask(asking, b"x" * 4000)  # in fragments
    pinger = live_tools.Pinger(ALICE, HERE)
    for ttl in range(1, len(PATH)):
        got[f"ttl {ttl}"] = pinger.ping(PORTAL, 7, ttl=ttl)
    got.update(closed_ports())
    got.update(short_lived_replies())
    return listening.strangers(TRANSLATED_AGAIN_BELONGS if again else BELONGS), got


def without_port(fabric: Fabric) -> Fabric:
    """Return the fabric with udp/5000, which is permitted, closed at the portal."""
    portal = end_system(fabric, "provider/portal")
    return with_nodes(fabric, replace(portal, listens=tuple(p for p in portal.listens if p.number != 5000)))


def closed_ports() -> dict[str, Icmp | None]:
    """Ask a port that nobody listens on, and answer a host that listens no more."""
    got = {}
    at_home = live_tools.Pinger(ALICE, HERE)
    with live_tools.udp(ALICE, HERE, 40405) as asking:
        asking.sendto(b"?", (PORTAL, 5000))
        got["closed at the service"] = at_home.receive()
    with live_tools.udp("provider/portal", REAL_PORTAL, 5000) as answering:
        with live_tools.udp(ALICE, HERE, 40406) as asking:
            asking.sendto(b"?", (PORTAL, 5000))
            _, shown = answering.recvfrom(100)
        far_away = live_tools.Pinger("provider/portal", REAL_PORTAL)
        answering.sendto(b"!", shown)
        got["closed at the host"] = far_away.receive()
    return got


def short_lived_replies() -> dict[str, Icmp | None]:
    """Answer with so little time to live that each device on the way back gives up once."""
    got = {}
    with (
        live_tools.udp("provider/portal", REAL_PORTAL, 5000) as answering,
        live_tools.udp(ALICE, HERE, 40407) as asking,
    ):
        asking.sendto(b"?", (PORTAL, 5000))
        _, shown = answering.recvfrom(100)
        far_away = live_tools.Pinger("provider/portal", REAL_PORTAL)
        for ttl in range(1, len(PATH) - 1):
            answering.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            answering.sendto(b"!", shown)
            got[f"reply ttl {ttl}"] = far_away.receive()
    return got


@pytest.mark.parametrize(("text", "again"), [(DISTINCT, False), (TRANSLATED_AGAIN, True)], ids=["keep", "again"])
def test_every_address_stays_where_it_belongs(world: World, text: str, again: bool) -> None:
    (strangers, number), got = world.call(everything, case(text).fabric, again)
    assert strangers == set()
    assert number > 100
    # All the errors that were provoked did arrive, each quoting the packet as its sender knew it.
    for ttl in range(1, len(PATH) - 1):
        message = got[f"ttl {ttl}"]
        assert message is not None, f"no answer to ttl {ttl}"
        assert (message.kind, message.quoted) == (TIME_EXCEEDED, (HERE, PORTAL))
        message = got[f"reply ttl {ttl}"]
        assert message is not None, f"no answer to a reply's ttl {ttl}"
        assert message.kind == TIME_EXCEEDED
        assert message.quoted == (REAL_PORTAL, shown_as(case(text)))
    message = got["closed at the service"]
    assert message is not None
    assert (message.kind, message.code) == (UNREACHABLE, PORT_UNREACHABLE)
    assert (message.source, message.quoted) == (PORTAL, (HERE, PORTAL))
    message = got["closed at the host"]
    assert message is not None
    assert (message.kind, message.code) == (UNREACHABLE, PORT_UNREACHABLE)
    assert (message.source, message.quoted) == (shown_as(case(text)), (REAL_PORTAL, shown_as(case(text))))


def shown_as(whole: Case) -> str:
    """Return Alice's address at the services."""
    source = whole.plan.tenants["customer-a"].sources[0]
    alice = source.translations[0].outward(end_system(whole.fabric, ALICE).address)  # type: ignore[union-attr]
    for onward in source.provider_translations:
        alice = onward.outward(alice)
    return str(alice.ip)


def too_large(fabric: Fabric, narrow: int) -> tuple[Heard, dict[str, Icmp | None]]:
    """Send what is too large for one narrow link, both ways, as far as its sender's own link carries it."""
    live_tools.build(fabric)
    listening = Listening(fabric)
    got: dict[str, Icmp | None] = {}
    with (
        live_tools.udp("provider/portal", REAL_PORTAL, 5000) as answering,
        live_tools.udp(ALICE, HERE, 40408) as asking,
    ):
        asking.sendto(b"?", (PORTAL, 5000))
        _, shown = answering.recvfrom(100)
        if narrow > 0:
            at_home = live_tools.Pinger(ALICE, HERE)
            at_home.send(PORTAL, 8, payload=bytes(1400), may_fragment=False)
            got["request"] = at_home.receive()
        if narrow < len(PATH) - 2:
            far_away = live_tools.Pinger("provider/portal", REAL_PORTAL)
            answering.setsockopt(socket.IPPROTO_IP, live_tools.IP_MTU_DISCOVER, live_tools.PROBE)
            answering.sendto(bytes(1400), shown)
            got["reply"] = far_away.receive()
    return listening.strangers(BELONGS), got


@pytest.mark.parametrize("narrow", range(len(PATH) - 1), ids=lambda n: PATH[n].replace("/", "-"))
def test_fragmentation_needed_finds_its_way(shared_world: World, narrow: int) -> None:
    whole = case(DISTINCT)
    fabric = with_mtu(whole.fabric, PATH[narrow], PATH[narrow + 1], 1300)
    (strangers, _), got = shared_world.call(too_large, fabric, narrow)
    assert strangers == set()
    assert got.keys() == {*(["request"] if narrow > 0 else []), *(["reply"] if narrow < len(PATH) - 2 else [])}
    senders = {"request": (HERE, PORTAL), "reply": (REAL_PORTAL, shown_as(whole))}
    for which, message in got.items():
        assert message is not None, which
        assert (message.kind, message.code, message.mtu) == (UNREACHABLE, FRAGMENTATION_NEEDED, 1300)
        assert message.quoted == senders[which]


def no_source_nat(whole: Case) -> Fabric:
    """Break: the near shore leaves Alice's real address, and nobody guards."""
    near = unguarded(device(whole.fabric, "customer-a/nat"))
    far = unguarded(device(whole.fabric, "provider/nat"))
    return with_nodes(whole.fabric, replace(near, source_nat=()), far)


def a_bare_lake_address(whole: Case) -> Fabric:
    """Break: the near shore presents the portal by its lake address, and nobody guards."""
    near = unguarded(device(whole.fabric, "customer-a/nat"))
    return with_nodes(whole.fabric, replace(near, destination_nat=()))


def pinged(fabric: Fabric, destination: str, seen: str) -> bool:
    """Send one echo request from Alice; tell whether what is out of place is heard."""
    live_tools.build(fabric)
    listening = Listening(fabric)
    live_tools.Pinger(ALICE, HERE).send(destination, 9)
    live_tools.settle()
    return seen in listening.strangers(BELONGS)[0]


@pytest.mark.parametrize(
    ("broken", "destination", "seen"),
    [
        (no_source_nat, PORTAL, "10.1.1.1 at provider/portal provider"),
        (a_bare_lake_address, "100.64.0.1", "100.64.0.1 at customer-a/ce to-alice"),
    ],
)
def test_a_break_is_seen(world: World, broken: Callable[[Case], Fabric], destination: str, seen: str) -> None:
    assert world.call(pinged, broken(case(DISTINCT)), destination, seen)


def test_the_observer_reads_what_errors_quote() -> None:
    inner = bytes.fromhex("450000200000000040110000644000010a010101") + bytes(8)
    outer = bytes.fromhex("4500003c0000000040010000644100010a020201") + b"\x0b\0\0\0\0\0\0\0" + inner
    found = {str(address) for address in live_tools.addresses(outer)}
    assert found == {"100.65.0.1", "10.2.2.1", "100.64.0.1", "10.1.1.1"}
