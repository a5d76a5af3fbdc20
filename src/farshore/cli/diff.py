"""``farshore diff``: what a change of the intent does, proven."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from farshore.cli.console import progress
from farshore.design.catalogue import DESIGNS
from farshore.errors import EXIT_NO, EXIT_YES
from farshore.lookup import find

if TYPE_CHECKING:
    from rich.console import Console

    from farshore.pipeline.stages import Proven
    from farshore.proof.change import Difference, Effect
    from farshore.proof.prove import PropertyResult
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
    from farshore.pipeline import stages

    stages.design_named(design)
    with progress() as reporter:
        before, after = (_proven(file, design, reporter) for file in (old, new))
    if only is not None:
        find({**before.built.plan.tenants, **after.built.plan.tenants}, only, "tenant")
    result = DiffResult(stages.difference(before, after), before.proof.results, after.proof.results, only)
    if as_json:
        click.echo(json.dumps(document(result), indent=2, ensure_ascii=False))
    else:
        from farshore.cli.console import output

        show(output(), result, str(new))
    context.exit(EXIT_YES if result.good else EXIT_NO)


def _proven(file: Path, design: str | None, reporter: Reporter) -> Proven:
    from farshore.cli.inputs import read_built
    from farshore.gc_pause import kept_for_good, without_collector
    from farshore.pipeline import stages

    with without_collector():
        proven = stages.prove(read_built(file, design), reporter=reporter)
        kept_for_good()
    return proven


_MOST = 200
# By the kinds of changes; any other kind is neither gain nor loss.
_VERBS = {"gains": "gains ", "loses": "loses "}
_SIGNS = {"comes": "+", "gains": "+", "goes": "-", "loses": "-"}
_STYLES = {"+": "green", "-": "red", "~": "yellow"}


@dataclass(frozen=True, slots=True)
class DiffResult:
    """A difference, and what the proofs of both sides say. ``only`` is the one tenant that may be touched."""

    difference: Difference
    before: tuple[PropertyResult, ...]
    after: tuple[PropertyResult, ...]
    only: str | None

    @property
    def outside(self) -> tuple[Effect, ...]:
        """Return what changes for those that should be untouched."""
        return self.difference.outside(self.only) if self.only is not None else ()

    @property
    def failing(self) -> tuple[PropertyResult, ...]:
        """Return the properties that the new intent does not hold."""
        return tuple(each for each in self.after if not each.holds)

    @property
    def good(self) -> bool:
        """Tell whether the change may be made."""
        return not self.failing and not self.outside


def show(console: Console, result: DiffResult, new: str) -> None:
    """Print every effect, who is untouched, and the result."""
    effects, untouched = result.difference.effects, result.difference.untouched
    for effect in effects[:_MOST]:
        sign = _SIGNS.get(effect.kind, "~")
        console.print(Text(f"{sign} {_says(effect)}", _STYLES[sign]))
    if len(effects) > _MOST:
        console.print(Text(f"and {len(effects) - _MOST:,} changes more; --json lists them all"))
    if not effects:
        console.print(Text("nothing changes"))
    named = f": {', '.join(untouched)}" if 0 < len(untouched) <= len(_SIGNS) * 3 else ""
    console.print(Text(f"untouched, proven: {len(untouched):,} tenants{named}"))
    for each in result.failing:
        console.print(Text(f"✗ {each.what} does not hold: farshore prove {new} shows a packet", "bold red"))
    if result.outside:
        others = ", ".join(dict.fromkeys(effect.whose for effect in result.outside[:_MOST]))
        console.print(Text(f"✗ more than {result.only} is touched: {others}", "bold red"))
    if result.good:
        alone = f", and nobody but {result.only} is touched" if result.only is not None else ""
        console.print(Text(f"✓ every property holds{alone}", "bold green"))


def _says(effect: Effect) -> str:
    return f"{effect.whose} {_VERBS.get(effect.kind, '')}{effect.says}"


def document(result: DiffResult) -> dict[str, Any]:
    """Return the result for programs."""
    return {
        "ok": result.good,
        "changes": [
            {"whose": effect.whose, "kind": str(effect.kind), "says": _says(effect)}
            for effect in result.difference.effects
        ],
        "untouched": list(result.difference.untouched),
        "only": result.only,
        "outside": sorted({effect.whose for effect in result.outside}),
        "properties": [
            {"name": str(now.what), "held": was.holds, "holds": now.holds}
            for was, now in zip(result.before, result.after, strict=True)
        ],
    }
