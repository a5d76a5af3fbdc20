"""From an intent file to a fabric, as every command does that needs one."""

from __future__ import annotations

from pathlib import Path

from farshore.cli.inputs import read_plan
from farshore.collector import without_collector
from farshore.design.catalogue import build
from farshore.fabric.model import Fabric
from farshore.intent.model import Intent
from farshore.plan.model import Plan


def read_fabric(file: Path, design: str | None) -> tuple[Intent, Plan, Fabric]:
    """Read a file and build a design from it, or with None the one that it asks for.

    Raises BadInputError with all that is wrong with the file.
    """
    intent, plan = read_plan(file)
    # Ten thousand tenants make a million values and not one cycle: looking for some takes most of the time.
    with without_collector():
        return intent, plan, build(intent, plan, design)
