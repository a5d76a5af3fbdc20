"""What many samples come to: their middle, their spread, and ratios of what was measured side by side."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """The median of some samples, and the least and the greatest of them."""

    median: float
    least: float
    greatest: float


def summary(samples: Sequence[float]) -> Summary:
    """Summarise samples, at least one."""
    return Summary(statistics.median(samples), min(samples), max(samples))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """Return the ratio of each pair of samples. Raises ValueError where one has no partner."""
    return tuple(our / their for our, their in zip(ours, theirs, strict=True))


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the least sample that no fewer than ``percent`` of a hundred samples do not exceed (nearest rank)."""
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


def rotated(order: Sequence[str], turn: int) -> tuple[str, ...]:
    """Return an order that begins one further on each turn, so that nobody always goes first."""
    start = turn % len(order)
    return (*order[start:], *order[:start])
