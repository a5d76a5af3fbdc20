"""Intervals against plain sets of small numbers: nothing is lost and nothing is made up."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from farshore.port import Port, Protocol
from farshore.proof.sets.intervals import (
    EVERY_PORT,
    Interval,
    Intervals,
    clipped,
    common,
    gaps,
    holds,
    of_port,
    of_prefix,
    of_prefixes,
    port_at,
    size,
    union,
    without,
)
from farshore.realm import PROVIDER, Prefix
from strategies import networks, ports, prefixes

LAST = 24
numbers = st.integers(0, LAST)
bounds = st.tuples(numbers, numbers).map(lambda ends: (min(ends), max(ends)))
loose = st.lists(bounds, max_size=6)
sets = loose.map(union)


def members(intervals: Intervals | list[Interval]) -> set[int]:
    return {number for first, last in intervals for number in range(first, last + 1)}


def is_canonical(intervals: Intervals) -> bool:
    """Tell whether intervals are sorted, apart, and not even next to each other: then equal sets are equal."""
    within = all(first <= last for first, last in intervals)
    return within and all(left[1] + 1 < right[0] for left, right in itertools.pairwise(intervals))


@given(loose)
def test_a_union_has_what_any_has_in_the_one_form(some: list[Interval]) -> None:
    assert members(union(some)) == members(some)
    assert is_canonical(union(some))
    assert size(union(some)) == len(members(some))


@given(sets, sets)
def test_common_has_what_both_have(left: Intervals, right: Intervals) -> None:
    both = common(left, right)
    assert members(both) == members(left) & members(right)
    assert is_canonical(both)


@given(sets, sets)
def test_without_has_what_only_the_left_has(left: Intervals, right: Intervals) -> None:
    rest = without(left, right)
    assert members(rest) == members(left) - members(right)
    assert is_canonical(rest)


@given(sets, bounds)
def test_what_is_held_and_what_is_left_out_make_up_all(some: Intervals, between: Interval) -> None:
    held, out = tuple(clipped(some, *between)), tuple(gaps(some, *between))
    there = set(range(between[0], between[1] + 1))
    assert members(held) == members(some) & there
    assert members(out) == there - members(some)
    assert is_canonical(held)
    assert is_canonical(out)


@given(sets, bounds)
def test_holds_only_what_is_held_as_a_whole(some: Intervals, between: Interval) -> None:
    assert holds(some, *between) is (set(range(between[0], between[1] + 1)) <= members(some))


@given(prefixes(shortest=0))
def test_a_prefix_is_its_first_to_its_last_address(prefix: Prefix) -> None:
    assert of_prefix(prefix) == (int(prefix.network.network_address), int(prefix.network.broadcast_address))


@given(st.lists(networks(27, 32).map(lambda network: Prefix(PROVIDER, network)), max_size=4))
def test_prefixes_are_all_their_addresses(some: list[Prefix]) -> None:
    assert members(of_prefixes(some)) == {int(ip) for prefix in some for ip in prefix.network}


@given(ports, ports)
def test_every_port_has_a_place_of_its_own(one: Port, other: Port) -> None:
    assert port_at(of_port(one)) == one
    assert EVERY_PORT[0] <= of_port(one) <= EVERY_PORT[1]
    assert (of_port(one) == of_port(other)) is (one == other)


@given(st.integers(*EVERY_PORT))
def test_every_port_index_is_a_port(port_index: int) -> None:
    assert of_port(port_at(port_index)) == port_index


def test_the_line_has_every_port_of_every_protocol_and_no_more() -> None:
    assert EVERY_PORT[1] + 1 == 65536 + 65536 + 1
    assert of_port(Port(Protocol.UDP, 0)) == of_port(Port(Protocol.TCP, 65535)) + 1
    assert of_port(Port(Protocol.ICMP)) == EVERY_PORT[1]
