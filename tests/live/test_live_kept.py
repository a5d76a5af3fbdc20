"""A machine is kept right in rounds: a node that fails waits, and the others do not wait for it."""

from __future__ import annotations

import subprocess
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
from farshore.machine.apply import apply
from farshore.machine.cycle import FULL_ROUND, State, Status, cycle
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


FORGE = """
nft flush chain inet farshore_filter forwarding
record=$(nft list table inet farshore_record | sed -n 's/.*comment "\\(.*generation:\\).*/\\1/p')
number=$(nft list ruleset | sed -n 's/.*generation:\\([0-9]*\\).*/\\1/p')
nft "delete table inet farshore_record ; add table inet farshore_record { comment \\"$record$((number + 2))\\" ; }"
"""


def forged(fabric: Fabric) -> tuple[list[str], list[str], list[str], tuple[int, int]]:
    """Have somebody take rules away, and write into our record that no transaction has come since.

    Return what an application does, what a full one does, and another; and the changes of two rounds.
    """
    desired, engines = compile_fabric(fabric), (Nftables(),)
    apply(desired, engines, PRIVATE)
    _forge()
    outcomes = [[str(each) for each in apply(desired, engines, PRIVATE, full=full)] for full in (False, True, True)]
    machine = KeptMachine(desired, engines, PRIVATE)
    status = cycle(Status(), machine, 0)
    _forge()
    due, full = cycle(status, machine, FULL_ROUND - 1), cycle(status, machine, FULL_ROUND)
    return outcomes[0], outcomes[1], outcomes[2], (due.changes, full.changes)


def _forge() -> None:
    words = ["/usr/sbin/ip", "netns", "exec", BROKEN.replace("/", "."), "sh", "-ec", FORGE]
    subprocess.run(words, check=True)


def test_a_full_round_lists_what_the_generation_does_not_tell(world: World) -> None:
    trusting, full, again, rounds = world.call(forged, article())
    assert trusting == []  # or the tampering is one that every reading sees, and shows nothing here
    assert full == [f"{BROKEN}: load rule set: modified by another program"]
    assert again == []
    assert rounds == (0, 1)


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
