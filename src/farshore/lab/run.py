"""A whole run: a lab goes up, every check is made, and the lab goes down again."""

from __future__ import annotations

import os
from pathlib import Path

from farshore.conformance.check import Result
from farshore.conformance.expectations import expectations
from farshore.conformance.run_checks import run_checks
from farshore.fabric.model import Fabric
from farshore.intent.model import Intent
from farshore.lab.lifecycle import passing
from farshore.plan.model import Plan
from farshore.reporter import SILENT, Reporter


def run(file: Path, intent: Intent, plan: Plan, fabric: Fabric, reporter: Reporter = SILENT) -> tuple[Result, ...]:
    """Make a lab of its own name, make every check, and return the results in the order of the checks.

    Raises MachineError where a tool or a permission is missing.
    """
    checks = expectations(intent, plan, fabric)
    results: dict[str, Result] = {}
    with passing(f"run-{os.getpid()}", file, fabric, reporter) as record:
        reporter.started("checks")
        for result in run_checks(record.world, checks, fabric):
            results[result.name] = result
            reporter.advanced(len(results), len(checks), result.name)
        reporter.finished("checks")
    return tuple(results[check.name] for check in checks)
