"""Look up names of the input, and suggest the nearest known name for an unknown one."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Collection, Container, Mapping
from itertools import islice
from typing import TypeVar

from farshore.errors import UsageError, shown
from farshore.fix import write

# Comparing costs time for every name; of ten thousand tenants only the likeliest are compared.
_MOST_COMPARED = 2_000
_MOST_NAMED = 3
_MOST_LISTED = 12
_LONGEST_SHOWN = 63
# A file may contain a hundred thousand unknown names: few of them are worth the time of a suggestion.
_MOST_SUGGESTED = 200
_LONGEST_COMPARED = 126

Found = TypeVar("Found")


def find(known: Mapping[str, Found], name: str, kind: str, where: str = "") -> Found:
    """Return what has this name. Raises UsageError with the nearest names where nothing has it."""
    if name not in known:
        raise UsageError(unknown(kind, name, known.keys(), where))
    return known[name]


def unknown(kind: str, name: str, known: Collection[str], where: str = "") -> str:
    """Return ``no host 'alise' in customer-a; did you mean alice?``, or the known names where none is near."""
    place = f" in {where}" if where else ""
    return f"no {kind} {_quoted(name)}{place}; {_fix(name, known)}"


def near(name: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the known names that an unknown one may be a misspelling of, the nearest first."""
    likely = known
    if len(known) > _MOST_COMPARED:
        likely = heapq.nlargest(_MOST_COMPARED, known, key=lambda each: _alike(each, name))
    return tuple(difflib.get_close_matches(name, likely, n=_MOST_NAMED))


class Nearest:
    """Suggests known names for the unknown ones of a file, a bounded number of times; then it lists the known ones."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        """Begin with all suggestions left."""
        self._left = _MOST_SUGGESTED

    def fix(self, unknown: str, choices: Collection[str], otherwise: str, taken: Container[str] = ()) -> str:
        """Return ``did you mean 'x'?``, which writes x; or ``otherwise``, with the known names put in for ``{known}``.

        Names that are ``taken`` are known, but not meant: each may stand there once.
        """
        if self._left and len(unknown) <= _LONGEST_COMPARED:
            self._left -= 1
            near = difflib.get_close_matches(unknown, islice(choices, _MOST_COMPARED), n=_MOST_NAMED)
            found = next((name for name in near if name not in taken), None)
            if found is not None:
                return write(found, "did you mean '{}'?") if shown(found) == found else _meant(found)
        named = ", ".join(shown(choice) for choice in islice(choices, _MOST_LISTED))
        return otherwise.replace("{known}", named + (", …" if len(choices) > _MOST_LISTED else ""))


def _meant(name: str) -> str:
    return f"did you mean '{shown(name)}'?"


def _alike(one: str, other: str) -> int:
    """Return how many letters two names share at their beginnings and ends."""
    return _shared(one, other) + _shared(one[::-1], other[::-1])


def _shared(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (a, b) in pairs if a != b), min(len(one), len(other)))


def _fix(name: str, known: Collection[str]) -> str:
    if not known:
        return "none is defined"
    nearest = near(name, known)
    if nearest:
        return f"did you mean {' or '.join(nearest)}?"
    listed = sorted(known)[:_MOST_LISTED]
    more = f" and {len(known) - len(listed):,} more" if len(known) > len(listed) else ""
    return f"known: {', '.join(listed)}{more}"


def _quoted(name: str) -> str:
    """Return a name as it can be printed: quoted, without control characters, and not endless."""
    return repr(name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "…")
