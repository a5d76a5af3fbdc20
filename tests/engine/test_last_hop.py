"""Numbers of interfaces, and what they are used for: zones, marks, routing tables and the rules that pick one."""

from __future__ import annotations

import random
from dataclasses import replace

import engine_cases
from hypothesis import given
from hypothesis import strategies as st

from farshore.engine.nftables import last_hop
from farshore.engine.nftables.desired import compile_fabric
from farshore.fabric.model import Device, Interface
from farshore.machine.desired import MAIN_TABLE, DesiredRoute, DesiredRule, RuleAction
from farshore.realm import PROVIDER, tenant_realm

NODE = compile_fabric(engine_cases.last_hop()).nodes["provider/last-hop"]
MANY = [f"to-t{number}" for number in range(3000)]  # of which some seventy come to a number that is taken


def box() -> Device:
    found = engine_cases.last_hop().nodes["provider/last-hop"]
    assert isinstance(found, Device)
    return found


def with_interfaces(names: list[str]) -> Device:
    tenants = (Interface(name, tenant_realm(name)) for name in names)
    return replace(box(), interfaces=(*tenants, Interface("provider", PROVIDER)))


def test_numbers_are_ones_own_and_none_of_the_kernels_tables() -> None:
    numbers = last_hop.numbers(with_interfaces(MANY))
    assert list(numbers) == sorted(MANY)
    assert len(set(numbers.values())) == len(MANY)
    assert all(1024 <= number <= 65535 for number in numbers.values())


def test_numbers_do_not_depend_on_the_order() -> None:
    shuffled = random.Random(7).sample(MANY, len(MANY))  # noqa: S311 - an order, not a secret
    assert last_hop.numbers(with_interfaces(shuffled)) == last_hop.numbers(with_interfaces(MANY))


@given(st.sets(st.sampled_from(MANY), min_size=1, max_size=50))
def test_hardly_anybodys_number_moves_where_others_go(gone: set[str]) -> None:
    before = last_hop.numbers(with_interfaces(MANY))
    after = last_hop.numbers(with_interfaces([name for name in MANY if name not in gone]))
    moved = [name for name, number in after.items() if before[name] != number]
    # Only who had given way to one of those.
    assert len(moved) <= len(gone)
    assert {after[name] for name in moved} <= {before[name] for name in gone} | {before[name] for name in moved}


def test_each_tenants_table_leads_out_by_its_interface_alone() -> None:
    numbers = last_hop.numbers(box())
    others = {route for route in NODE.routes if route.table != MAIN_TABLE}
    assert others == {
        DesiredRoute(route.destination, name, number)
        for name, number in numbers.items()
        for route in others
        if route.destination.prefixlen == 0
    }
    assert len(others) == len(numbers) == 2


def decide(mark: int, interface: str) -> int | None:
    """Follow the rules as the kernel does: return the table that is looked up first, None where nothing is."""
    start = 0
    for rule in sorted(NODE.rules, key=lambda rule: rule.priority):
        if rule.priority < start or (rule.mark != mark & rule.mask) or rule.interface not in (None, interface):
            continue
        match rule.action:
            case RuleAction.LOOK_UP:
                return rule.target
            case RuleAction.GO_TO:
                start = rule.target
            case RuleAction.UNREACHABLE:
                return None
    return None


def test_what_asks_and_what_answers_are_looked_up_where_they_belong() -> None:
    for name, number in last_hop.numbers(box()).items():
        asking, answering = number | last_hop.ASKING, number | last_hop.ANSWERING
        assert decide(asking, name) == MAIN_TABLE
        assert decide(answering, "provider") == number
        # The box's own errors go against what they are about.
        assert decide(asking, "lo") == number
        assert decide(answering, "lo") == MAIN_TABLE
        # What has no mark, or answers on a tenant's side, goes nowhere.
        assert decide(answering, name) is None
        assert decide(0, name) is None
        assert decide(number, name) is None
    assert decide(0, "provider") is None
    assert decide(0, "lo") is None


def test_what_is_not_known_goes_nowhere() -> None:
    assert decide(7 | last_hop.ANSWERING, "provider") is None
    assert DesiredRule(14, RuleAction.UNREACHABLE) in NODE.rules
