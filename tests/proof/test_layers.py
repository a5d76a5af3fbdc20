"""Tables in layers against the table itself, asked for one address after the other."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from farshore.proof.sets.intervals import Interval
from farshore.proof.sets.layers import Layers, Stretch

BITS = 6


@st.composite
def aligned(draw: st.DrawFn) -> Interval:
    """Draw a prefix of few bits."""
    size = 1 << draw(st.integers(0, BITS))
    first = draw(st.integers(0, (1 << BITS) // size - 1)) * size
    return first, first + size - 1


tables = st.lists(aligned(), max_size=8).map(lambda prefixes: [(prefix, n) for n, prefix in enumerate(prefixes)])
bounds = st.tuples(st.integers(0, (1 << BITS) + 3), st.integers(0, (1 << BITS) + 3)).map(lambda b: (min(b), max(b)))
Table = list[tuple[Interval, int]]


def holding(table: Table, address: int) -> tuple[int, ...]:
    """Return the entries that hold an address, in the order of the table."""
    return tuple(entry for (first, last), entry in table if first <= address <= last)


@given(tables, bounds)
def test_every_address_has_the_entries_that_hold_it_in_their_order(table: Table, between: Interval) -> None:
    stretches = list(Layers(table).over(*between))
    covered = [(address, s.entries) for s in stretches for address in range(s.first, s.last + 1)]
    assert covered == [(address, holding(table, address)) for address in range(between[0], between[1] + 1)]


@given(tables, bounds)
def test_the_first_match_is_a_stretchs_first_entry(table: Table, between: Interval) -> None:
    for stretch in Layers(table).over(*between):
        for address in range(stretch.first, stretch.last + 1):
            match = next((entry for (first, last), entry in table if first <= address <= last), None)
            assert match == (stretch.entries[0] if stretch.entries else None)


@given(tables, bounds)
def test_the_longest_prefix_is_the_same_all_over_a_stretch(table: Table, between: Interval) -> None:
    for stretch in Layers(table).over(*between):
        for address in range(stretch.first, stretch.last + 1):
            matching = [(first - last, entry) for (first, last), entry in table if first <= address <= last]
            longest = {entry for length, entry in matching if length == max(matching)[0]}
            lengths = {entry: first - last for (first, last), entry in table}
            most = max((lengths[entry] for entry in stretch.entries), default=None)
            assert longest == {entry for entry in stretch.entries if lengths[entry] == most}


@given(tables)
def test_what_no_entry_holds_has_no_stretch(table: Table) -> None:
    layers = Layers(table)
    assert all(stretch.entries for stretch in layers.stretches)
    ends = [(s.first, s.last) for s in layers.stretches]
    assert ends == sorted(ends)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(ends))


def test_an_empty_table_is_one_empty_stretch() -> None:
    assert list(Layers[int](()).over(3, 9)) == [Stretch(3, 9, ())]
