"""From an example's file to its fabric, for tests that begin with one."""

from __future__ import annotations

from pathlib import Path

from farshore.fabric.model import Fabric
from farshore.intent.load import load
from farshore.intent.model import Intent
from farshore.pipeline import stages
from farshore.plan.model import Plan


def fabric_of(file: Path, design: str | None) -> tuple[Intent, Plan, Fabric]:
    """Return the intent of a file, its plan, and its fabric in a design."""
    built = stages.build(stages.check(load(file)).planned, design)
    return built.intent, built.plan, built.fabric
