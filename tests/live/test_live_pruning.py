"""What is not part of the fabric goes, by one application and by name; the next has nothing to do."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import live_tools
import pytest
from live_intents import DISTINCT, POOLED, case, without_tenant
from live_world import World

from farshore.engine.nftables.desired import compile_fabric
from farshore.engine.nftables.engine import Nftables
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.machine.apply import apply
from farshore.machine.world import PRIVATE

pytestmark = pytest.mark.kernel

ALICE, CE, NAT, FAR = "customer-a/alice", "customer-a/ce", "customer-a/nat", "provider/nat"
ADDED = "modified by another program"

# Of each: the node, the commands of somebody else, and what the application says, in the node's lines.
STRANGE = {
    "rule": (CE, "ip rule add priority 50 unreachable", ["remove routing rule: rule 50 unreachable, IPv4"]),
    "rule of IPv6": (CE, "ip -6 rule add priority 50 table 77", ["remove routing rule: rule 50 lookup, IPv6"]),
    "rule of the kernel lost": (CE, "ip rule del priority 32766", ["add routing rule: rule 32766 is missing"]),
    "chain that drops": (
        CE,
        (
            "nft add table inet theirs ; "
            "nft add chain inet theirs f { type filter hook forward priority 0 ; policy drop ; }"
        ),
        ["remove rule set: table inet theirs"],
    ),
    "table beside ours": (NAT, "nft add table ip theirs", ["remove rule set: table ip theirs"]),
    "table beside ours that translates": (
        NAT,
        (
            "nft add table ip theirs ; "
            "nft add chain ip theirs n { type nat hook postrouting priority 90 ; } ; "
            "nft add rule ip theirs n masquerade"
        ),
        ["remove rule set: table ip theirs"],
    ),
    "counter in our table": (NAT, "nft add counter inet farshore_filter theirs", [f"load rule set: {ADDED}"]),
    "quota in our table": (NAT, "nft add quota inet farshore_filter theirs { 10 mbytes }", [f"load rule set: {ADDED}"]),
    "set in our table": (NAT, "nft add set inet farshore_filter s { type ipv4_addr ; }", [f"load rule set: {ADDED}"]),
    "ct timeout in our table": (
        NAT,
        "nft add ct timeout inet farshore_filter t { protocol udp ; policy = { unreplied : 3 } ; }",
        [f"load rule set: {ADDED}"],
    ),
    "table asleep": (NAT, "nft add table inet farshore_filter { flags dormant ; }", [f"load rule set: {ADDED}"]),
    "queueing discipline": (
        CE,
        "tc qdisc add dev nat root tbf rate 1mbit burst 10kb latency 50ms",
        ["remove queueing discipline: tbf on nat"],
    ),
    "place for filters": (
        CE,
        "tc qdisc add dev nat clsact",
        ["remove queueing discipline: clsact on nat"],
    ),
    "link renamed": (
        CE,
        "ip link set nat down ; ip link set nat name other ; ip link set other up",
        ["remove interface", "create link", "configure interface"],
    ),
    "veth": (CE, "ip link add theirs type veth peer name others", ["remove interface", "remove interface"]),
    "bridge": (
        CE,
        "ip link add theirs type bridge ; ip link set nat master theirs",
        ["remove interface", "configure interface"],
    ),
    "address": (CE, "ip address add 10.7.7.7/24 dev nat", ["remove address: 10.7.7.7/24 on nat", "add route"]),
    "address of a host": (ALICE, "ip address add 10.1.1.9/24 dev wan", ["remove address: 10.1.1.9/24 on wan"]),
    "address of the loopback": (CE, "ip address add 10.7.7.7/32 dev lo", ["remove address: 10.7.7.7/32 on lo"]),
    "address of IPv6": (
        CE,
        "sysctl net.ipv6.conf.nat.disable_ipv6=0 ; ip address add fd00::7/64 dev nat",
        ["set kernel setting: net/ipv6/conf/nat/disable_ipv6", "remove address"],
    ),
    "blackhole in another table": (
        CE,
        "ip route add blackhole 10.8.0.0/16 table 77 proto boot",
        ["remove route: blackhole 10.8.0.0/16 in table 77, protocol 3"],
    ),
    "local route": (CE, "ip route add local 10.8.0.0/16 dev lo table local", ["remove route: local 10.8.0.0/16"]),
    "route of a daemon": (
        CE,
        "ip route add 10.8.0.0/16 via 169.254.0.1 dev nat onlink proto bgp",
        ["remove route: unicast 10.8.0.0/16 in table 254, protocol 186"],
    ),
    "route with a metric": (
        CE,
        "ip route add 10.2.2.0/28 via 169.254.0.1 dev nat onlink metric 7",
        ["remove route: unicast 10.2.2.0/28 in table 254, protocol 3"],
    ),
    "neighbour": (
        CE,
        "ip neighbour add 10.2.2.1 lladdr 02:00:00:00:00:09 dev nat nud permanent",
        ["remove neighbour: 10.2.2.1 on nat"],
    ),
    "loopback down": (CE, "ip link set lo down", ["set loopback up: down, or without its routes"]),
    "routes of the loopback lost": (NAT, "ip route flush table local", ["set loopback up"]),
    "route of an address lost": (ALICE, "ip route flush table local", ["configure interface"]),
    "no ARP": (CE, "ip link set nat arp off", ["configure interface"]),
    "setting of an interface": (
        CE,
        "sysctl net.ipv4.conf.nat.rp_filter=1",
        ["set kernel setting: net/ipv4/conf/nat/rp_filter: desired value 0"],
    ),
    "proxy neighbour": (
        CE,
        "ip neighbour add proxy 10.2.2.1 dev nat",
        ["remove neighbour: proxy for 10.2.2.1 on nat"],
    ),
    "neighbour without resolution": (
        CE,
        "ip neighbour add 10.2.2.1 lladdr 02:00:00:00:00:09 dev nat nud noarp",
        ["remove neighbour: 10.2.2.1 on nat"],
    ),
    "next-hop object, and a route by it": (
        CE,
        "ip nexthop add id 7 dev nat ; ip nexthop add id 8 group 7 ; ip route add 10.8.0.0/16 nhid 8",
        ["remove next-hop object: next-hop object 7", "remove next-hop object: next-hop object 8", "remove route"],
    ),
    "route that the kernel is to have made": (
        CE,
        "ip route add local 10.8.8.8 dev nat table local proto kernel",
        ["remove route: local 10.8.8.8/32 in table 255, protocol kernel"],
    ),
    "route of IPv6 that the kernel is to have made": (
        CE,
        "ip -6 route add unreachable fd07::/64 proto kernel",
        ["remove route: unreachable fd07::/64"],
    ),
    "rule of multicast": (CE, "ip mrule add priority 5 table 7", ["remove routing rule: rule 5, IPv4 multicast"]),
    "rule of IPv6 multicast": (
        CE,
        "ip -6 mrule add priority 5 table 7",
        ["remove routing rule: rule 5, IPv6 multicast"],
    ),
    "alternative name": (
        CE,
        "ip link property add dev nat altname theirs ; ip link property add dev nat altname others",
        ["remove alternative name: theirs of nat", "remove alternative name: others of nat"],
    ),
    "alternative name of the loopback, which is that of a link": (
        CE,
        "ip link del nat ; ip link property add dev lo altname nat",
        ["remove alternative name: nat of lo", "create link: missing"],
    ),
    "dormant link": (
        CE,
        "ip link set nat mode dormant ; ip link set nat state dormant",
        ["configure interface: differs from the desired configuration"],
    ),
    "filter of a classifier": (
        CE,
        ("tc qdisc add dev nat clsact ; tc filter add dev nat egress protocol ip u32 match ip src 1.2.3.4 flowid 1:1"),
        ["remove queueing discipline: clsact on nat"],
    ),
    "place for filters of the older kind": (
        CE,
        "tc qdisc add dev nat ingress",
        ["remove queueing discipline: ingress on nat"],
    ),
    "queue of the loopback": (CE, "tc qdisc add dev lo root pfifo", ["remove queueing discipline: pfifo on lo"]),
    "IPsec policy": (
        CE,
        "ip xfrm policy add src 10.0.0.0/8 dst 10.2.2.0/28 dir in action block",
        ["remove IPsec entry: IPsec policy 10.0.0.0/8 to 10.2.2.0/28, in"],
    ),
    "IPsec default": (CE, "ip xfrm policy setdefault fwd block", ["remove IPsec entry: IPsec default policy"]),
    "iptables": (
        CE,
        "iptables-legacy -A FORWARD -j DROP",
        ["delete namespace: rules of iptables in its table filter: it is made anew", "create namespace"],
    ),
    "iptables of IPv6": (
        NAT,
        "ip6tables-legacy -A FORWARD -j DROP",
        ["delete namespace: rules of ip6tables in its table filter: it is made anew"],
    ),
    "policy of iptables": (
        CE,
        "iptables-legacy -P FORWARD DROP",
        ["delete namespace: rules of iptables in its table filter: it is made anew"],
    ),
    "iptables by nft": (CE, "iptables-nft -A FORWARD -j DROP", ["remove rule set: table ip filter"]),
    "setting of local sources": (
        CE,
        "sysctl net.ipv4.conf.nat.accept_local=1",
        ["set kernel setting: net/ipv4/conf/nat/accept_local: desired value 0"],
    ),
    "setting of proxies": (
        CE,
        "sysctl net.ipv4.conf.all.proxy_arp=1",
        ["set kernel setting: net/ipv4/conf/all/proxy_arp: desired value 0"],
    ),
    "host that forwards": (ALICE, "sysctl net.ipv4.ip_forward=1", ["set kernel setting: net/ipv4/ip_forward"]),
}


def run_in(node: str, commands: str) -> None:
    """Run commands in a node with the programs that other people have, and no code of ours."""
    for command in commands.split(" ; ") if not commands.startswith("nft") else commands.split(" ; nft "):
        words = command.removeprefix("nft ").split() if commands.startswith("nft") else command.split()
        program = "nft" if commands.startswith("nft") else words.pop(0)
        name = node.replace("/", ".")
        if program == "sysctl":
            path, _, value = words[0].partition("=")
            words, program = ["-c", f"echo {value} > /proc/sys/{path.replace('.', '/')}"], "sh"
        subprocess.run(["/usr/sbin/ip", "netns", "exec", name, program, *words], check=True)


def missing(commands: str) -> None:
    """Skip a test where this machine lacks one of the programs."""
    for command in commands.split(" ; "):
        program = command.split()[0]
        if "tables" in program and shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
            pytest.skip(f"{program} is not installed: sudo apt-get install --yes iptables")


def meddled(fabric: Fabric, node: str, commands: str) -> tuple[list[str], list[str], bool]:
    """Build a fabric, have somebody add something, and build it twice more: what was done, and is Alice well?"""
    live_tools.build(fabric)
    run_in(node, commands)
    first, second = live_tools.build(fabric), live_tools.build(fabric)
    return first, second, is_well()


def is_well() -> bool:
    """Tell whether Alice's pings come back."""
    pinger = live_tools.Pinger(ALICE, "10.1.1.1")
    with pinger.socket:
        message = pinger.ping("10.2.2.1", 4)
    return message is not None and message.kind == live_tools.ECHO_REPLY


