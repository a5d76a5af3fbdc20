"""Limits of sessions: everybody has one, and those of a box that tenants share fit into it, or a warning says so."""

from __future__ import annotations

import re

import pytest

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic
from farshore.fix import first_edits
from farshore.intent.load import load_text
from farshore.intent.model import DEFAULT_SESSIONS


def text(count: int, keys: str = "", *, design: str = "lake", service: str = "") -> str:
    tenants = "".join(
        f"  t{n}: {{networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal]{keys}}}\n" for n in range(count)
    )
    return (
        f"version: 1\ndesign: {design}\nprovider:\n  name: acme\n  networks: [10.1.1.0/24]\n"
        f"  services: {{portal: {{address: 10.1.1.1, ports: [tcp/443]{service}}}}}\ntenants:\n{tenants}"
    )


def warnings(given: str) -> list[Diagnostic]:
    loaded = load_text(given, "intent.yaml")
    assert loaded.intent is not None, loaded.diagnostics
    return [each for each in loaded.diagnostics if each.code is DiagnosticCode.SESSIONS_OVERSUBSCRIBED]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [("", DEFAULT_SESSIONS), (", limits: {rate: 5}", DEFAULT_SESSIONS), (", limits: {sessions: 50000}", 50000)],
)
def test_everybody_has_a_limit(keys: str, expected: int) -> None:
    intent = load_text(text(1, keys), "intent.yaml").intent
    assert intent is not None
    assert intent.tenants["t0"].sessions == expected


@pytest.mark.parametrize(("design", "fit"), [("lake", 32), ("last-hop", 32), ("appliance", 7)])
def test_those_that_fit_are_silent_and_one_more_is_warned_of_where_it_stands(design: str, fit: int) -> None:
    assert warnings(text(fit, design=design)) == []
    (warning,) = warnings(text(fit + 1, design=design))
    assert warning.position.line == 7 + fit + 1
    assert f"design {design}: the limits of its {fit + 1} tenants add up to {(fit + 1) * 8192:,}" in warning.problem


@pytest.mark.parametrize("count", [33, 100, 1000])
@pytest.mark.parametrize("design", ["lake", "last-hop", "appliance"])
def test_the_fix_fits(count: int, design: str) -> None:
    (warning,) = warnings(text(count, design=design))
    found = re.search(r"write sessions: (\d+) in the limits", warning.fix)
    assert found is not None
    assert warnings(text(count, f", limits: {{sessions: {found[1]}}}", design=design)) == []
    assert len(first_edits(warning.fix)) == count


def test_each_box_counts_its_own() -> None:
    halves = text(32).replace("tenants:\n", "tenants:\n" + text(32, ", design: last-hop").partition("tenants:\n")[2])
    renamed = re.sub(r"  t(\d+)(?=.*last-hop)", r"  u\1", halves)
    assert warnings(renamed) == []
    # A service that is carried by a proxy for all has the proxy's room, whatever carries its tenants otherwise.
    (warning,) = warnings(text(8, service=", design: appliance"))
    assert warning.problem.startswith("design appliance:")


def test_one_limit_can_be_too_much_by_itself() -> None:
    (warning,) = warnings(text(1, ", limits: {sessions: 300000}"))
    assert "the limits of its 1 tenant add up to 300,000 sessions, and its box holds 262,144" in warning.problem
