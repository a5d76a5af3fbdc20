"""From anything that others have made of a fabric, and from any fabric, to the one that is desired: by one application.

What stands in the end is seen by other people's programs, and held against a fabric that was made from nothing.
"""

from __future__ import annotations

import functools
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import live_tools
import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st
from live_intents import DISTINCT, case
from live_snapshot import differences, snapshot
from live_world import World

import strategies
from farshore.design.catalogue import build
from farshore.engine.nftables.desired import compile_fabric
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.intent.model import Intent
from farshore.machine.apply import remove
from farshore.machine.desired import DesiredState
from farshore.machine.world import PRIVATE
from farshore.plan.allocate import allocate

pytestmark = pytest.mark.kernel

# Of a failure the example as it was drawn is shown: each takes a second, and making it smaller takes hundreds.
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
BOUNDED = settings(
    max_examples=25, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
FEW = settings(BOUNDED, max_examples=12)

# --- drift ---------------------------------------------------------------------------------------------------

FABRIC = case(DISTINCT).fabric
DESIRED = compile_fabric(FABRIC)
INTERFACES = {str(name): [each.name for each in node.interfaces] for name, node in DESIRED.nodes.items()}
PREFIXES = st.sampled_from(["10.1.1.0/24", "10.2.2.0/28", "10.9.0.0/16", "0.0.0.0/0", "100.64.0.0/10", "100.65.0.0/24"])
ADDRESSES = st.sampled_from(["10.1.1.1/32", "10.7.7.7/24", "10.1.1.1/24", "169.254.0.1/32", "fd00::7/64"])
TABLES = st.sampled_from(["main", "local", "77", "253"])
PRIORITIES = st.sampled_from([0, 5, 13, 50, 32766, 32767, 40000])
HOSTS = st.sampled_from(["10.1.1.1", "10.2.2.1", "169.254.0.1", "100.65.0.1"])
HOOKS = st.sampled_from(["prerouting", "input", "forward", "output", "postrouting"])
OURS = st.sampled_from(["inet farshore_filter", "ip farshore_nat", "inet farshore_record"])
CHAINS = st.sampled_from(["forwarding", "arriving", "departing", "to_device", "translate_source", "in-lake"])
SETTINGS = st.sampled_from(
    [
        "ipv4/ip_forward=0",
        "ipv4/ip_forward=1",
        "ipv4/conf/all/rp_filter=1",
        "ipv4/conf/default/rp_filter=2",
        "ipv4/conf/{interface}/rp_filter=1",
        "ipv4/conf/default/forwarding=0",
        "ipv4/conf/default/forwarding=1",
        "ipv4/conf/{interface}/forwarding=0",
        "ipv4/ip_default_ttl=1",
        "ipv4/conf/{interface}/accept_redirects=1",
        "ipv4/conf/all/send_redirects=1",
        "ipv6/conf/all/disable_ipv6=0",
        "ipv6/conf/{interface}/disable_ipv6=0",
        "netfilter/nf_conntrack_udp_timeout=5",
        "ipv4/conf/all/route_localnet=1",
        "ipv4/conf/{interface}/accept_local=1",
        "ipv4/conf/default/proxy_arp=1",
    ]
)


@st.composite
def commands(draw: st.DrawFn) -> str:
    """Draw what somebody does in a node: one command, which may also fail."""
    text = draw(
        st.one_of(
            st.builds("ip route {} {} dev {{interface}} table {}".format, VERBS, PREFIXES, TABLES),
            st.builds(
                "ip route {} {} via 169.254.0.1 dev {{interface}} onlink proto {} metric {}".format,
                VERBS,
                PREFIXES,
                st.sampled_from(["static", "bgp", "kernel", "102"]),
                st.sampled_from([0, 7]),
            ),
            st.builds(
                "ip route {} {} {} table {}".format,
                VERBS,
                st.sampled_from(["blackhole", "prohibit", "unreachable"]),
                PREFIXES,
                TABLES,
            ),
            st.builds("ip route flush table {}".format, TABLES),
            st.builds("ip rule add priority {} {}".format, PRIORITIES, st.sampled_from(["unreachable", "table 77"])),
            st.builds("ip rule add priority {} fwmark 7 goto 40001".format, PRIORITIES),
            st.builds("ip rule del priority {}".format, PRIORITIES),
            st.builds("ip -6 rule add priority {} table 77".format, PRIORITIES),
            st.builds("ip address add {} dev {{interface}}".format, ADDRESSES),
            st.just("ip address add 10.7.7.7/32 dev lo"),
            st.just("ip address flush dev {interface}"),
            st.just("ip neighbour flush dev {interface} nud permanent"),
            st.just("ip neighbour replace 169.254.0.1 lladdr 02:00:00:00:00:09 dev {interface} nud permanent"),
            st.just("ip neighbour add 10.2.2.1 lladdr 02:00:00:00:00:09 dev {interface} nud permanent"),
            st.builds(
                "ip link set {{interface}} {}".format,
                st.sampled_from(
                    ["down", "mtu 1300", "address 02:00:00:00:00:09", "arp off", "promisc on", "alias theirs"]
                ),
            ),
            st.just("ip link set {interface} name renamed"),
            st.just("ip link del {interface}"),
            st.just("ip link set {interface} netns theirs"),
            st.just("ip link add theirs type veth peer name others netns theirs"),
            st.just("ip link add theirs type bridge"),
            st.just("ip link set {interface} master theirs"),
            st.just("ip link add theirs type vxlan id 7 dstport 4789"),
            st.just("ip link set lo down"),
            st.just("tc qdisc add dev {interface} root tbf rate 1mbit burst 10kb latency 50ms"),
            st.builds(
                "tc qdisc {} dev {{interface}} {}".format, VERBS, st.sampled_from(["clsact", "ingress", "root pfifo"])
            ),
            st.just("tc qdisc add dev lo root noqueue"),
            st.builds(
                "tc filter add dev {{interface}} {} protocol ip u32 match ip src 10.1.1.1 flowid 1:1".format,
                st.sampled_from(["ingress", "egress"]),
            ),
            st.builds("ip neighbour {} proxy {} dev {{interface}}".format, VERBS, HOSTS),
            st.builds(
                "ip neighbour {} {} lladdr 02:00:00:00:00:09 dev {{interface}} {}".format,
                VERBS,
                HOSTS,
                st.sampled_from(["nud noarp", "extern_learn", "nud permanent"]),
            ),
            st.builds("ip nexthop add id {} dev {{interface}}".format, st.sampled_from([7, 8])),
            st.just("ip nexthop add id 9 group 7/8"),
            st.builds("ip route {} {} nhid {}".format, VERBS, PREFIXES, st.sampled_from([7, 8, 9])),
            st.builds("ip route add local {} dev {{interface}} table local proto kernel".format, HOSTS),
            st.builds(
                "ip -6 route add {} fd07::/64 proto kernel".format, st.sampled_from(["unreachable", "dev {interface}"])
            ),
            st.builds("ip {}mrule add priority {} table 77".format, st.sampled_from(["", "-6 "]), PRIORITIES),
            st.builds("ip {}mrule del priority 32767".format, st.sampled_from(["", "-6 "])),
            st.builds("ip link property add dev {{interface}} altname {}".format, st.sampled_from(["theirs", "wan"])),
            st.builds("ip link set {{interface}} {}".format, st.sampled_from(["mode dormant", "state dormant"])),
            st.builds(
                "ip xfrm policy add src 10.0.0.0/8 dst {} dir {} action block".format,
                PREFIXES,
                st.sampled_from(["in", "out", "fwd"]),
            ),
            st.builds("ip xfrm policy setdefault {} block".format, st.sampled_from(["in", "out", "fwd"])),
            st.builds(
                "{}tables-{} {} {} {}".format,
                st.sampled_from(["ip", "ip6"]),
                st.sampled_from(["legacy", "nft"]),
                st.sampled_from(["-A", "-I"]),
                st.sampled_from(["FORWARD", "INPUT"]),
                st.sampled_from(["-j DROP", "-j ACCEPT"]),
            ),
            st.just("iptables-legacy -P FORWARD DROP"),
            st.just("iptables-legacy -t nat -A POSTROUTING -j MASQUERADE"),
            st.just("iptables-legacy -n -L"),
            st.just("bridge fdb add 02:00:00:00:00:09 dev {interface}"),
            st.builds("sysctl {}".format, SETTINGS),
            st.builds("nft delete table {}".format, OURS),
            st.builds("nft flush chain {} {}".format, OURS, CHAINS),
            st.builds("nft add rule {} {} accept".format, OURS, CHAINS),
            st.builds("nft add counter {} theirs".format, OURS),
            st.builds("nft add table {} {{{{ flags dormant ; }}}}".format, OURS),
            st.builds(
                "nft add chain {} theirs {{{{ type filter hook {} priority {} ; policy drop ; }}}}".format,
                st.sampled_from(["inet farshore_filter", "ip theirs", "inet theirs"]),
                HOOKS,
                st.sampled_from([-400, 0, 300]),
            ),
            st.just("nft add table ip theirs"),
            st.just("nft flush ruleset"),
            st.just("netns add"),
            st.just("netns delete"),
        )
    )
    return str(text)


VERBS = st.sampled_from(["add", "replace", "append", "del"])
DRIFT = st.lists(st.tuples(st.sampled_from(sorted(INTERFACES)), commands(), st.integers(0, 3)), min_size=1, max_size=5)


def meddle(node: str, command: str, number: int) -> None:
    """Do something in a node by other people's programs; where they refuse, nothing is done."""
    name = node.replace("/", ".")
    command = command.format(interface=INTERFACES[node][number % len(INTERFACES[node])])
    ip = "/usr/sbin/ip"
    if command.startswith("netns"):
        words = [ip, "netns", "add", "theirs"] if command == "netns add" else [ip, "netns", "delete", name]
    elif command.startswith("sysctl"):
        path, _, value = command.removeprefix("sysctl ").partition("=")
        words = [ip, "netns", "exec", name, "sh", "-c", f"echo {value} > /proc/sys/net/{path}"]
    else:
        words = [ip, "netns", "exec", name, "sh", "-c", command.replace(";", "\\;")]
    subprocess.run(words, check=False, capture_output=True)


Healed = tuple[list[str], str, list[str], list[str]]


@functools.cache
def made_from_nothing() -> dict[str, list[str]]:
    """Return what is seen of the fabric where nobody has ever meddled."""
    remove(PRIVATE, PRIVATE.names())
    live_tools.build(FABRIC)
    return snapshot(FABRIC.nodes)


def drifted(drift: list[tuple[str, str, int]]) -> Healed:
    """Have somebody meddle, and apply twice: return what was done, a refusal, what differs, what was done again."""
    live_tools.build(FABRIC)
    desired = made_from_nothing()
    subprocess.run(["/usr/sbin/ip", "netns", "add", "theirs"], check=True, capture_output=True)
    for each in drift:
        meddle(*each)
    try:
        first = live_tools.build(FABRIC)
    except MachineError as error:
        remove(PRIVATE, PRIVATE.names())  # the next example begins anew
        return [], str(error), [], []
    seen = snapshot(FABRIC.nodes)
    names = [name for name in PRIVATE.names() if name not in {node.namespace for node in DESIRED.nodes.values()}]
    return first, "", differences(desired, seen) + names, live_tools.build(FABRIC)


@BOUNDED
@given(DRIFT)
def test_any_drift_ends_in_what_is_desired(shared_world: World, drift: list[tuple[str, str, int]]) -> None:
    first, refusal, different, again = shared_world.call(drifted, drift)
    note(f"{first} {refusal}")
    assert different == []
    assert again == []
    if refusal:
        assert refusal.partition(" ")[0].rstrip(":") in INTERFACES


# --- change --------------------------------------------------------------------------------------------------


def planned(intent: Intent) -> Fabric:
    """Return the fabric of an intent, in its own design."""
    plan = allocate(intent).plan
    assume(plan is not None)
    assert plan is not None
    return build(intent, plan, str(intent.design))


def changed(before: Fabric, after: Fabric) -> tuple[list[str], list[str]]:
    """Go from one fabric to another; return what differs from one made from nothing, and a second application."""
    live_tools.build(before)
    live_tools.build(after)
    names, seen = PRIVATE.names(), snapshot(_nodes(compile_fabric(after)))
    again = live_tools.build(after)
    remove(PRIVATE, PRIVATE.names())
    live_tools.build(after)
    fresh = snapshot(_nodes(compile_fabric(after)))
    left = sorted(set(names) ^ set(PRIVATE.names()))
    return differences(fresh, seen) + left, again


def _nodes(desired: DesiredState) -> list[str]:
    return [str(name) for name in desired.nodes]


@FEW
@given(strategies.mixed_intents(most_tenants=3), strategies.mixed_intents(most_tenants=3))
def test_nothing_of_any_fabric_remains_in_any_other(shared_world: World, one: Intent, other: Intent) -> None:
    different, again = shared_world.call(changed, planned(one), planned(other))
    assert different == []
    assert again == []


# --- traffic of those who are not changed --------------------------------------------------------------------

WITNESS, HERE, PORTAL = "customer-b/bill", "10.1.1.1", "10.2.2.1"
CHUNK = bytes(range(256)) * 8
OTHERS = {f"other-{number}": mode for number, mode in enumerate(["prefix", "host", "{pool: 2}"])}
WHOLE = case(
    DISTINCT
    + "".join(
        f"  {name}:\n    networks: [10.1.1.0/24]\n    presents: 10.2.2.0/28\n    sources: {mode}\n"
        f"    services: [portal, dns]\n    hosts: {{host: 10.1.1.1}}\n"
        for name, mode in OTHERS.items()
    )
)


@st.composite
def around_the_witness(draw: st.DrawFn) -> Fabric:
    """Draw a fabric with the witness as it always is, and of all others any, with any limits and services."""
    kept = draw(st.sets(st.sampled_from(["customer-a", *OTHERS])))
    intent, plan = WHOLE.intent, WHOLE.plan
    tenants = {
        name: tenant
        if name == "customer-b"
        else replace(
            tenant,
            sessions=draw(st.none() | st.integers(1, 99)),
            subscriptions=tenant.subscriptions[: draw(st.integers(1, 2))],
        )
        for name, tenant in intent.tenants.items()
        if name in {*kept, "customer-b"}
    }
    planned = {name: tenant for name, tenant in plan.tenants.items() if name in tenants}
    return build(replace(intent, tenants=tenants), replace(plan, tenants=planned), "lake")


def talking(steps: list[Fabric]) -> tuple[int, list[str], list[str]]:
    """Let the witness exchange without a pause while fabrics are applied.

    Return how often it did, what was lost, and what a further application does.
    """
    live_tools.build(steps[0])
    live_tools.serve_echo(steps[0])
    sent, lost = 0, []
    with (
        live_tools.tcp(WITNESS, HERE, 0, PORTAL, 443) as stream,
        live_tools.udp(WITNESS, HERE, 0, PORTAL, 5000) as asking,
        ThreadPoolExecutor(1) as pool,
    ):
        seen = {next(iter(json.loads(live_tools.read_line(stream))))}
        working = pool.submit(lambda: [live_tools.build(step) for step in steps[1:]])
        while not working.done() or sent < 20:
            sent += 1
            content = sent.to_bytes(4, "big")
            try:
                stream.sendall(CHUNK)
                address, _, echo = live_tools.ask(asking, content)
                seen.add(address)
                lost += [] if echo == content else [f"datagram {sent}"]
                lost += [] if live_tools.read_exactly(stream, len(CHUNK)) == CHUNK else [f"stream {sent}"]
            except OSError as error:
                lost.append(f"{sent}: {error}")
                break
        working.result()
    left = live_tools.build(steps[-1])
    remove(PRIVATE, PRIVATE.names())
    return sent, lost + [f"seen as {each}" for each in sorted(seen)[1:]], left


@settings(FEW, max_examples=8)
@given(st.lists(around_the_witness(), min_size=3, max_size=4))
def test_who_is_not_changed_loses_nothing(steps: list[Fabric]) -> None:
    with World() as world:  # the services that answer stay as long as their world
        sent, lost, left = world.call(talking, steps)
    assert sent >= 20
    assert lost == []
    assert left == []
