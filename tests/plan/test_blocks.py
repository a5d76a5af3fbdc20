from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farshore.plan.blocks import Blocks, aligned_parts, power_at_least, power_at_most, prefix_length

powers = st.integers(0, 12).map(lambda exponent: 1 << exponent)
ranges = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 3000)), min_size=1, max_size=4).map(
    # Far enough apart not to overlap, starting anywhere.
    lambda drawn: [(number * 4096 + start, size) for number, (start, size) in enumerate(drawn)]
)


def test_takes_the_lowest_aligned_block() -> None:
    blocks = Blocks([(0, 64)])
    assert [blocks.take(size) for size in (1, 16, 2, 1, 8, 32, 4, 1)] == [0, 16, 2, 1, 8, 32, 4, None]


def test_a_smaller_block_fills_the_gap_that_alignment_left() -> None:
    blocks = Blocks([(0, 1024)])
    assert blocks.take(4) == 0
    assert blocks.take(256) == 256
    assert blocks.take(4) == 4
    assert blocks.take(128) == 128


def test_prefers_the_first_range_though_its_addresses_are_higher() -> None:
    blocks = Blocks([(1024, 256), (0, 512)])
    assert [blocks.take(256), blocks.take(256), blocks.take(256), blocks.take(256)] == [1024, 0, 256, None]


def test_the_whole_address_space_is_one_block() -> None:
    assert Blocks([(0, 1 << 32)]).take(1 << 32) == 0


def test_nothing_comes_out_of_no_range() -> None:
    assert Blocks([]).take(1) is None


@pytest.mark.parametrize(
    ("start", "size", "parts"),
    [
        (0, 0, ()),
        (0, 1, ((0, 1),)),
        (8, 3, ((8, 2), (10, 1))),
        (8, 7, ((8, 4), (12, 2), (14, 1))),
        (3, 6, ((3, 1), (4, 4), (8, 1))),
        (0, 1 << 32, ((0, 1 << 32),)),
    ],
)
def test_parts_of_a_range(start: int, size: int, parts: tuple[tuple[int, int], ...]) -> None:
    assert aligned_parts(start, size) == parts


@pytest.mark.parametrize(("count", "least", "most"), [(1, 1, 1), (2, 2, 2), (3, 4, 2), (255, 256, 128)])
def test_powers(count: int, least: int, most: int) -> None:
    assert power_at_least(count) == least
    assert power_at_most(count) == most


def test_prefix_lengths() -> None:
    assert [prefix_length(1), prefix_length(256), prefix_length(1 << 32)] == [32, 24, 0]


@given(ranges, st.lists(powers, max_size=60))
def test_first_fit_agrees_with_trying_every_address(free: list[tuple[int, int]], sizes: list[int]) -> None:
    """The definition of first fit, by brute force: the first aligned start whose addresses are all free."""
    blocks = Blocks(free)
    taken: set[int] = set()

    def first_fit(size: int) -> int | None:
        for start, length in free:
            aligned = -(-start // size) * size
            for candidate in range(aligned, start + length - size + 1, size):
                if taken.isdisjoint(range(candidate, candidate + size)):
                    return candidate
        return None

    for size in sizes:
        expected = first_fit(size)
        assert blocks.take(size) == expected
        if expected is not None:
            taken |= set(range(expected, expected + size))


@given(st.integers(0, 12), st.lists(powers, max_size=60))
def test_a_power_of_two_wastes_nothing(exponent: int, sizes: list[int]) -> None:
    free = 1 << exponent
    blocks = Blocks([(0, free)])
    for size in sizes:
        assert (blocks.take(size) is not None) == (size <= free)
        free -= size if size <= free else 0
