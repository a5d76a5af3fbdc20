"""Aligned blocks out of address ranges, as whole numbers: first fit, nothing is released. Pure.

A block's size is a power of two and its start a multiple of its size, so that it is a prefix.
The free space is kept as the largest aligned blocks it consists of, one heap per size: taking a
block looks at 33 heaps at most, however many blocks were taken before.

Within one aligned power of two (and within its upper part, which is what the tenants' share of the
lake is) first fit wastes nothing: its free blocks are of distinct sizes, growing with the address,
so a block fits whenever as many addresses are free.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from farshore.realm import ADDRESS_BITS


class Blocks:
    """The free space of some ranges, from which aligned blocks are taken."""

    __slots__ = ("_heaps",)

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Start with these ranges free, each ``(start, size)``; earlier ranges are preferred."""
        self._heaps: list[list[tuple[int, int]]] = [[] for _ in range(ADDRESS_BITS + 1)]
        for order, (start, size) in enumerate(ranges):
            for block_start, block_size in aligned_parts(start, size):
                self._heaps[block_size.bit_length() - 1].append((order, block_start))
        for heap in self._heaps:
            heapify(heap)

    def take(self, size: int) -> int | None:
        """Take the first free aligned block of a size, and return its start; None where there is none.

        Args:
            size: A power of two.
        """
        wanted = size.bit_length() - 1
        fitting = [(heap[0], exponent) for exponent, heap in enumerate(self._heaps[wanted:], start=wanted) if heap]
        if not fitting:
            return None
        (order, start), exponent = min(fitting)
        heappop(self._heaps[exponent])
        # The block keeps its first part; what is left of it is one block of every size in between.
        for smaller in range(wanted, exponent):
            heappush(self._heaps[smaller], (order, start + (1 << smaller)))
        return start


def aligned_parts(start: int, size: int) -> tuple[tuple[int, int], ...]:
    """Return the fewest aligned blocks, each ``(start, size)``, that make up a range."""
    parts: list[tuple[int, int]] = []
    end = start + size
    while start < end:
        alignment = (start & -start) or (1 << ADDRESS_BITS)
        part = min(alignment, power_at_most(end - start))
        parts.append((start, part))
        start += part
    return tuple(parts)


def power_at_least(count: int) -> int:
    """Return the smallest power of two that is not less than a count of one or more."""
    return 1 << (count - 1).bit_length()


def power_at_most(count: int) -> int:
    """Return the largest power of two that is not more than a count of one or more."""
    return 1 << (count.bit_length() - 1)


def prefix_length(size: int) -> int:
    """Return the prefix length of a block of this size, a power of two."""
    return ADDRESS_BITS + 1 - size.bit_length()
