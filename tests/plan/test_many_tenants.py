"""The intents that are measured are good ones, and what is added to them moves nothing."""

from __future__ import annotations

from bench.intents import many_tenants
from farshore.intent.load import load_text
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan


def planned(count: int) -> Plan:
    intent = load_text(many_tenants(count), "many.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return plan


def test_many_tenants_plan() -> None:
    plan = planned(300)
    assert len(plan.services) == 8
    assert str(plan.tenants["tenant-00001"].sources[0].lake[0]) == "100.65.0.0/24 (lake)"
    assert str(plan.tenants["tenant-00300"].sources[0].lake[0]) == "100.66.43.0/24 (lake)"
    assert str(plan.tenants["tenant-00300"].presents["service-8"]) == "10.2.2.8 (tenant-00300)"


def test_more_of_them_move_no_other() -> None:
    fewer, more = planned(20), planned(21)
    assert {name: more.tenants[name] for name in fewer.tenants} == fewer.tenants
