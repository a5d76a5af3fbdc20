from __future__ import annotations

import json

import pytest

from bench.report import Results, as_json, as_markdown


@pytest.fixture
def results() -> Results:
    return Results(
        machine={"kernel": "6.1", "cores": "2"},
        command="make bench",
        paths={
            1: {
                "tcp": {"lake": [4e9, 6e9, 5e9], "routed": [8e9, 6e9, 5e9], "iptables": [4e9, 3e9, 10e9]},
                "udp_lost_percent": {"lake": [0.0, 1.0], "routed": [0.0, 0.0], "iptables": [0.0, 3.0]},
            },
            1000: {"connections": {"lake": [9000.0], "routed": [12000.0], "iptables": [6000.0]}},
        },
        scales={10: {"plan_seconds": [0.014], "lab_mib": [9.6]}, 10000: {"plan_seconds": [1.25, 1.5, 2.0]}},
        seconds_spent={"planning": 3.0},
    )


def test_a_row_has_medians_spreads_and_ratios_within_rounds(results: Results) -> None:
    # The ratios' medians are those of 0.5, 1 and 1, and of 1, 2 and 0.5: not ratios of medians.
    lines = as_markdown(results).splitlines()
    assert "| 1 | 5.00 (4.00–6.00) |  |  | 6.00 (5.00–8.00) | 4.00 (3.00–10.00) |" in lines  # noqa: RUF001
    assert "| tenants | lake / routed | lake / iptables |" in lines
    assert "| 1 | 1.00 (0.50–1.00) | 1.00 (0.50–2.00) |" in lines  # noqa: RUF001


def test_a_share_that_may_be_nothing_has_no_ratio(results: Results) -> None:
    lines = as_markdown(results).splitlines()
    row = "| 1 | 0.5 (0.0–1.0) |  |  | 0.0 (0.0–0.0) | 1.5 (0.0–3.0) |"  # noqa: RUF001
    assert lines[lines.index(row) + 2].startswith("###")


def test_tenants_that_were_not_measured_have_no_row(results: Results) -> None:
    page = as_markdown(results)
    assert page.count("| 1,000 |") == 2  # what was measured, and the ratios
    assert page.count("| 10,000 |") == 1


def test_a_figure_that_was_not_taken_leaves_its_cell_empty(results: Results) -> None:
    assert "| 10,000 | 1.50 (1.25–2.00) |  |" in as_markdown(results).splitlines()  # noqa: RUF001


def test_the_page_says_what_it_was_made_by_and_on(results: Results) -> None:
    page = as_markdown(results)
    assert "Made by `make bench`" in page
    assert "| kernel | 6.1 |" in page


def test_the_json_holds_every_sample(results: Results) -> None:
    content = json.loads(json.dumps(as_json(results)))
    throughput = next(each for each in content["paths"] if each["metric"] == "tcp")
    assert throughput["tenants"] == 1
    assert throughput["variants"]["lake"] == {"median": 5e9, "least": 4e9, "greatest": 6e9, "samples": [4e9, 6e9, 5e9]}
    assert throughput["ratios"]["lake / routed"] == {"median": 1.0, "least": 0.5, "greatest": 1.0}
    assert {(each["tenants"], each["metric"]) for each in content["scales"]} == {
        (10, "plan_seconds"),
        (10, "lab_mib"),
        (10000, "plan_seconds"),
    }
    assert content["seconds_spent"] == {"planning": 3.0}
