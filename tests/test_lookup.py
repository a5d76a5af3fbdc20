"""Unknown names are answered with the nearest known ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farshore.errors import EXIT_BAD_INPUT, UsageError
from farshore.lookup import find, near, unknown


def test_a_known_name_is_found() -> None:
    assert find({"alice": 1}, "alice", "host") == 1


@pytest.mark.parametrize(
    ("known", "says"),
    [
        (("alice", "bill"), "no host 'alise' in customer-a; did you mean alice?"),
        (("alise1", "alise2"), "no host 'alise' in customer-a; did you mean alise2 or alise1?"),
        (("zoe", "xi"), "no host 'alise' in customer-a; known: xi, zoe"),
        (("zoe",), "no host 'alise' in customer-a; known: zoe"),
        ((), "no host 'alise' in customer-a; none is defined"),
    ],
)
def test_an_unknown_name(known: tuple[str, ...], says: str) -> None:
    assert unknown("host", "alise", known, "customer-a") == says
    with pytest.raises(UsageError) as caught:
        find(dict.fromkeys(known), "alise", "host", "customer-a")
    assert (str(caught.value), caught.value.exit_status) == (says, EXIT_BAD_INPUT)


def test_among_ten_thousand_the_likeliest_are_compared() -> None:
    known = [f"tenant-{number:05}" for number in range(10_000)]
    assert near("tenent-09042", known)[0] == "tenant-09042"
    assert near("tenant-9042", known)[0] == "tenant-09042"
    assert unknown("tenant", "qqq", known).endswith(" and 9,988 more")


@given(st.text(), st.lists(st.text(), max_size=5))
def test_whatever_is_typed_the_answer_is_one_printable_line(name: str, known: list[str]) -> None:
    line = unknown("host", name, known).partition("; ")[0]
    assert line.isprintable() or not name.isprintable()
    assert "\n" not in line
