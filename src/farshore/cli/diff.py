"""``farshore diff``: the effects of a change of the intent, proven."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from farshore.cli.command import BAD_INPUT, Command, design_option, intent_file, json_option, print_document
from farshore.cli.console import BAD, GOOD, progress, say
from farshore.design.catalogue import DESIGNS
from farshore.errors import EXIT_NO, EXIT_YES, UsageError, counted, shell_word
from farshore.lookup import find

if TYPE_CHECKING:
    from rich.console import Console

    from farshore.pipeline.stages import Proven
    from farshore.proof.change import Difference, Effect
    from farshore.proof.prove import PropertyResult
    from farshore.reporter import Reporter


@click.command(
    cls=Command,
    examples=(
        "farshore diff before.yaml after.yaml",
        "farshore diff before.yaml after.yaml --only customer-a && cp after.yaml before.yaml",
        "git show HEAD:intent.yaml | farshore diff - intent.yaml",
    ),
    statuses={
        EXIT_YES: "every property holds and, with --only, nothing else changes",
        EXIT_NO: "check failed: a property does not hold or, with --only, something else changes",
        **BAD_INPUT,
    },
)
@intent_file("old")
@intent_file("new")
@click.option(
    "--only", metavar="TENANT", help="Exit with status 1 if anything changes that is not this tenant's alone."
)
@design_option(DESIGNS)
@json_option()
@click.pass_context
def diff(context: click.Context, *, old: Path, new: Path, only: str | None, design: str | None, as_json: bool) -> None:
    """Compare the intents OLD and NEW, and prove which tenants are unchanged.

    The comparison shows changes of addresses and of reachability, and which devices change. An unchanged
    tenant's packets reach the same services, with the same sources, as before, and the provider's hosts the same of
    its own. NEW must have every property that farshore prove checks.
    """
    from farshore.pipeline import stages

    stages.design_named(design)
    if str(old) == str(new) == "-":
        raise UsageError("OLD and NEW cannot both be standard input; name a file for one of them")
    with progress() as reporter:
        before, after = (_proven(file, design, reporter) for file in (old, new))
    if only is not None:
        find({**before.built.plan.tenants, **after.built.plan.tenants}, only, "tenant")
    result = DiffResult(stages.difference(before, after), before.proof.results, after.proof.results, only)
    if as_json:
        print_document(document(result))
    else:
        from farshore.cli.console import output

        show(output(), result, shell_word(str(new)) if design is None else f"{shell_word(str(new))} --design {design}")
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
_MOST_NAMED = 12
# By the kinds of effects; any other kind is neither gain nor loss.
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
    """Print every effect, the tenants for which nothing changes, and the result."""
    effects, untouched = result.difference.effects, result.difference.untouched
    for effect in effects[:_MOST]:
        sign = _SIGNS.get(effect.kind, "~")
        say(console, effect.says, _STYLES[sign], lead=Text(f"{sign} ", _STYLES[sign]))
    if len(effects) > _MOST:
        say(console, f"{counted(len(effects) - _MOST, 'more change')}; --json lists them all")
    say(console, f"changes: {', '.join(_counts(result))}" if effects else "no change")
    devices = result.difference.devices
    for what, those in (("added", devices.added), ("changed", devices.changed), ("removed", devices.removed)):
        if those:
            say(console, f"devices {what}: {_named(those)}")
    names = f": {', '.join(untouched)}" if 0 < len(untouched) <= _MOST_NAMED else ""
    say(console, f"proven unchanged: {counted(len(untouched), 'tenant')}{names}")
    for each in result.failing:
        say(console, f"✗ {each.what} does not hold; for a counterexample: farshore prove {new}", BAD)
    if result.outside:
        others = ", ".join(dict.fromkeys(name for effect in result.outside[:_MOST] for name in _others(effect, result)))
        say(console, f"✗ changes outside {result.only}: {others}", BAD)
    if result.good:
        alone = f", and nothing outside {result.only} changes" if result.only is not None else ""
        say(console, f"✓ every property holds{alone}", GOOD)


# What a summary counts, by the kinds of effects.
_NOUNS = {
    "comes": "addition",
    "goes": "removal",
    "address": "address change",
    "gains": "gain",
    "loses": "loss",
    "seen": "source change",
    "carried": "setting",
}


def _counts(result: DiffResult) -> Iterator[str]:
    """Yield how many tenants are touched, and how many effects there are of each kind."""
    yield f"{counted(len(result.difference.touched), 'tenant')} touched"
    for kind, number in Counter(str(effect.kind) for effect in result.difference.effects).items():
        yield counted(number, _NOUNS[kind])


def _others(effect: Effect, result: DiffResult) -> Iterable[str]:
    """Return who an effect is on besides the one tenant that may be touched: no tenant's is its subject's."""
    return sorted(name for name in effect.touches if name != result.only) or (effect.subject,)


def _named(names: Sequence[str]) -> str:
    """Return the first of many names, and how many follow."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def document(result: DiffResult) -> dict[str, Any]:
    """Return the result for programs."""
    return {
        "ok": result.good,
        "changes": [
            {
                "subject": effect.subject,
                "kind": str(effect.kind),
                "says": effect.says,
                "touches": sorted(effect.touches),
            }
            for effect in result.difference.effects
        ],
        "touched": list(result.difference.touched),
        "untouched": list(result.difference.untouched),
        "devices": {
            "added": list(result.difference.devices.added),
            "changed": list(result.difference.devices.changed),
            "removed": list(result.difference.devices.removed),
        },
        "only": result.only,
        "outside": sorted({name for effect in result.outside for name in _others(effect, result)}),
        "properties": [
            {"name": str(now.what), "held": was.holds, "holds": now.holds}
            for was, now in zip(result.before, result.after, strict=True)
        ],
    }
