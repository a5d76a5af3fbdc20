from __future__ import annotations

import pytest

from bench.summary import Summary, percentile, ratios, rotated, summary


def test_a_summary_has_the_middle_and_the_ends() -> None:
    assert summary([3.0, 1.0, 10.0]) == Summary(3.0, 1.0, 10.0)
    assert summary([4.0, 1.0]) == Summary(2.5, 1.0, 4.0)


def test_ratios_pair_samples_of_one_round() -> None:
    assert ratios([2.0, 9.0], [4.0, 3.0]) == (0.5, 3.0)


def test_a_sample_without_a_partner_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(50, 50.0), (99, 99.0), (100, 100.0), (1, 1.0), (0, 1.0)],
)
def test_percentiles_are_nearest_ranks(percent: float, expected: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], percent) == expected


def test_a_percentile_of_few_samples_is_one_of_them() -> None:
    assert percentile([7.0], 99) == 7.0
    assert percentile([7.0, 8.0], 50) == 7.0
    assert percentile([7.0, 8.0], 51) == 8.0


def test_everybody_goes_first_in_turn() -> None:
    order = ("a", "b", "c")
    rounds = [rotated(order, turn) for turn in range(4)]
    assert rounds == [("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"), ("a", "b", "c")]
