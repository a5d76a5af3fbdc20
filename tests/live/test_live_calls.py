"""The provider's hosts call tenants' hosts: those that may, where they may, by addresses that show nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

import live_tools
import pytest
from live_intents import DISTINCT, Case, case, device, interface_toward, unguarded, with_nodes
from live_tools import ECHO_REPLY, PORT_UNREACHABLE, TIME_EXCEEDED, UNREACHABLE, Icmp
from live_world import World
from test_live_addresses import BELONGS, Heard, Listening

from farshore.conformance.check import Outcome
from farshore.conformance.expectations import expectations
from farshore.fabric.model import EndSystem, Fabric
from farshore.fabric.names import NodeName
from farshore.plan.model import appearance
from farshore.realm import RealmKind

pytestmark = pytest.mark.kernel

MONITOR, MONITOR_IP = "provider/monitor", "10.3.3.50"
CALLED = ("customer-a/alice", "customer-b/bill")
HERE, PORT = "10.1.1.1", 40404
REACHED = DISTINCT.replace(
    "  services:\n    portal",
    f"  hosts: {{monitor: {MONITOR_IP}}}\n"
    "  reaches:\n"
    "    - {tenant: customer-a, ports: [tcp/22, udp/161, icmp]}\n"
    "    - {tenant: customer-b, ports: [tcp/22, udp/161, icmp]}\n"
    "  services:\n    portal",
    1,
)
AGAIN = REACHED.replace("  hosts:", "  source: [10.250.0.0/16]\n  hosts:", 1)
NAMED = REACHED.replace("sources: prefix", "sources: host")
TEXTS = {"keep": REACHED, "again": AGAIN, "host": NAMED}
AGAIN_BELONGS = {**BELONGS, RealmKind.PROVIDER: (*BELONGS[RealmKind.PROVIDER][::2], IPv4Network("10.250.0.0/16"))}


def dialled(whole: Case, node: str) -> str:
    """Return the address by which the provider's hosts know a tenant's host."""
    host = whole.fabric.nodes[node]
    assert isinstance(host, EndSystem)
    found = (appearance(source, host.address) for source in whole.plan.tenants[host.address.realm.name].sources)
    seen = next(a for a in found if a is not None)
    return str((seen.provider or seen.lake).ip)


def presented(whole: Case, node: str) -> str:
    """Return the address by which a tenant's host knows the monitor."""
    return str(whole.plan.tenants[NodeName(node).owner].callers["monitor"].ip)


def called_at_once(fabric: Fabric, targets: dict[str, str]) -> dict[str, dict[str, str]]:
    """From one port call everybody, all before any is answered, and say whom each saw, and what came back."""
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    got: dict[str, dict[str, str]] = {node: {} for node in targets}
    with contextlib.ExitStack() as stack:
        streams = {
            n: stack.enter_context(live_tools.tcp(MONITOR, MONITOR_IP, PORT, ip, 22)) for n, ip in targets.items()
        }
        asking = stack.enter_context(live_tools.udp(MONITOR, MONITOR_IP, PORT))
        pinger = live_tools.Pinger(MONITOR, MONITOR_IP)
        stack.enter_context(pinger.socket)
        for node, ip in targets.items():
            streams[node].sendall(node.encode())
            asking.sendto(node.encode(), (ip, 161))
        for node, stream in streams.items():
            seen = json.loads(live_tools.read_line(stream))[0]
            got[node]["tcp"] = f"{seen} {live_tools.read_exactly(stream, len(node)).decode()}"
        for _ in targets:
            content, (address, _) = asking.recvfrom(2000)
            seen, _, echo = content.partition(b"\n")
            node = next(node for node, ip in targets.items() if ip == address)
            got[node]["udp"] = f"{json.loads(seen)[0]} {echo.decode()}"
        for node, ip in targets.items():
            message = pinger.ping(ip, 7, payload=node.encode())
            assert message is not None
            assert message.kind == ECHO_REPLY
            got[node]["icmp"] = f"{message.source} {message.payload.decode()}"
    return got


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_everybody_who_is_called_answers_for_themselves(world: World, text: str) -> None:
    whole = case(text)
    targets = {node: dialled(whole, node) for node in CALLED}
    assert len(set(targets.values())) == len(targets)
    got = world.call(called_at_once, whole.fabric, targets)
    assert got == {
        node: {"tcp": f"{seen} {node}", "udp": f"{seen} {node}", "icmp": f"{ip} {node}"}
        for node, ip in targets.items()
        for seen in [presented(whole, node)]
    }


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_nothing_else_is_let_in_or_out(world: World, text: str) -> None:
    whole = case(text.replace("[tcp/22, udp/161, icmp]}\n  services", "[udp/161]}\n  services"))
    checks = expectations(whole.intent, whole.plan, whole.fabric)
    called = [check for check in checks if check.name.startswith(MONITOR)]
    assert {check.expected for check in called} == {Outcome.REACH, Outcome.BLOCK}
    world.call(live_tools.build, whole.fabric)
    world.call(live_tools.serve_lab, whole.fabric)
    results = world.call(live_tools.make_checks, checks, whole.fabric)
    assert [result for result in results if not result.ok] == []


