"""Only a connection's first packet opens a flow: one from the middle makes none, and does not reach a service."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import live_tools
import pytest
from live_fragments import Sender
from live_intents import DISTINCT, case
from live_world import World

from farshore.design.catalogue import build
from farshore.engine.nftables import nft
from farshore.engine.nftables.desired import compile_fabric
from farshore.fabric.model import Fabric
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.port import Protocol
from farshore.traffic.packet import TCP_ACK, TCP_SYN, WirePacket, encode

pytestmark = pytest.mark.kernel

ALICE, HERE, PORTAL = "customer-a/alice", "10.1.1.1", "10.2.2.1"
NODES = {
    "lake": ("customer-a/nat", "provider/nat"),
    "last-hop": ("provider/last-hop",),
    "single-nat": ("customer-a/ce",),
    "appliance": ("customer-a/proxy",),
}


# End systems say nothing by themselves: a refusal would end the flow that is to be counted.
MUTE = "table inet mute { chain out { type filter hook output priority 0; policy drop; }; }"


def flows_at(node: str) -> int:
    with PRIVATE.entered(namespace_name(node)):  # type: ignore[arg-type]
        return int(Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text())


def sent(whole: Fabric, nodes: tuple[str, ...], flags: int) -> tuple[list[int], int, int]:
    """Send a packet with these flags.

    Return how many flows each node has then, how often the packet was seen at the portal, and answers at Alice's.
    """
    wires = live_tools.Wire("provider/portal", "provider"), live_tools.Wire(ALICE, "wan")
    header = WirePacket(Protocol.TCP, IPv4Address(HERE), IPv4Address(PORTAL), 40404, 443, flags, 1000, 1)
    with Sender(whole, ALICE) as alice:
        alice.send(encode(header, b""))
    live_tools.settle()
    arrived, answers = (list(wire.heard()) for wire in wires)
    return (
        [flows_at(node) for node in nodes],
        len(arrived),
        sum(p[12:16] == IPv4Address(PORTAL).packed for p in answers),
    )


def built(whole: Fabric) -> None:
    live_tools.build(whole)
    for node in (ALICE, "provider/portal"):
        live_tools.nft_in(node, MUTE)


@pytest.mark.parametrize("design", NODES)
def test_a_packet_from_the_middle_opens_nothing(design: str, world: World) -> None:
    nodes = NODES[design]
    whole = build(case(DISTINCT).intent, case(DISTINCT).plan, design)
    world.call(built, whole)
    assert world.call(sent, whole, nodes, TCP_ACK) == ([0] * len(nodes), 0, 0)
    # A first packet with the same header does, so nothing else keeps the other from it.
    flows, arrived, answers = world.call(sent, whole, nodes, TCP_SYN)
    if design == "appliance":
        assert answers == 1  # a proxy answers by itself, and has no flow left that it refused
    else:
        assert (flows, arrived) == ([1] * len(nodes), 1)


def goes_on(whole: Fabric) -> bool:
    """Connect, replace every rule set as a whole, and tell whether the connection goes on."""
    live_tools.build(whole)
    live_tools.serve_echo(whole)
    with live_tools.tcp(ALICE, HERE, 0, PORTAL, 443) as connection:
        live_tools.read_line(connection)
        for node, text in compile_fabric(whole).configurations["nftables"].items():
            with PRIVATE.entered(namespace_name(node)):
                nft.load(text, in_use=False)
        connection.sendall(b"still")
        return live_tools.read_exactly(connection, 5) == b"still"


@pytest.mark.parametrize("design", ["lake", "last-hop", "single-nat"])
def test_established_connections_outlive_their_rules(design: str, world: World) -> None:
    assert world.call(goes_on, build(case(DISTINCT).intent, case(DISTINCT).plan, design))
