"""Targets against the single packets that they stand for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farshore.port import Port
from farshore.proof.sets.intervals import EVERY_PORT, Interval, Intervals, of_port, union
from farshore.proof.sets.targets import Targets, addresses, every_target, now_at, one_target
from farshore.realm import PROVIDER, Address
from strategies import addresses as some_addresses
from strategies import ports

small = st.integers(0, 20)
bounds = st.tuples(small, small).map(lambda ends: (min(ends), max(ends)))
port_indices = st.tuples(st.integers(*EVERY_PORT), st.integers(*EVERY_PORT)).map(lambda ends: (min(ends), max(ends)))


@st.composite
def targets(draw: st.DrawFn) -> Targets:
    """Draw a few destinations that have become others."""
    first, last = draw(bounds)
    return Targets(first, last, draw(st.integers(0, 40)), *draw(port_indices), PROVIDER)


def pairs(some: tuple[Targets, ...]) -> set[tuple[int, int, Interval]]:
    """Return what each destination was when it was sent, what it is now, and the ports."""
    return {(t.first + n, t.at + n, (t.low, t.high)) for t in some for n in range(t.last - t.first + 1)}


@given(st.lists(targets(), max_size=4).map(tuple), st.lists(bounds, max_size=4).map(union))
def test_those_that_are_now_somewhere(some: tuple[Targets, ...], wanted: Intervals) -> None:
    numbers = {number for first, last in wanted for number in range(first, last + 1)}
    assert pairs(now_at(some, wanted)) == {pair for pair in pairs(some) if pair[1] in numbers}


@given(targets(), st.data())
def test_a_cut_forgets_nothing_of_what_it_keeps(some: Targets, data: st.DataObject) -> None:
    first = data.draw(st.integers(some.at, some.end))
    last = data.draw(st.integers(first, some.end))
    piece = some.cut(first, last)
    assert (piece.at, piece.end, piece.realm) == (first, last, some.realm)
    assert pairs((piece,)) == {pair for pair in pairs((some,)) if first <= pair[1] <= last}


@given(st.lists(targets(), max_size=4).map(tuple))
def test_the_addresses_are_the_image(some: tuple[Targets, ...]) -> None:
    image = {now for _, now, _ in pairs(some)}
    assert {n for first, last in addresses(some) for n in range(first, last + 1)} == image


@given(some_addresses(), ports)
def test_anything_has_every_destination_and_port_as_it_was_sent(address: Address, port: Port) -> None:
    (every,) = every_target(address.realm)
    assert every.cut(int(address.ip), int(address.ip)) == one_target(address, port)._replace(
        low=EVERY_PORT[0], high=EVERY_PORT[1]
    )
    assert every.low <= of_port(port) <= every.high
