"""The last hop: what it loses it does not let pass, what changes is one tenant's own, and it is applied once."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from dataclasses import replace

import live_tools
import pytest
from live_intents import ALIKE, with_nodes
from live_world import World

from farshore.design.catalogue import build
from farshore.engine.nftables import nft
from farshore.fabric.model import Device, Fabric, Policy
from farshore.intent.load import load_text
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.plan.allocate import allocate

pytestmark = pytest.mark.kernel

BOX = "provider.last-hop"
ALICE, BILL, HERE, PORTAL = "customer-a/alice", "customer-b/bill", "10.1.1.1", "10.2.2.1"
LOSSES = {
    "the filter's table": ["delete table inet farshore_filter"],
    "the NAT table": ["delete table ip farshore_nat"],
    "the NAT's chains": ["flush table ip farshore_nat"],
    "both tables": ["delete table inet farshore_filter", "delete table ip farshore_nat"],
    "the marks": ["flush chain inet farshore_filter marking"],
    "the zones": ["flush chain inet farshore_filter zones"],
    "the zones' numbers": ["flush map inet farshore_filter zone_numbers"],
}


def fabrics() -> tuple[Fabric, Fabric]:
    """Return the box with both tenants, and without Alice's."""
    intent = load_text(ALIKE, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    fewer = {name: tenant for name, tenant in intent.tenants.items() if name != "customer-a"}
    plans = {name: plan.tenants[name] for name in fewer}
    alone = build(replace(intent, tenants=fewer), replace(plan, tenants=plans), "last-hop")
    return build(intent, plan, "last-hop"), alone


def exchanges(node: str, port: int) -> bool:
    """Tell whether a host can use the portal."""
    with contextlib.suppress(OSError), live_tools.tcp(node, HERE, port, PORTAL, 443) as flow:
        live_tools.read_line(flow)
        return True
    return False


def receiver() -> socket.socket:
    own = live_tools.open_socket("provider/portal", socket.SOCK_DGRAM, 0, socket.AF_PACKET)
    own.bind(("provider", 0x0800))
    own.setblocking(False)
    return own


def heard(own: socket.socket) -> int:
    """Count what arrived at the portal."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while own.recv(65535):
            count += 1
    return count


def lost(whole: Fabric, commands: list[str]) -> tuple[bool, int, bool, bool]:
    """Lose something: whether they talked, what arrived then without it, whether they talked, and after healing."""
    live_tools.build(whole)
    live_tools.serve_echo(whole)
    before = exchanges(ALICE, 5001) and exchanges(BILL, 5001)
    with receiver() as listening, PRIVATE.entered(BOX):
        for command in commands:
            subprocess.run([nft.program(), command], check=True)
        heard(listening)
        meanwhile = exchanges(ALICE, 5002) or exchanges(BILL, 5002)
        live_tools.settle()
        arrived = heard(listening)
    live_tools.build(whole)
    return before, arrived, meanwhile, exchanges(ALICE, 5003) and exchanges(BILL, 5003)


@pytest.mark.parametrize("what", LOSSES)
def test_what_is_lost_lets_nobody_be_taken_for_another(what: str, world: World) -> None:
    before, arrived, meanwhile, after = world.call(lost, fabrics()[0], LOSSES[what])
    assert before
    assert after
    assert not meanwhile
    assert arrived == 0


def applied_twice(whole: Fabric) -> tuple[int, list[str]]:
    return len(live_tools.build(whole)), live_tools.build(whole)


def test_applying_twice_changes_nothing(world: World) -> None:
    first, second = world.call(applied_twice, fabrics()[0])
    assert first > 0
    assert second == []


def a_tenant_goes(whole: Fabric, alone: Fabric) -> tuple[list[bool], bool, bool, str]:
    """Take Alice's tenant away from the box and bring it back, with a connection of Bill's standing all the time."""
    live_tools.build(whole)
    live_tools.serve_echo(whole)
    answers = []
    with live_tools.tcp(BILL, HERE, 6001, PORTAL, 443) as standing:
        live_tools.read_line(standing)
        for fabric in (alone, whole):
            live_tools.build(fabric)
            standing.sendall(b"still")
            answers.append(live_tools.read_exactly(standing, 5) == b"still")
            if fabric is alone:
                gone = not PRIVATE.exists(namespace_name(ALICE))
                with PRIVATE.entered(BOX):
                    rules = subprocess.run(["ip", "rule"], capture_output=True, text=True, check=True).stdout
    return answers, gone, exchanges(ALICE, 6003), rules


def test_a_tenant_that_goes_and_comes_disturbs_nobody(world: World) -> None:
    answers, gone, back, rules = world.call(a_tenant_goes, *fabrics())
    assert answers == [True, True]
    assert gone
    assert back
    assert rules.count("1000:") == 1


def revoked(whole: Fabric) -> tuple[bool, bool]:
    """Take the permits of Alice's tenant away: whether her standing connection goes on, and Bill's."""
    live_tools.build(whole)
    live_tools.serve_echo(whole)
    box = whole.nodes["provider/last-hop"]
    assert isinstance(box, Device)
    assert box.policy is not None
    permits = tuple(permit for permit in box.policy.permits if permit.ingress.name != "customer-a")
    goes_on = []
    with contextlib.ExitStack() as stack:
        flows = [stack.enter_context(live_tools.tcp(node, HERE, 7001, PORTAL, 443)) for node in (ALICE, BILL)]
        for flow in flows:
            live_tools.read_line(flow)
        live_tools.build(with_nodes(whole, replace(box, policy=Policy(permits, box.policy.limits))))
        wire = live_tools.Wire("provider/portal", "provider")
        for word, flow in zip((b"alice", b"bills"), flows, strict=True):
            flow.sendall(word)
            live_tools.settle()
            arrives = any(packet.endswith(word) for packet in wire.heard())
            goes_on.append(arrives and live_tools.read_exactly(flow, len(word)) == word)
    return goes_on[0], goes_on[1]


def test_what_is_revoked_stops_at_once(world: World) -> None:
    assert world.call(revoked, fabrics()[0]) == (False, True)


RATED = ALIKE.replace("hosts: {bill: 10.1.1.1}", "hosts: {bill: 10.1.1.1}\n    limits: {rate: 3}")


def rated(whole: Fabric) -> tuple[int, int, int]:
    """Open connections as fast as can be until one is refused: how many of Bill's, of Alice's, and at all.

    Bill may open three a second.
    """
    live_tools.build(whole)
    live_tools.serve_echo(whole)
    opened = {BILL: 0, ALICE: 0}
    started = time.monotonic()
    tried = 0
    while tried < 12 or (opened[BILL] == tried and tried < 1000):
        for node in opened:
            opened[node] += exchanges(node, 8000 + tried)
        tried += 1
    allowed = 3 + 3 * (time.monotonic() - started) + 1
    assert opened[BILL] <= allowed, (opened, allowed)
    return opened[BILL], opened[ALICE], tried


@pytest.mark.parametrize("design", ["lake", "last-hop"])
def test_a_rate_is_one_tenants_own(design: str, world: World) -> None:
    intent = load_text(RATED, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    bill, alice, tried = world.call(rated, build(intent, plan, design))
    assert 3 <= bill < tried
    assert alice == tried
