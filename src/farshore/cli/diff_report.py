"""What a change does, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from farshore.proof.change import Change, Difference, Kind
from farshore.proof.prove import Verdict

_MOST = 200
_VERBS = {Kind.GAINS: "gains ", Kind.LOSES: "loses "}
_SIGNS = {Kind.COMES: "+", Kind.GAINS: "+", Kind.GOES: "-", Kind.LOSES: "-"}
_STYLES = {"+": "green", "-": "red", "~": "yellow"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A difference, and what the proofs of both sides say. ``only`` is the one tenant that may be touched."""

    difference: Difference
    before: tuple[Verdict, ...]
    after: tuple[Verdict, ...]
    only: str | None

    @property
    def outside(self) -> tuple[Change, ...]:
        """Return what changes for those that should be untouched."""
        return self.difference.outside(self.only) if self.only is not None else ()

    @property
    def failing(self) -> tuple[Verdict, ...]:
        """Return the properties that the new intent does not hold."""
        return tuple(verdict for verdict in self.after if not verdict.holds)

    @property
    def good(self) -> bool:
        """Tell whether the change may be made."""
        return not self.failing and not self.outside


def show(console: Console, outcome: Outcome, new: str) -> None:
    """Print every change, who is untouched, and the verdict."""
    changes, untouched = outcome.difference.changes, outcome.difference.untouched
    for change in changes[:_MOST]:
        sign = _SIGNS.get(change.kind, "~")
        console.print(Text(f"{sign} {_says(change)}", _STYLES[sign]))
    if len(changes) > _MOST:
        console.print(Text(f"and {len(changes) - _MOST:,} changes more; --json lists them all"))
    if not changes:
        console.print(Text("nothing changes"))
    named = f": {', '.join(untouched)}" if 0 < len(untouched) <= len(_SIGNS) * 3 else ""
    console.print(Text(f"untouched, proven: {len(untouched):,} tenants{named}"))
    for verdict in outcome.failing:
        console.print(Text(f"✗ {verdict.what} does not hold: farshore prove {new} shows a packet", "bold red"))
    if outcome.outside:
        others = ", ".join(dict.fromkeys(change.whose for change in outcome.outside[:_MOST]))
        console.print(Text(f"✗ more than {outcome.only} is touched: {others}", "bold red"))
    if outcome.good:
        alone = f", and nobody but {outcome.only} is touched" if outcome.only is not None else ""
        console.print(Text(f"✓ every property holds{alone}", "bold green"))


def _says(change: Change) -> str:
    return f"{change.whose} {_VERBS.get(change.kind, '')}{change.says}"


def document(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome for programs."""
    return {
        "ok": outcome.good,
        "changes": [
            {"whose": change.whose, "kind": str(change.kind), "says": _says(change)}
            for change in outcome.difference.changes
        ],
        "untouched": list(outcome.difference.untouched),
        "only": outcome.only,
        "outside": sorted({change.whose for change in outcome.outside}),
        "properties": [
            {"name": str(now.what), "held": was.holds, "holds": now.holds}
            for was, now in zip(outcome.before, outcome.after, strict=True)
        ],
    }
