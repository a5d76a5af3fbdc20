"""The designs by name, and the fabric of an intent: of one design, or of those that the intent asks for."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from farshore.design.appliance import appliance
from farshore.design.by_design import shares
from farshore.design.lake import lake
from farshore.design.last_hop import last_hop, last_hop_plain
from farshore.design.segment import Segment
from farshore.design.single_nat import single_nat
from farshore.design.whole import whole
from farshore.fabric.model import Fabric
from farshore.intent.model import Intent
from farshore.plan.model import Plan

DESIGNS = MappingProxyType[str, Callable[[Intent, Plan], Segment]](
    {
        "single-nat": single_nat,
        "lake": lake,
        "last-hop": last_hop,
        "last-hop-plain": last_hop_plain,
        "appliance": appliance,
    }
)


def build(intent: Intent, plan: Plan, design: str | None = None) -> Fabric:
    """Build the fabric of an intent: all of one design or, with None, each tenant by the one that it asks for."""
    if design is not None:
        return whole(intent, {design: DESIGNS[design](intent, plan)})
    carried = shares(intent, plan).items()
    return whole(intent, {name: DESIGNS[name](own_intent, own_plan) for name, (own_intent, own_plan) in carried})
