"""The last hop under reloads, in ICMP errors, and where a number is somebody else's: nobody is taken for another."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import live_tools
import pytest
from live_intents import DISTINCT, Case, case, device
from live_tools import PORT_UNREACHABLE, TIME_EXCEEDED, UNREACHABLE, Icmp
from live_world import World
from test_live_addresses import BELONGS, Heard, Listening, closed_ports, short_lived_replies, without_port

from farshore.design.catalogue import build
from farshore.engine.nftables import last_hop, nft
from farshore.engine.nftables.ruleset import device_ruleset
from farshore.fabric.model import Fabric
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE

pytestmark = pytest.mark.kernel

ALICE, BILL, BOX = "customer-a/alice", "customer-b/bill", "provider/last-hop"
HERE, PORTAL, REAL_PORTAL, PORT = "10.1.1.1", "10.2.2.1", "10.3.3.1", 40404
AT_ONCE = 16
OFTEN = 1000
MORE = "".join(
    f"""\
  customer-{letter}:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [portal, dns]
    hosts: {{host: 10.1.1.1}}
"""
    for letter in "cdef"
)


def boxed(whole: Case, less: str | None = None) -> Fabric:
    """Return the box, without one tenant if so wished; everybody else keeps what the plan gave."""
    intent = replace(whole.intent, tenants={n: t for n, t in whole.intent.tenants.items() if n != less})
    plan = replace(whole.plan, tenants={n: t for n, t in whole.plan.tenants.items() if n != less})
    return build(intent, plan, "last-hop")


# --- reloads -----------------------------------------------------------------------------------------


def talk_through_reloads(fabric: Fabric, texts: list[str], times: int) -> tuple[int, int, set[int]]:
    """Let Bill ask as fast as he can, many questions at once, while the box's rules are exchanged for others.

    They are exchanged so many times at least, and for as long as he has not asked often. Return how often he asked,
    how many answers he did not get, and the ports that he was seen with.
    """
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    asking = live_tools.udp(BILL, HERE, PORT, PORTAL, 5000)
    enough = threading.Event()

    def reload() -> None:
        with PRIVATE.entered(namespace_name(BOX)):
            for number in itertools.count():
                nft.load(texts[number % len(texts)], in_use=True)
                if number >= times and enough.is_set():
                    return

    asked, lost, ports = 0, 0, {live_tools.ask(asking, b"?")[1]}
    working = ThreadPoolExecutor(1).submit(reload)
    while not working.done():
        asked, lost = asked + AT_ONCE, lost + AT_ONCE
        for _ in range(AT_ONCE):
            asking.send(b"?")
        with contextlib.suppress(OSError):
            for _ in range(AT_ONCE):
                answer, _ = live_tools.receive(asking)
                ports.add(json.loads(answer.partition(b"\n")[0])[1])
                lost -= 1
        if asked > OFTEN:
            enough.set()
    working.result()
    return asked, lost, ports


def test_the_comings_and_goings_of_others_lose_no_packet(world: World) -> None:
    whole = case(DISTINCT + MORE)
    # Their blocks are no neighbours, so what is left of them is a list.
    texts = [device_ruleset(device(boxed(whole, less), BOX)) for less in ("customer-c", "customer-e")]
    asked, lost, ports = world.call(talk_through_reloads, boxed(whole), texts, 100)
    assert asked > OFTEN
    assert lost == 0
    assert ports == {PORT}


# --- a number that is somebody else's ------------------------------------------------------------------


def exchanged_numbers(fabric: Fabric, weaken: Callable[[str], str]) -> tuple[list[str], list[str]]:
    """Give each tenant the other's number while both have a flow with the same headers.

    Return who was seen to send what, by the address that the portal saw, before and after. An address is its
    tenant's own, so what a host sent must never be seen to come from another than before.
    """
    live_tools.build(fabric)
    sources = {ALICE: "10.1.1.1", BILL: "10.1.1.1"}
    with contextlib.ExitStack() as stack:
        answering = stack.enter_context(live_tools.udp("provider/portal", REAL_PORTAL, 5000))
        flows = {n: stack.enter_context(live_tools.udp(n, ip, PORT, PORTAL, 5000)) for n, ip in sources.items()}
        before = []
        for node, flow in flows.items():
            flow.send(node.encode())
            data, seen = answering.recvfrom(100)
            answering.sendto(b"!", seen)
            assert flow.recv(100) == b"!"
            before.append(f"{data.decode()} {seen[0]}")
        box = device(fabric, BOX)
        one, other = last_hop.numbers(box).values()
        text = weaken(_exchanged(device_ruleset(box) or "", one, other))
        with PRIVATE.entered(namespace_name(BOX)):
            nft.load(text, in_use=True)
        after = []
        for node, flow in flows.items():
            flow.send(node.encode())
            with contextlib.suppress(TimeoutError):
                data, seen = live_tools.receive(answering)
                after.append(f"{data.decode()} {seen[0]}")
    return before, after


def _exchanged(text: str, one: int, other: int) -> str:
    names = {
        str(one): str(other),
        str(other): str(one),
        f"{one:#010x}": f"{other:#010x}",
        f"{other:#010x}": f"{one:#010x}",
    }
    return re.sub(r'(?<=" : )(\w+)', lambda found: names.get(found[1], found[1]), text)


def as_it_is(text: str) -> str:
    return text


def without_the_demand(text: str) -> str:
    """Break: let the policy not ask whose source a flow was given."""
    return re.sub(r"ct reply ip daddr \S+ ", "", text)


def test_nobody_takes_on_anothers_address_by_a_number(world: World) -> None:
    before, after = world.call(exchanged_numbers, boxed(case(DISTINCT)), as_it_is)
    assert len(before) == 2
    assert set(after) <= set(before)


def test_it_would_be_seen_if_one_did(world: World) -> None:
    before, after = world.call(exchanged_numbers, boxed(case(DISTINCT)), without_the_demand)
    assert set(after) - set(before)


# --- numbers that are all one --------------------------------------------------------------------------


def answered_with_the_same_headers(fabric: Fabric, one_zone: bool) -> dict[str, str]:
    """From both hosts send the same headers; the portal answers each after both; return what each host got."""
    if one_zone:
        real = last_hop.numbers
        last_hop.numbers = lambda box: dict.fromkeys(real(box), 2000)  # type: ignore[assignment]
    live_tools.build(fabric)
    with contextlib.ExitStack() as stack:
        answering = stack.enter_context(live_tools.udp("provider/portal", REAL_PORTAL, 5000))
        flows = {n: stack.enter_context(live_tools.udp(n, HERE, PORT, PORTAL, 5000)) for n in (ALICE, BILL)}
        seen = []
        for node, flow in flows.items():
            flow.send(node.encode())
            with contextlib.suppress(TimeoutError):
                seen.append(live_tools.receive(answering))
        for data, where in reversed(seen):
            answering.sendto(data, where)
        got = {}
        for node, flow in flows.items():
            with contextlib.suppress(OSError):
                got[node] = live_tools.receive(flow)[0].decode()
    return got


@pytest.mark.parametrize("one_zone", [False, True])
def test_zones_are_what_tells_equal_headers_apart(one_zone: bool, world: World) -> None:
    got = world.call(answered_with_the_same_headers, boxed(case(DISTINCT)), one_zone)
    assert (got == {ALICE: ALICE, BILL: BILL}) is not one_zone
    assert all(node == answer for node, answer in got.items())  # at the worst nothing: never another's


# --- what ICMP errors show -------------------------------------------------------------------------------


def provoked(fabric: Fabric) -> tuple[Heard, dict[str, Icmp | None]]:
    """Talk, provoke every ICMP error, and return what was heard on all wires and the errors."""
    live_tools.build(fabric)
    listening = Listening(fabric)
    live_tools.serve_echo(without_port(fabric))
    got: dict[str, Icmp | None] = {}
    for node in (ALICE, BILL):
        with live_tools.tcp(node, HERE, PORT, PORTAL, 443) as flow:
            live_tools.read_line(flow)
            flow.sendall(b"x" * 5000)
            live_tools.read_exactly(flow, 5000)
        pinger = live_tools.Pinger(node, HERE)
        with pinger.socket:
            # The tenant's router, the box and the provider's router give up, each once.
            got.update({f"{node} ttl {ttl}": pinger.ping(PORTAL, 7, ttl=ttl) for ttl in range(1, 4)})
    got.update(closed_ports())
    got.update(short_lived_replies())
    return listening.strangers(BELONGS), got


def test_icmp_errors_find_their_way_and_show_nothing(world: World) -> None:
    (strangers, number), got = world.call(provoked, boxed(case(DISTINCT)))
    assert strangers == set()
    assert number > 50
    for node in (ALICE, BILL):
        for ttl in range(1, 4):
            message = got.pop(f"{node} ttl {ttl}")
            assert message is not None, (node, ttl)
            assert (message.kind, message.quoted) == (TIME_EXCEEDED, (HERE, PORTAL))
    for closed in ("closed at the service", "closed at the host"):
        message = got.pop(closed)
        assert message is not None, closed
        assert (message.kind, message.code) == (UNREACHABLE, PORT_UNREACHABLE)
    # Three boxes on the way back; the rest of what was sent arrives.
    for ttl in range(1, 4):
        message = got[f"reply ttl {ttl}"]
        assert message is not None, ttl
        assert message.kind == TIME_EXCEEDED
