"""``farshore prove``: every property over all packets, or a counterexample that is itself a walk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from farshore.cli.console import progress
from farshore.design.catalogue import DESIGNS
from farshore.errors import EXIT_NO, EXIT_YES
from farshore.semantics.profile import PROFILES

if TYPE_CHECKING:
    from rich.console import Console

    from farshore.proof.counterexample import Counterexample
    from farshore.proof.judges.account import Property
    from farshore.proof.prove import PropertyResult

    Shown = Mapping[Property, Counterexample]

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
        click.echo(json.dumps(document(name, results, shown), indent=2, ensure_ascii=False))
    else:
        from farshore.cli.console import output

        show(output(), name, results, shown, tuple(built.intent.tenants))
    context.exit(EXIT_YES if proven.holds else EXIT_NO)


# What each property means, by its name.
MEANS = {
    "reach": "every tenant reaches the services that it uses, and the replies come back",
    "nothing-else": "no host reaches anything else",
    "tenant-isolation": "no tenant reaches another tenant",
    "no-forged-source": "no packet passes with a source that is not the sender's own",
    "no-address-leaks": "no address leaks into another realm",
    "one-to-one": "no two flows look alike to a device",
    "no-ambiguity": "no device has the same destination on two sides",
    "internet-containment": "the Internet reaches published services only, and no tenant reaches the Internet",
    "return-path": "replies take the path of the request in reverse",
}
_WIDEST = max(map(len, MEANS))


def show(
    console: Console, design: str, results: tuple[PropertyResult, ...], shown: Shown, tenant_names: tuple[str, ...]
) -> None:
    """Print every property with what was checked, and below them the counterexamples."""
    from farshore.cli.walk_text import show as show_walk

    console.print(Text(f"design {design}", "bold"))
    for result in results:
        sign, style = ("✓", "green") if result.holds else ("✗", "bold red")
        cases = f"{result.checked:,} checked" if result.holds else f"refuted, {len(result.refuted):,} times"
        line = f"{sign} {result.what:<{_WIDEST}}  {MEANS[result.what]}"
        console.print(Text.assemble((line, style), (f" ({cases})", "dim")))
    by_walk: dict[tuple[object, ...], list[Counterexample]] = {}
    for each in shown.values():
        by_walk.setdefault((each.walk.origin, each.walk.steps[0].before), []).append(each)
    for those in by_walk.values():
        console.print()
        console.print(Text(f"counterexample: {', '.join(each.what for each in those)}", "bold red"))
        for each in those:
            cause = each.cause
            place = f"{cause.file}:{cause.position.line}:{cause.position.column}"
            console.print(Text(f"  {each.what}: {each.reason}"))
            origin = f" ({cause.origin})" if cause.origin is not None else ""
            console.print(Text(f"    at {cause.device}{origin}: {cause.rule}"))
            console.print(Text(f"    {place}: {cause.line_says}"))
        console.print()
        show_walk(console, those[0].walk, tenant_names)
    console.print()
    failed = [result.what for result in results if not result.holds]
    if failed:
        console.print(Text(f"✗ not proven: {', '.join(failed)}", "bold red"))
    else:
        console.print(Text("✓ proven, for every packet", "bold green"))


def document(design: str, results: tuple[PropertyResult, ...], shown: Shown) -> dict[str, Any]:
    """Return the shape that design.md gives proofs."""
    return {
        "ok": all(result.holds for result in results),
        "design": design,
        "properties": [
            {
                "name": str(result.what),
                "means": MEANS[result.what],
                "holds": result.holds,
                "checked": result.checked,
                "refuted": len(result.refuted),
                "counterexample": _document(shown[result.what]) if result.what in shown else None,
            }
            for result in results
        ],
    }


def _document(each: Counterexample) -> dict[str, Any]:
    from farshore.walk.tell.summary import document as walk_document

    cause = each.cause
    return walk_document(each.walk) | {
        "because": each.reason,
        "device": cause.device,
        "origin": None if cause.origin is None else str(cause.origin),
        "rule": cause.rule,
        "intent": {
            "file": cause.file,
            "line": cause.position.line,
            "column": cause.position.column,
            "says": cause.line_says,
        },
    }
