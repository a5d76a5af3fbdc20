"""A pool's port that rests in TIME_WAIT serves the host's next connection, as RFC 6191 allows."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

import live_tools
import pytest
from live_world import World

from farshore.design.catalogue import build
from farshore.fabric.model import Fabric
from farshore.intent.load import load_text
from farshore.plan.allocate import allocate
from farshore.translation import PortBlockNapt

# The kernel evicts a session in TIME_WAIT for a SYN whose sequence number is beyond it since 2023: see
# nf_nat_used_tuple_harder in net/netfilter/nf_nat_core.c. Debian 12's own kernel, 6.1, does not.
_EVICTS = (6, 6)
_KERNEL = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])

pytestmark = pytest.mark.kernel
evicting = pytest.mark.skipif(_KERNEL < _EVICTS, reason="the kernel keeps a session in TIME_WAIT for 240 s")

ALICE, HERE, PORTAL, REAL = "customer-a/alice", "10.1.1.1", "10.2.2.1", "10.3.3.1"
TEXT = """\
version: 1
provider:
  name: acme
  networks: [10.3.3.0/24]
  services:
    portal: {address: 10.3.3.1, ports: [tcp/443, udp/53]}
tenants:
  customer-a:
    networks: [10.1.0.0/23]
    sources: {pool: 1}
    presents: 10.2.2.0/28
    services: [portal]
    hosts: {alice: 10.1.1.1}
"""
TEXTS = {
    "lake": TEXT,
    "again": TEXT.replace("  services:\n", "  source: [10.250.0.0/16]\n  services:\n", 1),
    "last-hop": TEXT.replace("provider:", "design: last-hop\nprovider:", 1),
}
BLOCK = 126  # 64,512 ports for 512 hosts


def fabric_of(text: str) -> Fabric:
    intent = load_text(text, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return build(intent, plan)


def served(fabric: Fabric, *, closes_first: bool) -> None:
    """Serve connections that the service ends, or the host does."""
    live_tools.build(fabric)
    listener = live_tools.open_socket("provider/portal", socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((REAL, 443))
    listener.listen(1024)

    def end(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if not closes_first:
                connection.recv(1)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=end, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def one(*, closes_first: bool) -> None:
    """Open a connection and have it end at both ends. Raises OSError where it does not open."""
    with live_tools.open_socket(ALICE, socket.SOCK_STREAM) as own:
        own.settimeout(live_tools.PATIENCE)
        own.connect((PORTAL, 443))
        if not closes_first:
            own.shutdown(socket.SHUT_WR)
        own.recv(1)


def one_after_another(fabric: Fabric, number: int, *, closes_first: bool) -> int:
    served(fabric, closes_first=closes_first)
    for _ in range(number):
        one(closes_first=closes_first)
    return number


def at_once(fabric: Fabric) -> tuple[int, bool]:
    """Return how many connections a host holds open at one moment, and whether one opens when all have ended."""
    served(fabric, closes_first=False)
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        held = 0
        for number in range(2 * BLOCK):
            stack.enter_context(live_tools.tcp(ALICE, HERE, 20000 + number, PORTAL, 443))
            held += 1
    live_tools.settle()
    live_tools.tcp(ALICE, HERE, 20000 + 2 * BLOCK, PORTAL, 443).close()
    return held, True


def queries(fabric: Fabric) -> int:
    """Return how many queries of a host are answered, each from a port of its own, until one is not."""
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    for number in range(2 * BLOCK):
        with live_tools.udp(ALICE, HERE, 20000 + number, PORTAL, 53) as own:
            own.send(b"?")
            if not live_tools.comes(own):
                return number
    return 2 * BLOCK


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_the_block_is_what_this_module_says(text: str) -> None:
    blocks = [
        block
        for device in fabric_of(text).devices
        for each in device.source_nat
        if isinstance(each, PortBlockNapt)
        for _, block in each.blocks()
    ]
    assert blocks
    assert {block.last_port - block.first_port + 1 for block in blocks} == {BLOCK}


@evicting
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_ended_connections_leave_their_ports_to_the_next(world: World, text: str) -> None:
    number = 4 * BLOCK
    assert world.call(one_after_another, fabric_of(text), number, closes_first=False) == number


@evicting
def test_the_service_that_ends_first_delays_some(world: World) -> None:
    """Its own end rests in TIME_WAIT: where the host's clock is not beyond it, the SYN is sent again (RFC 6191)."""
    number = BLOCK + BLOCK // 2
    assert world.call(one_after_another, fabric_of(TEXT), number, closes_first=True) == number


@evicting
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_live_connections_are_as_many_as_the_block(world: World, text: str) -> None:
    """Ports of live connections are never given away: by this the tests above see what exhausts a block."""
    assert world.call(at_once, fabric_of(text)) == (BLOCK, True)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_datagrams_from_ever_new_ports_are_as_many_as_the_block(world: World, text: str) -> None:
    """UDP has no end that a device sees: a port rests until its flow has been idle for 5 minutes (RFC 4787)."""
    assert world.call(queries, fabric_of(text)) == BLOCK
