"""What ends the wait for an answer: the kernel and the servers have finished, however long the clock runs."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import live_tools
import pytest
from live_intents import DISTINCT, case
from live_world import World

from farshore.conformance.check import Check, Exchange, Outcome
from farshore.conformance.expectations import expectations
from farshore.fabric.model import Fabric
from farshore.port import Port, Protocol
from farshore.traffic.settling import wait_for_server

pytestmark = pytest.mark.kernel

PORTAL, PORTAL_IP = "provider/portal", "10.3.3.1"
SLOW = 3.0  # seconds that a server takes for its first answer
NEVER_COMES = 20.0  # seconds: fewer than a server is waited for that does not answer


def _serve_slowly(server: socket.socket) -> None:
    pause = SLOW
    while True:
        data, peer = server.recvfrom(100)
        time.sleep(pause)
        server.sendto(data, peer)
        pause = 0


def answered_slowly(fabric: Fabric) -> bytes:
    """Ask a slow server, wait for it, and return what has arrived by then."""
    live_tools.build(fabric)
    server = live_tools.udp(PORTAL, PORTAL_IP, 5000)
    server.settimeout(None)
    threading.Thread(target=_serve_slowly, args=(server,), daemon=True).start()
    with live_tools.udp("customer-a/alice", "10.1.1.1", 30000, "10.2.2.1", 5000) as asking:
        asking.setblocking(False)
        asking.send(b"?")
        live_tools.settle()
        wait_for_server(fabric.nodes[PORTAL].name, PORTAL_IP, 5000)
        live_tools.settle()
        return asking.recv(100)


def test_a_slow_server_is_waited_for(world: World) -> None:
    assert world.call(answered_slowly, case(DISTINCT).fabric) == b"?"


def unserved(fabric: Fabric) -> float:
    """Return for how long a server is waited for that is not there."""
    live_tools.build(fabric)
    begin = time.monotonic()
    wait_for_server(fabric.nodes[PORTAL].name, PORTAL_IP, 5000)
    return time.monotonic() - begin


def test_no_server_is_not_waited_for(world: World) -> None:
    assert world.call(unserved, case(DISTINCT).fabric) < NEVER_COMES


def exchanges_with_a_slow_server(fabric: Fabric, check: Check) -> list[str]:
    live_tools.build(fabric)
    server = live_tools.udp(PORTAL, PORTAL_IP, 5000)
    server.settimeout(None)
    threading.Thread(target=_serve_slowly, args=(server,), daemon=True).start()
    return [result.observed for result in live_tools.make_checks([check], fabric)]


@pytest.mark.parametrize("offered", [True, False])
def test_an_exchange_waits_for_a_slow_server_and_for_no_other(world: World, offered: bool) -> None:
    whole = case(DISTINCT)
    udp = Port(Protocol.UDP, 5000)
    check = next(
        check
        for check in expectations(whole.intent, whole.plan, whole.fabric)
        if isinstance(check.attempt, Exchange) and check.attempt.port == udp and "alice" in check.name
    )
    assert isinstance(check.attempt, Exchange)
    if not offered:
        check = replace(check, attempt=replace(check.attempt, port=Port(Protocol.UDP, 5001)))
    expected = Outcome.REACH if offered else Outcome.BLOCK
    assert world.call(exchanges_with_a_slow_server, whole.fabric, check) == [expected]
