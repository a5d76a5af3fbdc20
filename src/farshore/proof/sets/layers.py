"""Overlapping prefixes: which of them contain an address, for all addresses at once. Pure.

Of two prefixes one holds the other or they are apart, so one pass with a stack finds every stretch of
addresses that the same ones hold. Tables of routes, translations and permits are all looked up in this form.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from farshore.proof.sets.intervals import Interval

Value = TypeVar("Value")


class Stretch(NamedTuple, Generic[Value]):
    """Addresses that the same entries hold, in the order in which these stand in the table."""

    first: int
    last: int
    entries: tuple[Value, ...]


class Layers(Generic[Value]):
    """A table of prefixes, cut into stretches. What no entry holds has no stretch."""

    __slots__ = ("_firsts", "stretches")

    def __init__(self, table: Iterable[tuple[Interval, Value]]) -> None:
        """Cut a table. Its order is kept within each stretch; its prefixes are aligned, as prefixes are."""
        self.stretches = tuple(_cut(table))
        self._firsts = [stretch.first for stretch in self.stretches]

    def over(self, first: int, last: int) -> Iterator[Stretch[Value]]:
        """Yield the stretches between two bounds, cut to them, and what no entry holds as empty ones."""
        here = first
        for number in range(max(bisect_right(self._firsts, first) - 1, 0), len(self.stretches)):
            stretch = self.stretches[number]
            if stretch.first > last:
                break
            if stretch.last < first:
                continue
            if stretch.first >= first and stretch.last <= last:
                piece = stretch
            else:
                piece = Stretch(max(stretch.first, first), min(stretch.last, last), stretch.entries)
            if piece.first > here:
                yield Stretch(here, piece.first - 1, ())
            yield piece
            here = piece.last + 1
        if here <= last:
            yield Stretch(here, last, ())


def _cut(table: Iterable[tuple[Interval, Value]]) -> Iterator[Stretch[Value]]:
    ordered = sorted((first, -last, number, value) for number, ((first, last), value) in enumerate(table))
    holding: list[tuple[int, int, Value]] = []  # last address, position in the table, entry; the widest first
    here = 0
    for first, minus_last, number, value in ordered:
        while holding and holding[-1][0] < first:
            yield from _stretch(here, holding[-1][0], holding)
            here = max(here, holding.pop()[0] + 1)
        if holding:
            yield from _stretch(here, first - 1, holding)
        here = first
        holding.append((-minus_last, number, value))
    while holding:
        yield from _stretch(here, holding[-1][0], holding)
        here = max(here, holding.pop()[0] + 1)


def _stretch(first: int, last: int, holding: list[tuple[int, int, Value]]) -> Iterator[Stretch[Value]]:
    if first > last:
        return
    if len(holding) == 1:
        yield Stretch(first, last, (holding[0][2],))
        return
    yield Stretch(first, last, tuple(each[2] for each in sorted(holding, key=_position)))


def _position(each: tuple[int, int, Value]) -> int:
    return each[1]
