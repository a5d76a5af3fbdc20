"""The designs by name, and the fabric of an intent: of one design, or of those that the intent asks for."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from farshore.design import names
from farshore.design.appliance import appliance
from farshore.design.lake import lake
from farshore.design.last_hop import last_hop, last_hop_plain
from farshore.design.part import Part
from farshore.design.share import shares
from farshore.design.single_nat import single_nat
from farshore.design.whole import whole
from farshore.fabric.model import Fabric
from farshore.intent.model import DesignName, Intent
from farshore.plan.model import Plan

DESIGNS = MappingProxyType[str, Callable[[Intent, Plan], Part]](
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
    return whole(intent, _as_asked(intent, plan))


def _as_asked(intent: Intent, plan: Plan) -> dict[str, Part]:
    carried = shares(intent, plan)
    parts: dict[str, Part] = {}
    for design, (own_intent, own_plan) in carried.items():
        if design is DesignName.LAST_HOP and DesignName.LAKE in carried:
            parts[design] = last_hop(own_intent, own_plan, name=names.PROVIDER_LAST_HOP)
        else:
            parts[design] = DESIGNS[design](own_intent, own_plan)
    return parts
