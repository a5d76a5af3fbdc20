"""The engine brings back what somebody has changed: that alone, with the reason, and nothing the second time."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import live_tools
import pytest
from live_intents import DISTINCT, case, with_device, with_mtu
from live_world import World

from farshore.fabric.model import Device, Fabric, Route
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.realm import LAKE, Prefix

pytestmark = pytest.mark.kernel

ALICE, CE, NAT, FAR = "customer-a/alice", "customer-a/ce", "customer-a/nat", "provider/nat"
PORTAL = "provider/portal"
LINK_BACK = {
    f"{CE}: remove interface: not part of the fabric, or configured otherwise",
    f"{NAT}: remove interface: the far end of its link is replaced",
    f"{CE}: create link: missing",
    f"{CE}: configure interface: its link is new",
    f"{NAT}: configure interface: its link is new",
    f"{CE}: add route: 10.2.2.0/28 is missing",
    f"{NAT}: add route: 10.1.1.0/24 is missing",
}

DRIFTS = {
    "rule deleted": (
        NAT,
        "nft flush chain inet farshore_filter forwarding",
        {"load rule set: modified by another program"},
    ),
    "rule added": (
        NAT,
        "nft add rule inet farshore_filter forwarding accept",
        {"load rule set: modified by another program"},
    ),
    "policy changed": (
        NAT,
        "nft add chain inet farshore_filter forwarding { policy accept ; }",
        {"load rule set: modified by another program"},
    ),
    "chain added": (
        NAT,
        "nft add chain inet farshore_filter mine { type filter hook forward priority 7 ; policy drop ; }",
        {"load rule set: modified by another program"},
    ),
    "priority changed": (
        NAT,
        (
            "nft delete chain inet farshore_filter to_device ; "
            "add chain inet farshore_filter to_device { type filter hook input priority 3 ; }"
        ),
        {"load rule set: modified by another program"},
    ),
    "element deleted": (
        NAT,
        "nft delete element inet farshore_filter guards_in { lake : jump in-lake }",
        {"load rule set: modified by another program"},
    ),
    "element added": (
        FAR,
        "nft add element inet farshore_filter ports_lake_to_provider { 10.3.3.1 . tcp . 22 }",
        {"load rule set: modified by another program"},
    ),
    "table deleted": (FAR, "nft delete table ip farshore_nat", {"load rule set: modified by another program"}),
    "all rules deleted": (FAR, "nft flush ruleset", {"load rule set: no rule set is loaded"}),
    "route deleted": (CE, "ip route del 10.2.2.0/28", {"add route: 10.2.2.0/28 is missing"}),
    "route added": (
        CE,
        "ip route add 10.9.9.0/24 via 169.254.0.1 dev nat onlink proto static",
        {"remove route: unicast 10.9.9.0/24 in table 254, protocol 4 is not part of the fabric"},
    ),
    "blackhole deleted": (NAT, "ip route del blackhole 100.65.0.0/24", {"add route: 100.65.0.0/24 is missing"}),
    "setting changed": (
        CE,
        "sysctl -qw net.ipv4.ip_forward=0",
        {
            "set kernel setting: net/ipv4/ip_forward: desired value 1",
            # The kernel sets this one itself when the other changes.
            "set kernel setting: net/ipv4/conf/all/accept_redirects: desired value 0",
        },
    ),
    "setting of new interfaces changed": (
        CE,
        "sysctl -qw net.ipv4.conf.default.forwarding=0",
        {"set kernel setting: net/ipv4/conf/default/forwarding: desired value 1"},
    ),
    "echo switched off": (
        PORTAL,
        "sysctl -qw net.ipv4.icmp_echo_ignore_all=1",
        {"set kernel setting: net/ipv4/icmp_echo_ignore_all: desired value 0"},
    ),
    "hop limit changed": (
        PORTAL,
        "sysctl -qw net.ipv4.ip_default_ttl=1",
        {"set kernel setting: net/ipv4/ip_default_ttl: desired value 64"},
    ),
    "neighbour deleted": (
        CE,
        "ip neighbour del 169.254.0.1 dev nat",
        {"configure interface: differs from the desired configuration"},
    ),
    "address deleted": (ALICE, "ip address flush dev wan", None),
    # When an interface loses its last address, the kernel removes its routes.
    "address added": (
        CE,
        "ip address add 10.7.7.7/32 dev nat",
        {"configure interface: differs from the desired configuration", "add route: 10.2.2.0/28 is missing"},
    ),
    "interface down": (
        CE,
        "ip link set nat down",
        {"configure interface: differs from the desired configuration", "add route: 10.2.2.0/28 is missing"},
    ),
}


def drifted(fabric: Fabric, node: str, command: str) -> tuple[list[str], list[str], bool, bool]:
    """Let somebody change something.

    Return what one application did, what another did, whether Alice is well, and whether the rules are as before.
    """
    live_tools.build(fabric)
    before = in_order(live_tools.rules_in(node))
    # A settings file is all that is needed of sysctl(8), which a small machine may not have.
    words = command.split()
    with PRIVATE.entered(namespace_name(node)):
        if words[0] == "sysctl":
            name, _, value = words[-1].partition("=")
            (Path("/proc/sys") / name.replace(".", "/")).write_text(value, encoding="ascii")
        else:
            subprocess.run([f"/usr/sbin/{words[0]}", *words[1:]], check=True)
    return live_tools.build(fabric), live_tools.build(fabric), is_well(), in_order(live_tools.rules_in(node)) == before


def in_order(rules: str) -> str:
    """Return a listing with what stands in braces in order, and its parts too, less the number of transactions."""
    rules = re.sub(r"generation:\d+", "", rules)
    braces = re.compile(r"\{ ([^}]*) \}")
    listing = braces.sub(lambda found: " ".join(sorted(re.split(r",\s+", found[1]))), rules)
    return "\n".join(sorted(re.split(r"\n\n|\n(?=table)", listing)))


def is_well() -> bool:
    """Tell whether Alice's pings come back."""
    pinger = live_tools.Pinger(ALICE, "10.1.1.1")
    with pinger.socket:
        message = pinger.ping("10.2.2.1", 4)
    return message is not None and message.kind == live_tools.ECHO_REPLY