@pytest.mark.parametrize(("node", "commands", "said"), STRANGE.values(), ids=STRANGE.keys())
def test_what_somebody_adds_goes_by_name(shared_world: World, node: str, commands: str, said: list[str]) -> None:
    missing(commands)
    first, second, well = shared_world.call(meddled, case(DISTINCT).fabric, node, commands)
    assert second == []
    assert well
    for each in said:
        assert [line for line in first if line.startswith(f"{node}: {each}")]


def with_a_multicast_route(fabric: Fabric) -> tuple[list[str], list[str]]:
    """Have others route a group by a socket, as a multicast daemon does (linux/mroute.h)."""
    live_tools.build(fabric)
    with live_tools.open_socket(CE, socket.SOCK_RAW, socket.IPPROTO_IGMP) as daemon:
        daemon.setsockopt(socket.IPPROTO_IP, 200, 1)  # MRT_INIT
        with PRIVATE.entered(CE.replace("/", ".")):
            names = sorted(name for _, name in socket.if_nameindex() if name != "lo")
            for number, name in enumerate(names):
                interface = struct.pack("=HBBIi4x", number, 8, 1, 0, socket.if_nametoindex(name))
                daemon.setsockopt(socket.IPPROTO_IP, 202, interface)  # MRT_ADD_VIF
        group = socket.inet_aton("10.1.1.1") + socket.inet_aton("239.1.1.1")
        daemon.setsockopt(socket.IPPROTO_IP, 204, group + struct.pack("=H32s2x16x", 1, b"\1" + bytes(31)))
        return live_tools.build(fabric), live_tools.build(fabric)


