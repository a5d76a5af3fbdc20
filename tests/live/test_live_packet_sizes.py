"""Large packets: path MTU discovery, segment sizes, fragments, wherever on the path a link is narrow."""

from __future__ import annotations

import socket
import threading

import live_tools
import pytest
from live_intents import DISTINCT, case, with_mtu
from live_world import World

from farshore.fabric.model import Fabric

pytestmark = pytest.mark.kernel

ALICE, HERE, PORTAL = "customer-a/alice", "10.1.1.1", "10.2.2.1"
PATH = ("customer-a/alice", "customer-a/ce", "customer-a/nat", "provider/nat", "provider/router", "provider/portal")
MEGABYTE = 1 << 20
NARROW = 1300
HEADERS = 40


def transfer(fabric: Fabric) -> tuple[bool, int, bool]:
    """Move a megabyte both ways, then a datagram of 4,000 bytes; return what came of it and the segment size."""
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    data = bytes(range(256)) * (MEGABYTE // 256)
    with live_tools.tcp(ALICE, HERE, 0, PORTAL, 443) as stream:
        live_tools.read_line(stream)
        sending = threading.Thread(target=stream.sendall, args=(data,))
        sending.start()
        echoed = live_tools.read_exactly(stream, len(data)) == data
        sending.join()
        segment = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    with live_tools.udp(ALICE, HERE, 0, PORTAL, 5000) as asking:
        asking.setsockopt(socket.IPPROTO_IP, live_tools.IP_MTU_DISCOVER, live_tools.DONT)
        datagram = live_tools.ask(asking, data[:4000])[2] == data[:4000]
    return echoed, segment, datagram


@pytest.mark.parametrize("narrow", range(len(PATH) - 1), ids=lambda n: PATH[n].replace("/", "-"))
def test_everything_fits_through_a_narrow_link(world: World, narrow: int) -> None:
    echoed, segment, datagram = world.call(
        transfer, with_mtu(case(DISTINCT).fabric, PATH[narrow], PATH[narrow + 1], NARROW)
    )
    assert echoed
    assert datagram
    # Timestamps take 12 bytes of the segment; what a host further away announces counts without them.
    assert segment <= NARROW - HEADERS


def offered_sizes(fabric: Fabric) -> list[int]:
    """Return the segment sizes that the portal is offered and that Alice is, as their wires show them."""
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    wires = live_tools.Wire("provider/portal", "provider"), live_tools.Wire(ALICE, "wan")
    live_tools.tcp(ALICE, HERE, 0, PORTAL, 443).close()
    is_from = {0: "100.", 1: PORTAL}
    sizes = []
    for number, wire in enumerate(wires):
        for packet in wire.heard():
            source = str(next(iter(live_tools.addresses(packet))))
            header = (packet[0] & 0x0F) * 4
            if packet[9] == socket.IPPROTO_TCP and packet[header + 13] & 2 and source.startswith(is_from[number]):
                sizes.append(int.from_bytes(packet[header + 22 : header + 24], "big"))
    return sizes


def test_no_segment_is_offered_that_cannot_pass(world: World) -> None:
    """The lake is narrow, which neither end can know: both hear of it in the other's offer."""
    fabric = with_mtu(case(DISTINCT).fabric, "customer-a/nat", "provider/nat", NARROW)
    assert world.call(offered_sizes, fabric) == [NARROW - HEADERS] * 2


def test_without_clamping_the_offer_is_larger(world: World) -> None:
    """The test above sees a device that does not clamp."""
    assert world.call(offered_sizes, case(DISTINCT).fabric) == [1500 - HEADERS] * 2
