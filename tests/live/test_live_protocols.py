"""Every row of docs/protocols.md is shown with real packets through every design."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_protocols import COLUMNS, ROWS, observed, table, unfiltered
from live_world import World

from farshore.intent.check.protocols import DEMANDING

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocols.md"
BEGIN, END = "<!-- protocols -->\n", "<!-- /protocols -->\n"


@pytest.mark.kernel
@pytest.mark.parametrize("column", COLUMNS)
def test_every_row_is_as_it_says(world: World, column: str) -> None:
    found = world.call(observed, column)
    wrong = [
        (row.protocol, row.what, "passes" if seen else "does not pass")
        for row, seen in zip(ROWS, found, strict=True)
        if seen is not row.expected(column)
    ]
    assert wrong == []


@pytest.mark.kernel
def test_a_filter_that_is_lost_is_seen(world: World) -> None:
    """What rows say does not pass would be seen if it did: netfilter translates every protocol."""
    found = world.call(unfiltered, "lake")
    passing = {row.what for row, seen in zip(ROWS, found, strict=True) if seen and not row.expected("lake")}
    assert passing >= {
        "another port",
        "ESP",
        "AH",
        "GRE",
        "a first packet",
        "each of its numbers from 0 to 255",
        "record route",
        "timestamp",
        "router alert",
        "no operation",
        "UDP, from port 33434",
        "4, source quench",
        "each other type from 1 to 255",
    }


def test_the_document_has_the_rows(pytestconfig: pytest.Config) -> None:
    head, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    present, _, tail = rest.partition(END)
    if pytestconfig.getoption("--update-goldens"):
        DOCUMENT.write_text(head + BEGIN + table() + END + tail, encoding="utf-8")
        return
    assert present == table(), "write it anew with pytest --update-goldens"


def test_what_check_warns_of_has_rows_that_do_not_pass() -> None:
    """A protocol that needs more than its port passes in part: it has a row of each kind."""
    for port, demanding in DEMANDING.items():
        names = {"IKE": "IPsec"}
        own = [row for row in ROWS if row.protocol == names.get(demanding.name, demanding.name)]
        assert any(str(port) in row.what for row in own), port