def test_a_multicast_route_goes(shared_world: World) -> None:
    first, second = shared_world.call(with_a_multicast_route, case(DISTINCT).fabric)
    assert [each for each in first if each.startswith(f"{CE}: remove route: IPv4 multicast route")]
    assert second == []


LOOKS = (
    "ip -s link ; iptables-legacy -n -L ; ip6tables-legacy -n -L ; ip xfrm policy ; ip nexthop ; tc qdisc ; ip mroute"
)


def test_who_only_looks_changes_nothing(shared_world: World) -> None:
    missing(LOOKS)
    first, second, well = shared_world.call(meddled, case(DISTINCT).fabric, CE, LOOKS)
    assert [each for each in first if each.startswith(CE)] == []
    assert second == []
    assert well


def meddled_and_changed(before: Fabric, after: Fabric, command: str) -> tuple[list[str], bool]:
    """Have somebody add something to a table that is then reloaded; return a second application, and is it there."""
    live_tools.build(before)
    run_in(NAT, command)
    live_tools.build(after)
    return live_tools.build(after), "theirs" in live_tools.rules_in(NAT)


@pytest.mark.parametrize(
    "command",
    [
        "nft add counter inet farshore_filter theirs",
        "nft add ct timeout inet farshore_filter theirs { protocol udp ; policy = { unreplied : 3 } ; }",
    ],
)
def test_what_is_added_before_a_reload_does_not_survive_it(world: World, command: str) -> None:
    before, after = case(DISTINCT).fabric, case(POOLED).fabric
    again, there = world.call(meddled_and_changed, before, after, command)
    assert again == []
    assert not there


