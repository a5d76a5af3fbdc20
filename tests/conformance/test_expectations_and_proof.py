"""What a lab must show is what the proof says of the same packets, read from its sets of all packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from farshore.conformance.check import Check, Exchange, Outcome
from farshore.conformance.expectations import expectations
from farshore.design.catalogue import DESIGNS, build
from farshore.fabric.model import Fabric
from farshore.intent.check.capabilities import uncarried
from farshore.intent.load import load, load_text
from farshore.intent.model import Intent
from farshore.plan.model import Plan
from farshore.realm import Address
from farshore.walk.tell.journey import Probe, walk
from lab_intents import MIXED
from lab_proof import DOUBTFUL, Judged, planned, verdicts

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = (*sorted(EXAMPLES.glob("*.yaml")), *sorted(EXAMPLES.glob("*/intent.yaml")))
# Those that carry everybody, whoever has whose addresses; the others fail, which is what they are there to show.
GOOD = ("lake", "last-hop", "appliance", None)
FAILING = ("single-nat", "last-hop-plain")
SAID = (Outcome.REACH, Outcome.BLOCK, DOUBTFUL)


def intents() -> dict[str, Intent]:
    read = {str(file.relative_to(EXAMPLES)): load(file).intent for file in FILES}
    read["mixed"] = load_text(MIXED, "mixed.yaml").intent
    return {name: intent for name, intent in read.items() if intent is not None}


INTENTS = intents()


def carried(*designs: str | None) -> list[tuple[str, str | None]]:
    """Return every intent with every one of these designs that carries it."""
    return [(name, design) for name in INTENTS for design in designs if not uncarried(INTENTS[name], design)]


def worked_out(name: str, design: str | None) -> tuple[Fabric, Plan, tuple[Check, ...], dict[str, Judged]]:
    intent, plan = planned(INTENTS[name])
    fabric = build(intent, plan, design)
    checks = expectations(intent, plan, fabric)
    return fabric, plan, checks, verdicts(plan, fabric, checks)


def test_everything_is_tried() -> None:
    assert len(INTENTS) == 5
    assert {design for _, design in carried(*GOOD)} == set(GOOD)
    assert set(DESIGNS) == {*GOOD, *FAILING} - {None}


@pytest.mark.parametrize(("name", "design"), carried(*GOOD))
def test_the_proof_says_what_a_lab_must_show(name: str, design: str | None) -> None:
    _, _, checks, judged = worked_out(name, design)
    wrong = {each.name: judged[each.name].verdict for each in checks if judged[each.name].verdict != each.expected}
    assert wrong == {}
    # All exchanges are at the same moment, and no two of them look alike to the service.
    assert [each.check.name for each in judged.values() if each.alike] == []
    assert {each.expected for each in checks} == set(Outcome)


@pytest.mark.parametrize(("name", "design"), carried(*FAILING))
def test_what_a_failing_design_carries_is_what_the_walk_delivers(name: str, design: str) -> None:
    """Where a look-up has no one right answer, a walk names a glitch; both say that it cannot be relied on."""
    fabric, _, checks, judged = worked_out(name, design)
    exchanges = [(check, check.attempt) for check in checks if isinstance(check.attempt, Exchange)]
    delivered = {check.name for check, exchange in exchanges if walk(fabric, None, probe(fabric, exchange)).delivered}
    said = {check.name: judged[check.name].verdict for check, _ in exchanges}
    assert set(said.values()) <= set(SAID)
    assert {name for name, verdict in said.items() if verdict == Outcome.REACH} == delivered
    assert delivered != set(said)
    refused = [check for check in checks if check.expected is Outcome.BLOCK]
    assert {judged[check.name].verdict for check in refused} == {Outcome.BLOCK}


def probe(fabric: Fabric, exchange: Exchange) -> Probe:
    """Return what a tenant's or the Internet's host walks for: an address is one of its own realm to it."""
    there = Address(fabric.nodes[exchange.node].interfaces[0].realm, exchange.destination)
    return Probe(exchange.node, exchange.service, there, exchange.port, exchange.source_port)
