"""Invariant 5: changing one tenant disturbs no packet of another."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import live_tools
import pytest
from live_intents import DISTINCT, Case, case, device, with_nodes, without_tenant
from live_world import World

from farshore.design.catalogue import build
from farshore.engine.nftables import nft
from farshore.engine.nftables.ruleset import device_ruleset
from farshore.fabric.model import Fabric, Limit, Policy
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.realm import tenant_realm

pytestmark = pytest.mark.kernel

BILL = "customer-b/bill"
HERE, PORTAL = "10.1.1.1", "10.2.2.1"
CHUNK = bytes(range(256)) * 8
OFTEN = 50

# How many packets were sent and came back, what was lost, and by which addresses and ports Bill was seen.
Report = tuple[int, int, set[tuple[str, int]], list[list[str]]]


def keep_talking(before: Fabric, steps: Sequence[Fabric]) -> Report:
    """Let Bill exchange without a pause while one fabric after the other is applied."""
    live_tools.build(before)
    live_tools.serve_echo(before)
    stream = live_tools.tcp(BILL, HERE, 40404, PORTAL, 443)
    asking = live_tools.udp(BILL, HERE, 40404, PORTAL, 5000)
    seen = {tuple(json.loads(live_tools.read_line(stream)))}
    pool = ThreadPoolExecutor(1)
    working = pool.submit(lambda: [live_tools.build(step) for step in steps])
    sent = lost = 0
    while (not working.done() or sent < 20) and not lost:
        sent += 1
        try:
            stream.sendall(CHUNK)
            address, port, echo = live_tools.ask(asking, sent.to_bytes(4, "big"))
            seen.add((address, port))
            lost += echo != sent.to_bytes(4, "big")
            lost += live_tools.read_exactly(stream, len(CHUNK)) != CHUNK
        except OSError:
            lost += 1
    return sent, lost, seen, working.result()


def fewer_permits(whole: Case) -> Fabric:
    """Take a permission from customer-a: its device and the far shore are loaded anew."""
    near, far = (device(whole.fabric, name) for name in ("customer-a/nat", "provider/nat"))
    assert near.policy is not None
    assert far.policy is not None
    return with_nodes(
        whole.fabric,
        replace(near, policy=Policy(near.policy.permits[:-1], (Limit(tenant_realm("customer-a"), 17),))),
        replace(far, policy=Policy(far.policy.permits[:-1])),
    )


def test_applying_again_is_nothing(world: World) -> None:
    fabric = case(DISTINCT).fabric
    _, lost, seen, changes = world.call(keep_talking, fabric, [fabric] * 3)
    assert lost == 0
    assert len(seen) == 1
    assert changes == [[], [], []]


def test_changes_of_another_tenant_lose_no_packet(world: World) -> None:
    whole = case(DISTINCT)
    gone = without_tenant(whole, "customer-a")
    steps = [fewer_permits(whole), whole.fabric, gone, whole.fabric, fewer_permits(whole), gone, whole.fabric]
    sent, lost, seen, changes = world.call(keep_talking, whole.fabric, steps)
    assert lost == 0
    assert sent >= 20
    assert len(seen) == 1
    assert changes[0] == [
        "customer-a/nat: load rule set: the desired rule set has changed",
        "provider/nat: load rule set: the desired rule set has changed",
    ]
    assert all(step for step in changes)
    assert not any(line.startswith("customer-b/") for step in changes for line in step)


def talk_through_reloads(fabric: Fabric, texts: list[str], times: int) -> tuple[int, int]:
    """Let Bill ask as fast as he can while the far shore's rules are exchanged again and again."""
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    asking = live_tools.udp(BILL, HERE, 40404, PORTAL, 5000)
    enough = threading.Event()

    def reload() -> None:
        with PRIVATE.entered(namespace_name("provider/nat")):
            for number in itertools.count():
                nft.load(texts[number % len(texts)], in_use=True)
                if number >= times and enough.is_set():
                    return

    working = ThreadPoolExecutor(1).submit(reload)
    asked = lost = 0
    while not working.done():
        asked += 1
        try:
            live_tools.ask(asking, b"?")
        except OSError:
            lost += 1
        if asked > OFTEN:
            enough.set()
    working.result()
    return asked, lost


def test_rules_are_exchanged_at_full_speed_without_a_loss(world: World) -> None:
    """Rules that were deleted and loaded anew lost a packet in one of twenty exchanges, at this speed."""
    whole = case(DISTINCT)
    fabrics = (without_tenant(whole, "customer-a"), whole.fabric)
    texts = [device_ruleset(device(fabric, "provider/nat")) for fabric in fabrics]
    asked, lost = world.call(talk_through_reloads, whole.fabric, texts, 50)
    assert asked > OFTEN
    assert lost == 0


def test_a_tenant_that_comes_first_moves_nobody(world: World) -> None:
    whole = case(DISTINCT)
    _, lost, seen, _ = world.call(keep_talking, without_tenant(whole, "customer-a"), [whole.fabric])
    assert lost == 0
    assert len(seen) == 1


def test_a_break_is_seen(world: World) -> None:
    """Moving customer-b's own block, as a careless plan would, is noticed at once."""
    whole = case(DISTINCT)
    blocks = {"customer-a": "customer-b", "customer-b": "customer-a"}
    tenants = {n: replace(whole.plan.tenants[o], name=n) for n, o in blocks.items()}
    moved = {
        name: replace(
            tenant,
            presents=whole.plan.tenants[name].presents,
            sources=tuple(
                replace(
                    source,
                    network=mine.network,
                    translations=(replace(source.translations[0], inside=mine.network),),
                )
                for source, mine in zip(tenant.sources, whole.plan.tenants[name].sources, strict=True)
            ),
        )
        for name, tenant in tenants.items()
    }
    careless = build(whole.intent, replace(whole.plan, tenants=moved), "lake")
    _, lost, _, _ = world.call(keep_talking, whole.fabric, [careless])
    assert lost
