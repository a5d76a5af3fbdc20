"""``farshore designs``: the designs side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from farshore.cli.console import progress

if TYPE_CHECKING:
    from farshore.comparison.model import DesignSummary, ReachedBy

EXAMPLE = """\b
Example:
  farshore designs examples/article.yaml
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def designs(file: Path, *, as_json: bool) -> None:
    """Compare the designs for an intent: who reaches what, what each costs, what it cannot carry.

    Every tenant's first host walks to every port of every service that it uses; it stands for the others.
    """
    from farshore.cli.inputs import read_planned
    from farshore.pipeline import stages

    planned = read_planned(file)
    with progress() as reporter:
        summaries = stages.compare(planned, reporter)
    if as_json:
        click.echo(json.dumps({"designs": [_document(each) for each in summaries]}, indent=2))
        return
    click.echo(_table([_COLUMNS, *(_row(each) for each in summaries)]))
    click.echo()
    click.echo(_table(_who_reaches_what(summaries)))
    for each in summaries:
        for line in _remarks(each):
            click.echo(line)


_COLUMNS = ("design", "reaches", "namespaces", "NAT stages", "hops", "lake addresses", "presented")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(summary: DesignSummary) -> tuple[str, ...]:
    costs = summary.costs
    figures = (costs.namespaces, costs.translations, costs.hops, costs.lake_addresses, costs.presented_addresses)
    return (summary.design, f"{summary.delivered} of {summary.walks}", *(f"{figure:,}" for figure in figures))


def _who_reaches_what(summaries: tuple[DesignSummary, ...]) -> list[tuple[str, ...]]:
    """Return a row for each host and what it uses, with a column for each design."""
    rows = [("from", "to", *(each.design for each in summaries))]
    for pair in zip(*(each.reached for each in summaries), strict=True):
        rows.append((pair[0].origin, pair[0].target, *(_share(each) for each in pair)))
    return rows


def _share(reached: ReachedBy) -> str:
    if not reached.missed:
        return "yes"
    return f"{len(reached.ports)} of {len(reached.ports) + len(reached.missed)}" if reached.ports else "no"


def _remarks(summary: DesignSummary) -> list[str]:
    """Return what stands below the table: what is not carried, and the first glitch."""
    lines = [f"  cannot carry: {each.problem}" for each in summary.uncarried]
    if summary.failures:
        first, more = summary.failures[0], len(summary.failures) - 1
        also = f" (and {more:,} more)" if more else ""
        lines.append(f"  first glitch: {first.origin} to {first.target}, step {first.step}: {first.reason}{also}")
    return ["", summary.design, *lines] if lines else []


def _document(summary: DesignSummary) -> dict[str, Any]:
    costs = summary.costs
    return {
        "design": summary.design,
        "complete": summary.complete,
        "walks": summary.walks,
        "delivered": summary.delivered,
        "reached": [
            {"from": each.origin, "to": each.target, "ports": each.ports, "missed": each.missed}
            for each in summary.reached
        ],
        "costs": {
            "namespaces": costs.namespaces,
            "nat_stages": costs.translations,
            "hops": costs.hops,
            "lake_addresses": costs.lake_addresses,
            "presented_addresses": costs.presented_addresses,
        },
        "uncarried": [str(each) for each in summary.uncarried],
        "failures": [
            {"from": each.origin, "to": each.target, "step": each.step, "reason": each.reason}
            for each in summary.failures
        ],
    }
