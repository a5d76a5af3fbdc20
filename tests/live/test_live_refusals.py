"""Invariant 2: nothing else gets through, and the checks that say so would see it if it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

import live_tools
import pytest
from live_intents import ALIKE, DISTINCT, NAMED, POOLED, TRANSLATED_AGAIN, Case, case, device, unguarded, with_nodes
from live_world import World

from farshore.conformance.check import Check, Outcome
from farshore.conformance.expectations import expectations
from farshore.engine.nftables.ruleset import device_ruleset
from farshore.fabric.model import Device, Fabric, Permit, Policy
from farshore.port import Port, Protocol
from farshore.realm import LAKE, PROVIDER, Address, Prefix, tenant_realm
from farshore.translation import BasicNat

pytestmark = pytest.mark.kernel

A, B = tenant_realm("customer-a"), tenant_realm("customer-b")
NAT_DEVICES = ("customer-a/nat", "customer-b/nat", "provider/nat")
INTENTS = {"alike": ALIKE, "distinct": DISTINCT, "again": TRANSLATED_AGAIN, "pool": POOLED, "host": NAMED}


@pytest.mark.parametrize("text", INTENTS.values(), ids=INTENTS.keys())
def test_nothing_else_gets_through(world: World, text: str) -> None:
    whole = case(text)
    checks = expectations(whole.intent, whole.plan, whole.fabric)
    world.call(live_tools.build, whole.fabric)
    world.call(live_tools.serve_lab, whole.fabric)
    results = world.call(live_tools.make_checks, checks, whole.fabric)
    assert len(results) == len(checks)
    assert [result for result in results if not result.ok] == []
    assert sum(check.expected is Outcome.BLOCK for check in checks) > 100


def one_more_permit(whole: Case) -> Fabric:
    """A port that nobody offers is let through at both shores."""
    portal = whole.plan.services["portal"]
    port = Port(Protocol.TCP, 9)
    near, far = device(whole.fabric, "customer-a/nat"), device(whole.fabric, "provider/nat")
    presented = whole.plan.tenants["customer-a"].presents["portal"]
    return with_nodes(
        whole.fabric,
        _permitting(near, Permit(A, LAKE, Prefix.of(presented), Prefix.of(portal.lake), port, "portal")),
        _permitting(far, Permit(LAKE, PROVIDER, Prefix.of(portal.lake), Prefix.of(portal.address), port, "portal")),
    )


def no_guards(whole: Case) -> Fabric:
    """Every guard is as wide as can be: forged sources, which are not translated, go through."""
    return with_nodes(whole.fabric, *(unguarded(device(whole.fabric, name)) for name in NAT_DEVICES))


def a_tenant_that_can_be_called(whole: Case) -> Fabric:
    """Bill's lake address is translated for new flows too, and they are permitted."""
    bill = Address(B, IPv4Address("10.1.1.1"))
    source = device(whole.fabric, "customer-b/nat").source_nat[0]
    assert isinstance(source, BasicNat)
    shown, port = source.outward(bill), Port(Protocol.TCP, 9)
    near, far = unguarded(device(whole.fabric, "customer-b/nat")), unguarded(device(whole.fabric, "provider/nat"))
    near = replace(near, destination_nat=(*near.destination_nat, BasicNat(Prefix.of(shown), Prefix.of(bill))))
    far = replace(far, destination_nat=())  # or its policy would want what it passes translated
    return with_nodes(
        whole.fabric,
        _permitting(near, Permit(LAKE, B, Prefix.of(shown), Prefix.of(bill), port, "bill")),
        _permitting(far, Permit(PROVIDER, LAKE, Prefix.of(shown), Prefix.of(shown), port, "bill")),
    )


def _permitting(box: Device, permit: Permit) -> Device:
    assert box.policy is not None
    return replace(box, policy=Policy((*box.policy.permits, permit), box.policy.limits))


@pytest.mark.parametrize(
    ("broken", "seen"),
    [
        (one_more_permit, "customer-a/alice sends to tcp/9"),
        (no_guards, "customer-a/alice sends from a forged source, an unassigned address"),
        (no_guards, "customer-a/ce sends from a forged source, an unassigned address"),
        (a_tenant_that_can_be_called, "provider/portal sends an unsolicited packet to customer-b: tcp"),
    ],
)
def test_a_break_is_seen(world: World, broken: Callable[[Case], Fabric], seen: str) -> None:
    whole = case(DISTINCT)
    fabric = broken(whole)
    found = named(whole, seen)
    world.call(live_tools.build, fabric)
    results = world.call(live_tools.make_checks, found, fabric)
    assert any(result.observed != Outcome.BLOCK for result in results), results


def test_meddling_is_seen(world: World) -> None:
    """Somebody opens the filters of a running fabric by hand; going straight to the lake address then works."""
    whole = case(DISTINCT)
    found = named(whole, "customer-a/alice sends directly to the lake address of portal")
    world.call(live_tools.build, whole.fabric)
    assert {r.observed for r in world.call(live_tools.make_checks, found, whole.fabric)} == {Outcome.BLOCK}
    # Alice's own router does not know the lake: she goes by way of its wire to the near shore.
    found = named(whole, "customer-a/ce sends directly to the lake address of portal")
    for name in ("customer-a/nat", "provider/nat"):
        text = device_ruleset(device(whole.fabric, name))
        assert text is not None
        opened = "flush ruleset\n" + text.replace("policy drop", "policy accept").replace("\t\tdrop\n", "\t\taccept\n")
        world.call(live_tools.nft_in, name, opened)
    assert {r.observed for r in world.call(live_tools.make_checks, found, whole.fabric)} == {Outcome.REACH}
    healed = world.call(live_tools.build, whole.fabric)
    assert healed == [f"{n}: load rule set: modified by another program" for n in ("customer-a/nat", "provider/nat")]
    assert {r.observed for r in world.call(live_tools.make_checks, found, whole.fabric)} == {Outcome.BLOCK}


def named(whole: Case, beginning: str) -> list[Check]:
    """Return the checks of the whole fabric whose name begins so."""
    checks = expectations(whole.intent, whole.plan, whole.fabric)
    found = [check for check in checks if check.name.startswith(beginning)]
    assert found
    return found
