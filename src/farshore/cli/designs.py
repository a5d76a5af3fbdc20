"""``farshore designs``: the designs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from farshore.cli.command import BAD_INPUT, Command, intent_file, json_option, print_document
from farshore.cli.console import cell, progress
from farshore.errors import EXIT_YES

if TYPE_CHECKING:
    from farshore.comparison.model import DesignSummary, ReachedBy


@click.command(
    cls=Command,
    examples=("farshore designs examples/article.yaml", "farshore designs examples/ten-tenants.yaml --json"),
    statuses={EXIT_YES: "compared", **BAD_INPUT},
)
@intent_file()
@json_option()
def designs(file: Path, *, as_json: bool) -> None:
    """Compare the designs for the intent in FILE.

    The comparison shows reachability, costs, and what a design cannot carry. The first host of every tenant is walked
    to every port of every service that the tenant uses; it stands for the tenant's other hosts.
    """
    from farshore.cli.console import output, say, table
    from farshore.cli.inputs import read_planned
    from farshore.pipeline import stages

    planned = read_planned(file)
    with progress() as reporter:
        summaries = stages.compare(planned, reporter)
    if as_json:
        print_document({"designs": [_document(each) for each in summaries]})
        return
    console = output()
    for headings, *rows in ([_COLUMNS, *map(_row, summaries)], _who_reaches_what(summaries)):
        table(console, headings, [tuple(map(cell, row)) for row in rows])
        console.print()
    remarks = [lines for each in summaries if (lines := _remarks(each))]
    for number, (design, *lines) in enumerate(remarks):
        if number:
            console.print()
        say(console, design)
        for line in lines:
            say(console, line, lead="  ", indent=4)


_COLUMNS = ("design", "reaches", "namespaces", "NAT stages", "hops", "lake addresses", "presented")


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
        return "without identity" if reached.identity_lost else "yes"
    return f"{len(reached.ports)} of {len(reached.ports) + len(reached.missed)}" if reached.ports else "no"


def _remarks(summary: DesignSummary) -> list[str]:
    """Return what stands below the tables for a design: its name, what it cannot carry, and the first glitch."""
    lines = [f"cannot carry: {each.problem}" for each in summary.uncarried]
    if summary.failures:
        first, more = summary.failures[0], len(summary.failures) - 1
        also = f" (and {more:,} more)" if more else ""
        lines.append(f"first glitch: {first.origin} to {first.target}, step {first.step}: {first.reason}{also}")
    return [summary.design, *lines] if lines else []


def _document(summary: DesignSummary) -> dict[str, Any]:
    costs = summary.costs
    return {
        "design": summary.design,
        "complete": summary.complete,
        "walks": summary.walks,
        "delivered": summary.delivered,
        "reached": [
            {
                "from": each.origin,
                "to": each.target,
                "ports": each.ports,
                "missed": each.missed,
                "identity_lost": each.identity_lost,
            }
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
