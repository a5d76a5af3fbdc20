"""The bench: the lake against plain routing and against typed iptables rules, and what many tenants take.

python -m tests.bench [--quick] [--tenants 1,100,1000] [--repeat N] [--output FOLDER]
"""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown

from . import machine, scale
from .measure import Effort, measured
from .progress import Log, logging
from .report import Results, as_json, as_markdown

DOCS = Path(__file__).parents[2] / "docs"
FULL_PATHS = (1, 100, 1000)
FULL_PLANS = (10, 100, 1000, 10000)
# Tenants of a lab, and how many times it is made.
FULL_LABS = {10: 5, 100: 3, 200: 3, 1000: 2}
# Tenants of a proof, and whether every pair is walked as well: with more it would take an hour.
FULL_PROOFS = {10: True, 100: True, 1000: True, 10000: False}
FULL = Effort(repetitions=7, seconds=2, round_trips=5000)
MANY = 1000
QUICK_PATHS = (1, 20)
QUICK_PLANS = (10, 1000)
QUICK_LABS = {10: 1, 50: 1}
QUICK_PROOFS = {10: True, 100: True}
QUICK = Effort(repetitions=2, seconds=1, round_trips=2000)


@click.command()
@click.option("--quick", is_flag=True, help="Less of everything, in two minutes: to see that it works. Writes no page.")
@click.option("--tenants", help="Numbers of tenants for the comparison, such as 1,100,1000.")
@click.option("--repeat", type=click.IntRange(min=1), help="Rounds of each comparison.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder to write to.  [default: docs, if not --quick]")
def main(tenants: str | None, repeat: int | None, output: Path | None, *, quick: bool) -> None:
    """Measure, print the page, and write it as Markdown and JSON."""
    effort = QUICK if quick else FULL
    if repeat is not None:
        effort = Effort(repeat, effort.seconds, effort.round_trips)
    counts = tuple(map(int, tenants.split(","))) if tenants else QUICK_PATHS if quick else FULL_PATHS
    command = "python -m tests.bench" if quick or tenants or repeat else "make bench"
    with logging() as log:
        paths = {count: measured(count, effort, log).values for count in counts}
        scales = _scales(QUICK_PLANS if quick else FULL_PLANS, QUICK_LABS if quick else FULL_LABS, effort, log)
        proofs = {
            count: scale.proving(count, effort.repetitions if count < MANY else 3, log, walked=walked)
            for count, walked in (QUICK_PROOFS if quick else FULL_PROOFS).items()
        }
        results = Results(machine.facts(), command, paths, scales, log.spent, proofs)
    folder = output or (None if quick else DOCS)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "benchmarks.md").write_text(as_markdown(results), encoding="utf-8")
        (folder / "benchmarks.json").write_text(json.dumps(as_json(results), indent=1) + "\n", encoding="utf-8")
    console = Console()
    console.print(Markdown(as_markdown(results)) if console.is_terminal else as_markdown(results), soft_wrap=True)
    _print_times(log)


def _scales(plans: tuple[int, ...], labs: dict[int, int], effort: Effort, log: Log) -> dict[int, scale.Figures]:
    figures: dict[int, scale.Figures] = {}
    for tenants in sorted({*plans, *labs}):
        figures[tenants] = scale.planning(tenants, effort.repetitions, log) if tenants in plans else {}
        if tenants in labs:
            figures[tenants] |= scale.lab(tenants, labs[tenants], log)
    return figures


def _print_times(log: Log) -> None:
    console = Console(stderr=True, highlight=False)
    console.print("where the time went:")
    for what, seconds in sorted(log.spent.items(), key=lambda item: -item[1]):
        console.print(f"{seconds:8.1f} s  {what}")
    console.print(f"{sum(log.spent.values()):8.1f} s  in all")


if __name__ == "__main__":
    main()
