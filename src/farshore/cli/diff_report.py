"""What a change does, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from farshore.proof.change import Difference, Effect, EffectKind
from farshore.proof.prove import PropertyResult

_MOST = 200
_VERBS = {EffectKind.GAINS: "gains ", EffectKind.LOSES: "loses "}
_SIGNS = {EffectKind.COMES: "+", EffectKind.GAINS: "+", EffectKind.GOES: "-", EffectKind.LOSES: "-"}
_STYLES = {"+": "green", "-": "red", "~": "yellow"}


@dataclass(frozen=True, slots=True)
class Outcome:
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
        return tuple(result for result in self.after if not result.holds)

    @property
    def good(self) -> bool:
        """Tell whether the change may be made."""
        return not self.failing and not self.outside


def show(console: Console, outcome: Outcome, new: str) -> None:
    """Print every effect, who is untouched, and the result."""
    effects, untouched = outcome.difference.effects, outcome.difference.untouched
    for effect in effects[:_MOST]:
        sign = _SIGNS.get(effect.kind, "~")
        console.print(Text(f"{sign} {_says(effect)}", _STYLES[sign]))
    if len(effects) > _MOST:
        console.print(Text(f"and {len(effects) - _MOST:,} more; --json lists them all"))
    if not effects:
        console.print(Text("nothing changes"))
    named = f": {', '.join(untouched)}" if 0 < len(untouched) <= len(_SIGNS) * 3 else ""
    console.print(Text(f"untouched, proven: {len(untouched):,} tenants{named}"))
    for result in outcome.failing:
        console.print(Text(f"✗ {result.what} does not hold: farshore prove {new} shows a packet", "bold red"))
    if outcome.outside:
        others = ", ".join(dict.fromkeys(effect.whose for effect in outcome.outside[:_MOST]))
        console.print(Text(f"✗ more than {outcome.only} is touched: {others}", "bold red"))
    if outcome.good:
        alone = f", and nobody but {outcome.only} is touched" if outcome.only is not None else ""
        console.print(Text(f"✓ every property holds{alone}", "bold green"))


def _says(effect: Effect) -> str:
    return f"{effect.whose} {_VERBS.get(effect.kind, '')}{effect.says}"


def document(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome for programs."""
    return {
        "ok": outcome.good,
        "changes": [
            {"whose": effect.whose, "kind": str(effect.kind), "says": _says(effect)}
            for effect in outcome.difference.effects
        ],
        "untouched": list(outcome.difference.untouched),
        "only": outcome.only,
        "outside": sorted({effect.whose for effect in outcome.outside}),
        "properties": [
            {"name": str(now.what), "held": was.holds, "holds": now.holds}
            for was, now in zip(outcome.before, outcome.after, strict=True)
        ],
    }