def names() -> list[str]:
    """Return the names of all namespaces."""
    return sorted(path.name for path in Path("/run/netns").iterdir())


def shrunk(before: Fabric, after: Fabric) -> tuple[list[str], list[str], list[str]]:
    """Go from one fabric to another; return the changes, those of a second application, and the namespaces."""
    live_tools.build(before)
    return live_tools.build(after), live_tools.build(after), names()


def test_a_tenant_that_goes_takes_its_namespaces_along(world: World) -> None:
    whole = case(DISTINCT)
    after = without_tenant(whole, "customer-b")
    first, second, left = world.call(shrunk, whole.fabric, after)
    gone = {node for node in whole.fabric.nodes if node.startswith("customer-b/")}
    assert len(gone) == 3
    assert {f"{name}: delete namespace: not part of the fabric" for name in gone} <= set(first)
    assert left == sorted(node.replace("/", ".") for node in after.nodes)
    assert second == []
    # Closed before it is taken apart: no namespace is deleted while a link leads into it.
    deletions = [number for number, line in enumerate(first) if "delete namespace" in line]
    removals = [number for number, line in enumerate(first) if "remove interface" in line]
    assert max(removals) < min(deletions)


def with_a_namespace(fabric: Fabric) -> tuple[list[str], list[str], list[str]]:
    """Have somebody add a namespace with a link into one of ours."""
    live_tools.build(fabric)
    subprocess.run(["/usr/sbin/ip", "netns", "add", "theirs"], check=True)
    run_in("theirs", "ip link add out type veth peer name in netns customer-a.ce")
    return live_tools.build(fabric), live_tools.build(fabric), names()


def test_a_foreign_namespace_goes(world: World) -> None:
    fabric = case(DISTINCT).fabric
    first, second, left = world.call(with_a_namespace, fabric)
    assert first == [
        "theirs: remove interface: its node is not part of the fabric",
        f"{CE}: remove interface: not part of the fabric, or configured otherwise",
        "theirs: delete namespace: not part of the fabric",
    ]
    assert second == []
    assert "theirs" not in left


def beside_others(before: Fabric, after: Fabric) -> tuple[list[str], list[str], list[str], str]:
    """Apply where namespaces are not all ours: return the changes, those of a second application, names, a refusal."""
    shared = replace(PRIVATE, private=False)
    subprocess.run(["/usr/sbin/ip", "netns", "add", "theirs"], check=True)
    run_in("theirs", "ip link add out type veth peer name in")
    apply(compile_fabric(before), (Nftables(),), shared)
    first = [str(change) for change in apply(compile_fabric(after), (Nftables(),), shared)]
    second = [str(change) for change in apply(compile_fabric(after), (Nftables(),), shared)]
    there = names()
    subprocess.run(["/usr/sbin/ip", "netns", "add", "customer-b.ce"], check=True)
    try:
        apply(compile_fabric(before), (Nftables(),), shared)
    except MachineError as error:
        return first, second, there, str(error)
    return first, second, there, ""


def test_beside_others_only_what_carries_our_mark_goes(world: World) -> None:
    whole = case(DISTINCT)
    after = without_tenant(whole, "customer-b")
    first, second, there, refusal = world.call(beside_others, whole.fabric, after)
    assert len([line for line in first if "delete namespace" in line]) == 3
    assert not [line for line in first if line.startswith("theirs")]
    assert second == []
    assert there == sorted(["theirs", *(node.replace("/", ".") for node in after.nodes)])
    assert refusal.startswith("customer-b/ce: a network namespace 'customer-b.ce' exists that farshore has not made; ")


def with_a_daemon(fabric: Fabric) -> list[list[str]]:
    """Declare a routing daemon's protocol, and let it route: return what is done with it, and then without it."""
    desired = compile_fabric(fabric)
    routed = replace(desired.nodes[CE], daemons=frozenset({186}))  # type: ignore[index]
    declared = replace(desired, nodes={**desired.nodes, routed.name: routed})
    apply(declared, (Nftables(),), PRIVATE)
    run_in(CE, "ip route add 10.8.0.0/16 via 169.254.0.1 dev nat onlink proto bgp")
    return [[str(change) for change in apply(each, (Nftables(),), PRIVATE)] for each in (declared, desired)]


def test_routes_of_a_declared_daemon_are_no_drift(world: World) -> None:
    declared, undeclared = world.call(with_a_daemon, case(DISTINCT).fabric)
    assert declared == []
    assert undeclared == [
        f"{CE}: remove route: unicast 10.8.0.0/16 in table 254, protocol 186 is not part of the fabric"
    ]
