"""From an intent file to a fabric, as every command does that needs one."""

from __future__ import annotations

from pathlib import Path

import click

from farshore.cli.inputs import read_plan
from farshore.design.catalogue import build
from farshore.errors import BadInputError
from farshore.fabric.model import Fabric
from farshore.gc_pause import without_collector
from farshore.intent.capabilities import uncarried
from farshore.intent.model import Intent
from farshore.plan.model import Plan


def read_fabric(file: Path, design: str | None) -> tuple[Intent, Plan, Fabric]:
    """Read a file and build a design from it, or with None the one that it asks for.

    What the design cannot carry is said on standard error. Raises BadInputError with all that is wrong with
    the file.
    """
    return _built(file, design, refuse=False)


def read_runnable(file: Path, design: str | None) -> tuple[Intent, Plan, Fabric]:
    """Do the same for a fabric that is to run. Raises BadInputError where the design cannot carry the intent, too."""
    return _built(file, design, refuse=True)


def _built(file: Path, design: str | None, *, refuse: bool) -> tuple[Intent, Plan, Fabric]:
    intent, plan = read_plan(file)
    missing = uncarried(intent, design)
    if missing and refuse:
        raise BadInputError(missing)
    for each in missing:
        click.echo(f"not carried: {each}", err=True)
    # Ten thousand tenants make a million values and not one cycle: looking for some takes most of the time.
    with without_collector():
        return intent, plan, build(intent, plan, design)
