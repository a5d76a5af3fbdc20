"""What is loaded is held against what was meant, and nothing is loaded anywhere before all of it has been checked."""

from __future__ import annotations

from dataclasses import replace

import live_tools
import pytest
from live_intents import DISTINCT, POOLED, case
from live_world import World

from farshore.engine.nftables import nft
from farshore.engine.nftables.desired import compile_fabric
from farshore.engine.nftables.engine import Nftables
from farshore.engine.nftables.ruleset_update import contents
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.machine.apply import apply
from farshore.machine.desired import DesiredState
from farshore.machine.world import PRIVATE

pytestmark = pytest.mark.kernel

NAT, FAR = "customer-a/nat", "provider/nat"
# Of kinds that no rule set of ours holds, and of those that all do.
THINGS = {
    "counter": "add counter inet farshore_filter theirs",
    "limit": "add limit inet farshore_filter theirs { rate 5/second ; }",
    "ct timeout": "add ct timeout inet farshore_filter theirs { protocol udp ; policy = { unreplied : 3 } ; }",
    "set": "add set inet farshore_filter theirs { type ipv4_addr ; }",
    "chain": "add chain inet farshore_filter theirs { type filter hook forward priority 9 ; policy drop ; }",
    "rule": "insert rule inet farshore_filter forwarding accept",
    "element": "add element inet farshore_filter guards_in { theirs : jump in-lake }",
}


def reloaded(before: Fabric, after: Fabric, thing: str, times: int) -> tuple[list[str], list[str], bool]:
    """Go from one fabric to another, while somebody adds something right before our transactions, so many times.

    Return what was done, what a second application does, and whether the rule set is the one that is desired.
    """
    live_tools.build(before)
    real = nft._transact
    added = 0

    def meddled(text: str) -> None:
        nonlocal added
        if "farshore_filter" in text and "farshore_record" not in text and _has_rules() and added < times:
            added += 1
            real(thing + "\n")
        real(text)

    nft._transact = meddled
    try:
        first = live_tools.build(after)
    finally:
        nft._transact = real
    assert added
    again = live_tools.build(after)
    meant = nft._meant(compile_fabric(after).configurations["nftables"][NAT])
    return first, again, contents(live_tools.rules_in(NAT)) == contents(meant)


def _has_rules() -> bool:
    """Tell whether the thread is where a rule set is at work, not where one is looked at."""
    return "farshore_record" in nft._listing()


@pytest.mark.parametrize("thing", THINGS.values(), ids=THINGS.keys())
def test_what_comes_while_a_rule_set_is_loaded_does_not_stay(world: World, thing: str) -> None:
    first, second, as_desired = world.call(reloaded, case(DISTINCT).fabric, case(POOLED).fabric, thing, 1)
    assert f"{NAT}: load rule set: the desired rule set has changed" in first
    assert second == []
    assert as_desired


def overwhelmed(before: Fabric, after: Fabric) -> tuple[str, list[str], list[str]]:
    """Have somebody add a counter after every transaction: return what is refused, and two applications after it."""
    live_tools.build(before)
    real = nft._transact

    def meddled(text: str) -> None:
        real(text)
        if "table inet farshore_filter" in text and "theirs" not in text and "farshore_record" in nft._listing():
            real(THINGS["counter"] + "\n")

    nft._transact = meddled
    try:
        live_tools.build(after)
    except MachineError as error:
        refusal = str(error)
    finally:
        nft._transact = real
    return refusal, live_tools.build(after), live_tools.build(after)


def test_what_is_put_in_again_and_again_is_refused_by_name(world: World) -> None:
    refusal, healed, again = world.call(overwhelmed, case(DISTINCT).fabric, case(POOLED).fabric)
    assert refusal.startswith((f"{NAT} (intent.yaml:", f"{FAR} (intent.yaml:"))  # whichever of the two is first
    assert "counter theirs of table inet farshore_filter is of an unknown kind" in refusal
    assert healed
    assert again == []


def checked(before: Fabric, after: Fabric, broken: str) -> tuple[str, bool]:
    """Apply rule sets of which one is none: return the refusal, and whether all the others are as they were."""
    live_tools.build(before)
    was = {node: live_tools.rules_in(node) for node in (NAT, FAR)}
    desired = compile_fabric(after)
    rulesets = dict(desired.configurations["nftables"]) | {broken: "table inet farshore_filter { chain c { oops } }\n"}
    try:
        apply(_with(desired, rulesets), (Nftables(),), PRIVATE)
    except MachineError as error:
        return str(error), was == {node: live_tools.rules_in(node) for node in (NAT, FAR)}
    return "", False


def _with(desired: DesiredState, rulesets: dict[str, str]) -> DesiredState:
    return replace(desired, configurations={"nftables": rulesets})  # type: ignore[dict-item]


@pytest.mark.parametrize("broken", [NAT, FAR])
def test_nothing_is_loaded_where_one_of_several_would_be_refused(world: World, broken: str) -> None:
    refusal, same = world.call(checked, case(DISTINCT).fabric, case(POOLED).fabric, broken)
    assert refusal.startswith(f"{broken} (intent.yaml:")
    assert "check rule set" in refusal
    assert same
