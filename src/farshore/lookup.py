"""Looking up what people name, and naming what is near where there is no such thing."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Collection, Mapping
from typing import TypeVar

from farshore.errors import UsageError

# Comparing costs time for every name; of ten thousand tenants only the likeliest are looked at.
_MOST_COMPARED = 2_000
_MOST_NAMED = 3
_MOST_LISTED = 12
_LONGEST_SHOWN = 63

Found = TypeVar("Found")


def find(known: Mapping[str, Found], name: str, kind: str, where: str = "") -> Found:
    """Return what has this name. Raises UsageError with the near names where nothing has."""
    if name not in known:
        raise UsageError(unknown(kind, name, known.keys(), where))
    return known[name]


def unknown(kind: str, name: str, known: Collection[str], where: str = "") -> str:
    """Return ``no host 'alise' in customer-a; did you mean alice?``, or what there is where nothing is near."""
    place = f" in {where}" if where else ""
    return f"no {kind} {_shown(name)}{place}; {_fix(name, known)}"


def near(name: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the known names that an unknown one may have been meant to be, the nearest first."""
    likely = known
    if len(known) > _MOST_COMPARED:
        likely = heapq.nlargest(_MOST_COMPARED, known, key=lambda each: _alike(each, name))
    return tuple(difflib.get_close_matches(name, likely, n=_MOST_NAMED))


def _alike(one: str, other: str) -> int:
    """Return how many letters two names share at their beginnings and ends."""
    return _shared(one, other) + _shared(one[::-1], other[::-1])


def _shared(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (a, b) in pairs if a != b), min(len(one), len(other)))


def _fix(name: str, known: Collection[str]) -> str:
    if not known:
        return "there is none at all"
    nearest = near(name, known)
    if nearest:
        return f"did you mean {' or '.join(nearest)}?"
    listed = sorted(known)[:_MOST_LISTED]
    more = f" and {len(known) - len(listed):,} more" if len(known) > len(listed) else ""
    return f"there {'is' if len(known) == 1 else 'are'} {', '.join(listed)}{more}"


def _shown(name: str) -> str:
    """Return a name as it can be printed: quoted, without control characters, and not endless."""
    return repr(name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "…")
