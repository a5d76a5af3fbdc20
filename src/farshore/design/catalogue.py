"""The designs by name."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from farshore.design.appliance import appliance
from farshore.design.lake import lake
from farshore.design.last_hop import last_hop
from farshore.design.single_nat import single_nat
from farshore.fabric.model import Fabric
from farshore.intent.model import Intent
from farshore.plan.model import Plan

Design = Callable[[Intent, Plan], Fabric]

DESIGNS = MappingProxyType({"single-nat": single_nat, "lake": lake, "last-hop": last_hop, "appliance": appliance})
DEFAULT_DESIGN = "lake"
