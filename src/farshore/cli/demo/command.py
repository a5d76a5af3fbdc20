"""``farshore demo``: two hosts and a service with the same address, explained and run in a lab."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from farshore.cli.command import BAD_INPUT, MACHINE, Command, json_option, print_document
from farshore.cli.console import output, progress
from farshore.errors import EXIT_NO, EXIT_YES

if TYPE_CHECKING:
    from farshore.cli.demo.case import Case, Findings


@click.command(
    cls=Command,
    examples=("farshore demo", "farshore demo --json | jq '.fetches[].seen'"),
    statuses={
        EXIT_YES: "every flow is as planned",
        EXIT_NO: "check failed: something differs from the plan",
        **BAD_INPUT,
        **MACHINE,
    },
)
@json_option()
def demo(*, as_json: bool) -> None:
    """Run two hosts and a service with the same address in a lab.

    Alice and Bill, of two tenants, and the provider's portal all have the address 10.1.1.1, as in the series
    Multi-Tenant WAN Access. In a lab on this machine both fetch a page at the same moment, then forged packets are
    injected, which must be blocked. The lab is taken down at the end. No root is needed.
    """
    from farshore.cli.demo.case import read_case, report

    case = read_case()
    if as_json:
        findings = _try(case)
        print_document(report(case, findings))
    else:
        findings = _tell(case)
    raise SystemExit(EXIT_NO if findings.differences(case) else EXIT_YES)


def _tell(case: Case) -> Findings:
    """Print the problem and the plan, run the lab, and print what was observed there."""
    from farshore.cli.demo.story import Story

    story = Story(output(), case)
    story.problem()
    story.plan()
    findings = _try(case)
    story.fetches(findings.fetched)
    story.path()
    story.refusals(findings.results)
    story.conclusion(_program(), _file(), findings.differences(case))
    return findings


def _try(case: Case) -> Findings:
    """Make a lab of the case and try everything in it."""
    from farshore.cli.demo.case import Findings
    from farshore.conformance.exchanges import fetch
    from farshore.conformance.run_checks import run_checks
    from farshore.lab.lifecycle import passing

    checks = (case.allowed, *(refusal.check for refusal in case.refusals))
    results = {}
    name = f"demo-{os.getpid()}"
    with progress() as reporter, passing(name, Path(case.intent.file), case.fabric, reporter) as record:
        fetched = fetch(record.world, case.fetches)
        reporter.started("checks")
        for result in run_checks(record.world, checks, case.fabric):
            results[result.name] = result
            reporter.advanced(len(results), len(checks))
        reporter.finished("checks")
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
