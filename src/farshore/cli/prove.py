"""``farshore prove``: every property over all packets, or a counterexample that is itself a walk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from farshore.cli.command import (
    BAD_INPUT,
    Command,
    design_option,
    intent_file,
    json_option,
    print_document,
    profile_option,
)
from farshore.cli.console import BAD, GOOD, progress, say
from farshore.design.catalogue import DESIGNS
from farshore.errors import EXIT_NO, EXIT_YES, counted
from farshore.semantics.profile import PROFILES

if TYPE_CHECKING:
    from rich.console import Console

    from farshore.proof.counterexample import Counterexample
    from farshore.proof.judges.account import Property
    from farshore.proof.prove import PropertyResult

    Shown = Mapping[Property, Counterexample]


@click.command(
    cls=Command,
    examples=(
        "farshore prove examples/article.yaml",
        "farshore prove examples/article.yaml --design single-nat",
        "farshore prove examples/ten-tenants.yaml --json | jq '.properties[] | {name, holds, checked}'",
    ),
    statuses={EXIT_YES: "every property holds", EXIT_NO: "check failed: a property does not hold", **BAD_INPUT},
)
@intent_file()
@design_option(DESIGNS)
@profile_option(PROFILES)
@json_option()
@click.pass_context
def prove(context: click.Context, *, file: Path, design: str | None, profile: str | None, as_json: bool) -> None:
    """Prove for all packets that tenants reach their services and nothing else.

    Every possible packet is injected on every link: of every tenant, of the provider's hosts, of the Internet. Its
    path, and that of the replies, is compared with the intent. For a property that does not hold, a counterexample
    is walked step by step.
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
        print_document(document(name, results, shown))
    else:
        from farshore.cli.console import output

        show(output(), name, results, shown, tuple(built.intent.tenants))
    context.exit(EXIT_YES if proven.holds else EXIT_NO)


# What each property means, by its name.
MEANS = {
    "reach": "every tenant reaches its services and receives the replies",
    "nothing-else": "no host reaches any other node, address or port",
    "tenant-isolation": "no tenant reaches another tenant",
    "no-forged-source": "no packet passes with a source that is not the sender's own",
    "no-address-leaks": "no address leaks into another realm",
    "one-to-one": "no two flows match the same session of a device",
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

    say(console, f"design {design}", "bold")
    for result in results:
        sign, style = ("✓", "green") if result.holds else ("✗", BAD)
        cases = (
            f"{counted(result.checked, 'case')} checked"
            if result.holds
            else f"refuted in {counted(len(result.refuted), 'case')}"
        )
        lead = Text(f"{sign} {result.what:<{_WIDEST}}  ", style)
        say(console, Text.assemble((MEANS[result.what], style), (f" ({cases})", "dim")), lead=lead)
    by_walk: dict[tuple[object, ...], list[Counterexample]] = {}
    for each in shown.values():
        by_walk.setdefault((each.walk.origin, each.walk.steps[0].before), []).append(each)
    for those in by_walk.values():
        console.print()
        say(console, f"counterexample: {', '.join(each.what for each in those)}", BAD)
        for each in those:
            cause = each.cause
            place = f"{cause.file}:{cause.position.line}:{cause.position.column}"
            say(console, f"{each.what}: {each.reason}", lead="  ", indent=4)
            origin = f" ({cause.origin})" if cause.origin is not None else ""
            say(console, f"at {cause.device}{origin}: {cause.rule}", lead="    ", indent=6)
            say(console, f"{place}: {cause.line_says}", lead="    ", indent=6)
        console.print()
        show_walk(console, those[0].walk, tenant_names)
    console.print()
    failed = [result.what for result in results if not result.holds]
    held = f"{len(results) - len(failed)} of {len(results)} properties hold"
    if failed:
        say(console, f"✗ check failed: {held}; refuted: {', '.join(failed)}", BAD)
    else:
        say(console, f"✓ proven for every packet: {held}", GOOD)


def document(design: str, results: tuple[PropertyResult, ...], shown: Shown) -> dict[str, Any]:
    """Return the result for programs."""
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
        "reason": each.reason,
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
