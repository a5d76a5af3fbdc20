"""The table of sessions: a tenant without limits of its own fills no more of it than the default, whatever it opens."""

from __future__ import annotations

import contextlib
from ipaddress import IPv4Address

import live_tools
import pytest
from live_fragments import Sender
from live_intents import DISTINCT, case
from live_world import World
from test_live_handshakes import flows_at

from farshore.design.catalogue import build
from farshore.fabric.model import Fabric
from farshore.intent.model import DEFAULT_SESSIONS
from farshore.port import Protocol
from farshore.traffic.packet import WirePacket, encode

pytestmark = pytest.mark.kernel

ALICE, BILL, HERE, PORTAL = "customer-a/alice", "customer-b/bill", "10.1.1.1", "10.2.2.1"
SHARED = {"lake": "provider/nat", "last-hop": "provider/last-hop"}
CONNECTIONS, TOO_MANY, AT_ONCE = 60, 300, 128


def opened(whole: Fabric, box: str) -> tuple[int, int]:
    """Open more sessions than Bill may have, each answered, then Alice's connections.

    Return how many sessions the shared box has of Bill, and how many connections of Alice's went through.
    """
    live_tools.build(whole)
    live_tools.serve_echo(whole)
    with Sender(whole, BILL) as bill:
        for number in range(DEFAULT_SESSIONS + TOO_MANY):
            header = WirePacket(Protocol.UDP, IPv4Address(HERE), IPv4Address(PORTAL), 2000 + number, 5000)
            bill.send(encode(header, b"?"))
            if number % AT_ONCE == 0:
                live_tools.settle()
        live_tools.settle()
    had, through = flows_at(box), 0
    for number in range(CONNECTIONS):
        with contextlib.suppress(OSError), live_tools.tcp(ALICE, HERE, 2000 + number, PORTAL, 443) as connection:
            through += bool(live_tools.read_line(connection))
    return had, through


@pytest.mark.parametrize("design", SHARED)
def test_sessions_of_a_tenant_without_limits_leave_room_for_others(design: str, world: World) -> None:
    whole = build(case(DISTINCT).intent, case(DISTINCT).plan, design)
    assert world.call(opened, whole, SHARED[design]) == (DEFAULT_SESSIONS, CONNECTIONS)
