"""What a run of a lab came to, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from rich.text import Text

from farshore.cli.console import output
from farshore.conformance.check import Outcome, Result


def print_json(results: Sequence[Result]) -> None:
    """Print the results as design.md gives them."""
    checks = [{"name": r.name, "expected": r.expected, "observed": r.observed, "ok": r.ok} for r in results]
    click.echo(json.dumps({"ok": all(result.ok for result in results), "checks": checks}, indent=2))


def print_text(results: Sequence[Result], *, show_all: bool) -> None:
    """Print what differed, or with ``show_all`` every check, and a summary."""
    console = output()
    for result in results:
        if result.ok and not show_all:
            continue
        line = Text("ok       ", "green") if result.ok else Text("DIFFERS  ", "bold red")
        line.append(f"{result.expected:7}", "dim")
        line.append(result.name, "default")
        if not result.ok:
            line.append(f": {result.observed}", "bold red")
        console.print(line)
    reach = [result for result in results if result.expected is Outcome.REACH]
    block = [result for result in results if result.expected is Outcome.BLOCK]
    click.echo(f"{_share(reach)} that must reach do, {_share(block)} that must be blocked are")


def _share(results: Sequence[Result]) -> str:
    good = sum(result.ok for result in results)
    return f"all {good}" if good == len(results) else f"only {good} of {len(results)}"
