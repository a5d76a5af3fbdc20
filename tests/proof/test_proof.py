"""A whole proof: of good intents, and of broken fabrics."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given, settings

from farshore.design.catalogue import build
from farshore.fabric.model import Device, Direction, Fabric, Guard
from farshore.intent.load import load, load_text
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.proof.counterexample import counterexample
from farshore.proof.judges.account import Property
from farshore.proof.prove import Proof, prove
from farshore.realm import Prefix
from farshore.semantics.profile import PROFILES
from strategies import intents, mixed_intents

ARTICLE = Path(__file__).parents[2] / "examples" / "article.yaml"


def read(path: Path) -> tuple[Intent, Plan]:
    intent = load(path).intent
    assert intent is not None
    return intent, planned(intent)


def planned(intent: Intent) -> Plan:
    plan = allocate(intent).plan
    assert plan is not None
    return plan


def failing(proof: Proof) -> set[Property]:
    return {result.what for result in proof.results if not result.holds}


@settings(max_examples=60)
@given(mixed_intents())
def test_whatever_designs_an_intent_asks_for_it_is_proven(intent: Intent) -> None:
    plan = planned(intent)
    proof = prove(intent, plan, build(intent, plan))
    assert failing(proof) == set()


@settings(max_examples=40)
@given(intents())
def test_each_design_that_carries_packets_is_proven(intent: Intent) -> None:
    plan = planned(intent)
    for design in ("lake", "last-hop"):
        proof = prove(intent, plan, build(intent, plan, design), design=design)
        assert failing(proof) == set()


PUBLISHED = """version: 1
provider:
  name: acme
  lake: {lake}
  networks: [10.1.1.0/24]
  source: {source}
  services:
    portal: {{address: 10.1.1.1, ports: [tcp/443, icmp], internet: 203.0.113.10}}
tenants:
  a: {{networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal], hosts: {{h: 10.1.1.1}}}}
"""


@pytest.mark.parametrize(
    ("lake", "source", "unanswered"),
    [
        ("8.0.0.0/8", "keep", "8.0.0.0"),
        ("100.0.0.0/9", "keep", "100.0.0.0"),
        ("198.18.0.0/15", "[8.8.0.0/16]", "8.8.0.0"),
        ("8.0.0.0/8\n  lake-acknowledged: true", "keep", None),
        ("198.18.0.0/15", "keep", None),
        ("10.128.0.0/9", "[10.9.0.0/16]", None),
    ],
)
def test_whoever_is_on_the_internet_is_to_be_answered(lake: str, source: str, unanswered: str | None) -> None:
    intent = load_text(PUBLISHED.format(lake=lake, source=source), "intent.yaml").intent
    assert intent is not None
    plan = planned(intent)
    fabric = build(intent, plan)
    proof = prove(intent, plan, fabric)
    assert failing(proof) == (set() if unanswered is None else {Property.REACH})
    if unanswered is not None:
        (refuted, *_) = next(v.refuted for v in proof.results if v.what is Property.REACH)
        shown = counterexample(intent, plan, fabric, refuted)
        assert str(shown.walk.steps[0].before.source.ip) == unanswered
        assert not shown.walk.delivered


def altered(fabric: Fabric, name: str, change: dict[str, object]) -> Fabric:
    node = fabric.nodes[name]
    nodes = {**fabric.nodes, name: replace(node, **change)}  # type: ignore[arg-type]
    return Fabric.of(fabric.design, tuple(nodes.values()), fabric.links)


def test_a_lost_guard_lets_forged_sources_in() -> None:
    """Without it a tenant's own lake addresses pass as sources on its WAN, and no host can be identified by them."""
    intent, plan = read(ARTICLE)
    fabric = build(intent, plan)
    near = fabric.nodes["customer-a/nat"]
    assert isinstance(near, Device)
    loose = altered(fabric, near.name, {"guards": tuple(g for g in near.guards if g.interface != "wan")})
    proof = prove(intent, plan, loose)
    assert {Property.FORGED, Property.ONE_TO_ONE, Property.RETURN_PATH} <= failing(proof)
    (forged, *_) = next(v.refuted for v in proof.results if v.what is Property.FORGED)
    shown = counterexample(intent, plan, loose, forged)
    first = shown.walk.steps[0].before
    assert str(first.source.ip) == "100.65.0.0"
    assert shown.walk.traces[0].arrived_at is not None
    assert shown.walk.traces[0].arrived_at.name == "provider/portal"
    assert shown.cause.file == str(ARTICLE)


def test_a_tenant_that_is_let_through_to_another_is_found() -> None:
    intent, plan = read(ARTICLE)
    fabric = build(intent, plan)
    router = fabric.nodes["provider/nat"]
    assert isinstance(router, Device)
    assert router.policy is not None
    # The far shore is a plain router now: whatever is sent to a lake address gets there.
    loose = altered(fabric, router.name, {"policy": None, "guards": ()})
    near = fabric.nodes["customer-a/nat"]
    assert isinstance(near, Device)
    everything = Prefix.of(replace(next(iter(plan.services.values())).lake, ip=IPv4Address(0)))
    everything = replace(everything, network=everything.network.supernet(new_prefix=0))
    guards = tuple(
        Guard(g.interface, g.direction, g.sources, (everything,))
        if (g.interface, g.direction) in {("wan", Direction.IN), ("lake", Direction.OUT)}
        else g
        for g in near.guards
    )
    proof = prove(intent, plan, altered(loose, near.name, {"guards": guards, "policy": None}))
    assert not proof.holds
    assert Property.REACH in failing(proof)


CALLED = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  source: [10.250.0.0/16]
  hosts: {monitor: 10.1.1.50}
  reaches: [{tenant: customer-a, ports: [tcp/22, icmp]}]
  services: {portal: {address: 10.1.1.1, ports: [tcp/443], internet: 203.0.113.10}}
tenants:
  customer-a: {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal], hosts: {alice: 10.1.1.1}}
  customer-b: {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal], hosts: {bill: 10.1.1.1}}
"""


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("source", ["", "  source: [10.250.0.0/16]\n"])
def test_calls_are_carried_whatever_a_box_does_first(profile: str, source: str) -> None:
    intent = load_text(CALLED.replace("  source: [10.250.0.0/16]\n", source), "intent.yaml").intent
    assert intent is not None
    plan = planned(intent)
    assert failing(prove(intent, plan, build(intent, plan), profile=PROFILES[profile])) == set()