def provoked(fabric: Fabric, alice: str, again: bool) -> tuple[Heard, dict[str, Icmp | None]]:
    """Call in every way, provoke every ICMP error on both ways, and return what was heard and the errors."""
    live_tools.build(fabric)
    listening = Listening(fabric)
    got: dict[str, Icmp | None] = {}
    calling = live_tools.Pinger(MONITOR, MONITOR_IP)
    for ttl in range(1, 5):
        got[f"call ttl {ttl}"] = calling.ping(alice, 7, ttl=ttl)
    with live_tools.udp(MONITOR, MONITOR_IP, PORT) as asking:
        asking.sendto(b"?", (alice, 161))
        got["closed at the host"] = calling.receive()
    with live_tools.udp(CALLED[0], HERE, 161) as answering:
        with live_tools.udp(MONITOR, MONITOR_IP, PORT + 1) as asking:
            asking.sendto(b"?", (alice, 161))
            _, shown = answering.recvfrom(100)
        at_home = live_tools.Pinger(CALLED[0], HERE)
        answering.sendto(b"!", shown)
        got["closed at the caller"] = at_home.receive()
    return listening.strangers(AGAIN_BELONGS if again else BELONGS), got


@pytest.mark.parametrize("text", [REACHED, AGAIN], ids=["keep", "again"])
def test_errors_about_calls_find_their_way_and_show_nothing(world: World, text: str) -> None:
    whole = case(text)
    alice, monitor = dialled(whole, CALLED[0]), presented(whole, CALLED[0])
    (strangers, number), got = world.call(provoked, whole.fabric, alice, text == AGAIN)
    assert strangers == set()
    assert number > 20
    for ttl in range(1, 5):
        message = got[f"call ttl {ttl}"]
        assert message is not None, ttl
        assert (message.kind, message.quoted) == (TIME_EXCEEDED, (MONITOR_IP, alice))
    for where, ends in {"host": (MONITOR_IP, alice), "caller": (HERE, monitor)}.items():
        message = got[f"closed at the {where}"]
        assert message is not None, where
        assert (message.kind, message.code) == (UNREACHABLE, PORT_UNREACHABLE)
        assert (message.source, message.quoted) == (ends[1], ends)


def callers_source_kept(whole: Case) -> Fabric:
    """Break: the far shore leaves the caller's real address, and nobody guards."""
    far, near = (unguarded(device(whole.fabric, name)) for name in ("provider/nat", "customer-a/nat"))
    kept = tuple(t for t in far.source_nat if MONITOR_IP not in str(t.inside))
    assert len(kept) < len(far.source_nat)
    return with_nodes(whole.fabric, replace(far, source_nat=kept), near)


def calls_go_to_another(whole: Case) -> Fabric:
    """Break: the far shore sends each tenant's calls to the other."""
    far = device(whole.fabric, "provider/nat")
    a, b = (interface_toward(whole.fabric, far.name, f"customer-{letter}/nat") for letter in "ab")
    towards = {a: b, b: a}
    routes = tuple(replace(r, interface=towards.get(r.interface or "", r.interface)) for r in far.routes)
    return with_nodes(whole.fabric, replace(far, routes=routes))


@pytest.mark.parametrize("broken", [callers_source_kept, calls_go_to_another])
def test_a_break_is_seen(world: World, broken: Callable[[Case], Fabric]) -> None:
    whole = case(REACHED)
    fabric = broken(whole)
    checks = [
        check
        for check in expectations(whole.intent, whole.plan, whole.fabric)
        if check.name.startswith(f"{MONITOR} reaches customer-a/alice")
    ]
    assert checks
    world.call(live_tools.build, fabric)
    world.call(live_tools.serve_lab, fabric)
    results = world.call(live_tools.make_checks, checks, fabric)
    assert not any(result.ok for result in results)
