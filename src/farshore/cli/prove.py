"""``farshore prove``: every property over all packets, or a counterexample that is itself a walk."""

from __future__ import annotations

import json
from pathlib import Path

import click

from farshore.cli.progress import progress
from farshore.design.catalogue import DESIGNS
from farshore.errors import EXIT_NO, EXIT_YES
from farshore.semantics.profile import PROFILES

EXAMPLE = """\b
Example:
  farshore prove examples/article.yaml
  farshore prove examples/article.yaml --design single-nat
  farshore prove examples/ten-tenants.yaml --json | jq '.properties[] | {name, holds, checked}'

\b
Exit status: 0 every property holds, 1 one does not, 2 bad input.
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--design", metavar="D", help=f"One of {', '.join(DESIGNS)}; without it what the intent asks for.")
@click.option(
    "--profile",
    metavar="P",
    help=f"Every NAT device's order of operations, one of {', '.join(PROFILES)}; else its own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def prove(context: click.Context, *, file: Path, design: str | None, profile: str | None, as_json: bool) -> None:
    """Prove, over all packets, that everyone reaches what they should and nothing else.

    Anything at all is put on every wire: of every tenant, of the provider's hosts, of the Internet. What comes of
    it, and of the replies, is held against the intent. Where a property fails, the packet that shows it is walked.
    """
    from farshore.cli.inputs import read_built
    from farshore.gc_pause import kept_for_good, without_collector
    from farshore.pipeline import stages

    stages.design_named(design)
    stages.profile_named(profile)
    # Ten thousand tenants make millions of values that all stay: looking for garbage among them takes most of the time.
    with without_collector():
        built = read_built(file, design)
        with progress() as reporter:
            proven = stages.prove(built, profile, reporter)
        kept_for_good()
    name, results, shown = built.fabric.design, proven.proof.results, proven.counterexamples
    if as_json:
        from farshore.cli.prove_report import document

        click.echo(json.dumps(document(name, results, shown), indent=2, ensure_ascii=False))
    else:
        from farshore.cli.console import output
        from farshore.cli.prove_report import show

        show(output(), name, results, shown, tuple(built.intent.tenants))
    context.exit(EXIT_YES if proven.holds else EXIT_NO)
