"""A whole run: a lab up, everything tried, everything down again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from farshore.conformance.check import Result
from farshore.conformance.expectations import expectations
from farshore.conformance.run_checks import visit
from farshore.fabric.model import Fabric
from farshore.intent.model import Intent
from farshore.lab.lifecycle import passing
from farshore.plan.model import Plan

Reporter = Callable[[int, int, str], None]


def run(
    file: Path, intent: Intent, plan: Plan, fabric: Fabric, *, making: Reporter, checking: Reporter
) -> tuple[Result, ...]:
    """Make a lab of its own name, make every attempt, and return the results in the order of the checks.

    Raises MachineError where the machine cannot.
    """
    checks = expectations(intent, plan, fabric)
    results: dict[str, Result] = {}
    with passing(f"run-{os.getpid()}", file, fabric, making) as record:
        for result in visit(record, checks, fabric):
            results[result.name] = result
            checking(len(results), len(checks), result.name)
    return tuple(results[check.name] for check in checks)
