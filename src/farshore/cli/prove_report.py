"""What a proof found, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from farshore.cli.walk_text import show as show_walk
from farshore.proof.counterexample import Counterexample
from farshore.proof.judges.account import Property
from farshore.proof.prove import PropertyResult
from farshore.walk.tell.summary import document as walk_document

MEANS = {
    Property.REACH: "everybody reaches what they use, and the replies come back",
    Property.NOTHING_ELSE: "nobody reaches anything else",
    Property.ISOLATION: "no tenant reaches another",
    Property.FORGED: "nothing passes with a source that is not the sender's own",
    Property.LEAKS: "no address is seen where it means nothing or somebody else",
    Property.ONE_TO_ONE: "no two flows look alike to a device",
    Property.AMBIGUITY: "no device has a destination on both sides",
    Property.INTERNET: "the Internet reaches what is published, and no tenant goes through to it",
    Property.RETURN_PATH: "replies take the way that the requests took, reversed",
}
_WIDEST = max(len(each) for each in Property)

Shown = Mapping[Property, Counterexample]


def show(
    console: Console, design: str, results: tuple[PropertyResult, ...], shown: Shown, tenant_names: tuple[str, ...]
) -> None:
    """Print every property with what was checked, and below them the counterexamples."""
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
            console.print(Text(f"    at {cause.device}: {cause.rule}"))
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
    cause = each.cause
    return walk_document(each.walk) | {
        "because": each.reason,
        "device": cause.device,
        "rule": cause.rule,
        "intent": {
            "file": cause.file,
            "line": cause.position.line,
            "column": cause.position.column,
            "says": cause.line_says,
        },
    }
