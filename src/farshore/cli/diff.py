"""``farshore diff``: what a change of the intent does, proven."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from farshore.cli.progress import progress
from farshore.design.catalogue import DESIGNS
from farshore.errors import EXIT_NO, EXIT_YES
from farshore.lookup import find

if TYPE_CHECKING:
    from farshore.pipeline.stages import Proven
    from farshore.reporter import Reporter

EXAMPLE = """\b
Example:
  farshore diff before.yaml after.yaml
  farshore diff before.yaml after.yaml --only customer-a && cp after.yaml before.yaml

\b
Exit status: 0 as wished, 1 a property fails or, with --only, somebody else is touched, 2 bad input.
"""


@click.command(epilog=EXAMPLE)
@click.argument("old", type=click.Path(path_type=Path, readable=False))
@click.argument("new", type=click.Path(path_type=Path, readable=False))
@click.option("--only", metavar="TENANT", help="Say no where anything changes for anybody else.")
@click.option("--design", metavar="D", help=f"One of {', '.join(DESIGNS)}; without it what the intents ask for.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def diff(context: click.Context, *, old: Path, new: Path, only: str | None, design: str | None, as_json: bool) -> None:
    """Compare two intents: what changes in addresses and in who reaches what, and who is untouched.

    Both are proven over all packets, so that "untouched" means it: the same packets reach the same services and
    are seen there as before. NEW must hold every property, as farshore prove says.
    """
    from farshore.cli.diff_report import Outcome, document, show
    from farshore.pipeline import stages

    stages.design_named(design)
    with progress() as reporter:
        before, after = (_proven(file, design, reporter) for file in (old, new))
    if only is not None:
        find({**before.built.plan.tenants, **after.built.plan.tenants}, only, "tenant")
    outcome = Outcome(stages.difference(before, after), before.proof.results, after.proof.results, only)
    if as_json:
        click.echo(json.dumps(document(outcome), indent=2, ensure_ascii=False))
    else:
        from farshore.cli.console import output

        show(output(), outcome, str(new))
    context.exit(EXIT_YES if outcome.good else EXIT_NO)


def _proven(file: Path, design: str | None, reporter: Reporter) -> Proven:
    from farshore.cli.inputs import read_built
    from farshore.gc_pause import kept_for_good, without_collector
    from farshore.pipeline import stages

    with without_collector():
        proven = stages.prove(read_built(file, design), reporter=reporter)
        kept_for_good()
    return proven
