"""A machine is kept right in rounds: a node that fails waits, and the others do not wait for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from live_world import World

from farshore.design.catalogue import build
from farshore.engine.nftables.desired import ENGINE_NAME, compile_fabric
from farshore.engine.nftables.engine import Nftables
from farshore.fabric.model import Fabric
from farshore.fabric.names import NodeName
from farshore.intent.load import load
from farshore.machine.cycle import State, Status, cycle
from farshore.machine.kept import KeptMachine
from farshore.machine.world import PRIVATE
from farshore.plan.allocate import allocate

pytestmark = pytest.mark.kernel

BROKEN, WELL = NodeName("customer-a/nat"), NodeName("customer-b/nat")


def rounds(fabric: Fabric) -> tuple[Status, Status, Status, Status]:
    """Keep a machine right with one rule set that no nft loads: first, before it is due, mended, and once more."""
    desired = compile_fabric(fabric)
    rulesets = desired.configurations[ENGINE_NAME]
    bad = replace(desired, configurations={ENGINE_NAME: {**rulesets, BROKEN: "nonsense\n"}})
    engines = (Nftables(),)
    first = cycle(Status(), KeptMachine(bad, engines, PRIVATE), 0)
    waiting = cycle(first, KeptMachine(bad, engines, PRIVATE), 0.5)
    mended = cycle(waiting, KeptMachine(desired, engines, PRIVATE), 1)
    return first, waiting, mended, cycle(mended, KeptMachine(desired, engines, PRIVATE), 10_000)


def article() -> Fabric:
    intent = load(Path(__file__).parents[2] / "examples" / "article.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return build(intent, plan, "lake")


def test_one_node_that_fails_keeps_no_other_from_being_right(world: World) -> None:
    first, waiting, mended, again = world.call(rounds, article())
    assert [each.node for each in first.of(State.FAILED)] == [BROKEN]
    assert "load rule set" in first.nodes[BROKEN].why
    assert first.nodes[WELL].state is State.RIGHT
    assert waiting.nodes == first.nodes
    assert mended.changes > 0
    assert not mended.of(State.FAILED)
    assert again.changes == 0
    assert again.sentence(10_000) == f"{len(again.nodes)} of {len(again.nodes)} nodes are right"