@pytest.mark.parametrize(("node", "command", "changes"), DRIFTS.values(), ids=DRIFTS.keys())
def test_one_application_heals(shared_world: World, node: str, command: str, changes: set[str] | None) -> None:
    first, second, well, same = shared_world.call(drifted, case(DISTINCT).fabric, node, command)
    if changes is not None:
        assert set(first) == {f"{node}: {change}" for change in changes}
    assert first
    assert {line.partition(":")[0] for line in first} == {node}
    assert second == []
    assert well
    assert same


@pytest.mark.parametrize(
    ("command", "spared"),
    [
        ("ip link set nat mtu 1400", set()),
        ("ip link set nat address 02:00:00:00:00:01", set()),
        ("ip link del nat", {f"{CE}: remove interface", f"{NAT}: remove interface"}),
    ],
)
def test_a_changed_link_is_made_anew(shared_world: World, command: str, spared: set[str]) -> None:
    first, second, well, same = shared_world.call(drifted, case(DISTINCT).fabric, CE, command)
    assert set(first) == {line for line in LINK_BACK if line.rpartition(": ")[0] not in spared}
    assert second == []
    assert well
    assert same


def without_default_and_link(fabric: Fabric) -> tuple[list[str], list[str], bool]:
    """Have new interfaces of a router forward nothing, and take a link away."""
    live_tools.build(fabric)
    with PRIVATE.entered(namespace_name(CE)):
        Path("/proc/sys/net/ipv4/conf/default/forwarding").write_text("0", encoding="ascii")
        subprocess.run(["/usr/sbin/ip", "link", "del", "nat"], check=True)
    return live_tools.build(fabric), live_tools.build(fabric), is_well()


def test_a_link_made_anew_forwards_whatever_new_ones_began_with(shared_world: World) -> None:
    first, second, well = shared_world.call(without_default_and_link, case(DISTINCT).fabric)
    assert f"{CE}: set kernel setting: net/ipv4/conf/default/forwarding: desired value 1" in first
    assert second == []
    assert well


def wanted_otherwise(before: Fabric, after: Fabric) -> tuple[list[str], list[str]]:
    """Go from one fabric to another; return both applications' changes."""
    live_tools.build(before)
    return live_tools.build(after), live_tools.build(after)


def test_a_wanted_route_is_all_that_changes(shared_world: World) -> None:
    def with_one_more(box: Device) -> Device:
        return replace(box, routes=(*box.routes, Route(Prefix(LAKE, IPv4Network("100.99.0.0/16")), None)))

    fabric = case(DISTINCT).fabric
    first, second = shared_world.call(wanted_otherwise, fabric, with_device(fabric, FAR, with_one_more))
    assert first == [f"{FAR}: add route: 100.99.0.0/16 is missing"]
    assert second == []


def test_a_wanted_mtu_makes_one_link_anew(shared_world: World) -> None:
    fabric = case(DISTINCT).fabric
    first, second = shared_world.call(wanted_otherwise, fabric, with_mtu(fabric, CE, NAT, 1400))
    both = {f"{node}: remove interface: not part of the fabric, or configured otherwise" for node in (CE, NAT)}
    assert set(first) == both | {line for line in LINK_BACK if "remove interface" not in line}
    assert second == []
