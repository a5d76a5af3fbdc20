"""``farshore demo``: the article's case, told and really done."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from farshore.cli.console import output, progress
from farshore.errors import EXIT_NO, EXIT_YES

if TYPE_CHECKING:
    from farshore.cli.demo.case import Case, Findings

# \b keeps click from filling the lines that follow.
EXAMPLE = """\b
Example:
  farshore demo
  farshore demo --json | jq '.fetches[].seen'

\b
Exit status: 0 all was seen as planned, 1 something differed, 3 the machine cannot.
"""


@click.command(epilog=EXAMPLE)
@click.option("--json", "as_json", is_flag=True, help="Print what was seen as JSON, for programs.")
def demo(*, as_json: bool) -> None:
    """Show that Alice and Bill, both 10.1.1.1, can exchange to a portal at 10.1.1.1.

    It makes a lab of the article's case on this machine, has both of them fetch a page at the same moment,
    tries what must be refused, and takes the lab down. It needs no root and takes a few seconds.
    """
    from farshore.cli.demo.case import read_case, report

    case = read_case()
    if as_json:
        findings = _try(case)
        click.echo(json.dumps(report(case, findings), indent=2))
    else:
        findings = _tell(case)
    raise SystemExit(EXIT_NO if findings.differences(case) else EXIT_YES)


def _tell(case: Case) -> Findings:
    """Tell what is known beforehand, make the lab, and tell what was seen there."""
    from farshore.cli.demo.story import Story

    story = Story(output(), case)
    story.problem()
    story.plan()
    findings = _try(case)
    story.fetches(findings.fetched)
    story.path()
    story.refusals(findings.results)
    story.moral(_program(), _file(), findings.differences(case))
    return findings


def _try(case: Case) -> Findings:
    """Make a lab of the case and try everything in it."""
    from farshore.cli.demo.case import Findings
    from farshore.conformance.run_checks import visit
    from farshore.lab.lifecycle import passing
    from farshore.traffic.fetch import fetch

    checks = (case.honest, *(refusal.check for refusal in case.refusals))
    results = {}
    name = f"demo-{os.getpid()}"
    with progress() as reporter, passing(name, Path(case.intent.file), case.fabric, reporter) as record:
        fetched = fetch(record, case.fetches)
        reporter.started("attempts that must be refused")
        for result in visit(record, checks, case.fabric):
            results[result.name] = result
            reporter.advanced(len(results), len(checks))
        reporter.finished("attempts that must be refused")
    return Findings(fetched, results)


def _program() -> str:
    """Return by what name this program can be called again from here."""
    called = Path(sys.argv[0])
    if shutil.which("farshore") or called.name != "farshore":
        return "farshore"
    return os.path.relpath(called)


def _file() -> str:
    """Return the intent file as it can be given to other commands from here."""
    example = Path("examples/article.yaml")
    if example.exists():
        return str(example)
    return str(Path(__file__).with_name("article.yaml"))
