from __future__ import annotations

import pytest
from plan_builders import FILE, PRESENTS_POSITION, tenant

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, Position
from farshore.plan.presented import allocate_presented


def presented(presents: str | None, services: dict[str, str | None]) -> list[str]:
    """Return the presented addresses of a tenant."""
    allocated = allocate_presented(FILE, tenant("a", {}, services=services, presents=presents))
    assert not allocated.diagnostics
    assert all(address.realm.name == "a" for address in allocated.presents.values())
    assert list(allocated.presents) == list(services)
    return [str(address.ip) for address in allocated.presents.values()]


def test_the_portal_of_the_article() -> None:
    assert presented("10.2.2.0/28", {"portal": None}) == ["10.2.2.1"]


@pytest.mark.parametrize(
    ("presents", "services", "addresses"),
    [
        ("10.2.2.0/30", {"a": None, "b": None}, ["10.2.2.1", "10.2.2.2"]),
        ("10.2.2.0/31", {"a": None, "b": None}, ["10.2.2.0", "10.2.2.1"]),
        ("10.2.2.7/32", {"a": None}, ["10.2.2.7"]),
        ("10.2.2.0/28", {"a": None, "b": "10.2.2.1", "c": None}, ["10.2.2.2", "10.2.2.1", "10.2.2.3"]),
        ("10.2.2.0/28", {"a": "10.2.2.9", "b": None}, ["10.2.2.9", "10.2.2.1"]),
        (None, {"a": "10.2.2.9"}, ["10.2.2.9"]),
        (None, {}, []),
    ],
)
def test_pinned_first_then_the_lowest_that_are_free(
    presents: str | None, services: dict[str, str | None], addresses: list[str]
) -> None:
    assert presented(presents, services) == addresses


def test_a_full_range_names_a_sufficient_one() -> None:
    three: dict[str, str | None] = {"a": None, "b": None, "c": "10.2.2.1"}
    allocated = allocate_presented(FILE, tenant("t", {}, services=three, presents="10.2.2.0/30"))
    assert allocated.diagnostics == (
        Diagnostic(
            FILE,
            PRESENTS_POSITION,
            DiagnosticCode.PRESENTED_FULL,
            "tenant t: presents 10.2.2.0/30 has 2 usable addresses for 3 services",
            "ask its admins for a /29",
        ),
    )
    assert len(presented("10.2.2.0/29", three)) == 3


def test_no_range() -> None:
    (diagnostic,) = allocate_presented(
        FILE, tenant("t", {}, services={"a": None, "b": None}, presents=None)
    ).diagnostics
    assert diagnostic == Diagnostic(
        FILE,
        Position(),
        DiagnosticCode.PRESENTED_FULL,
        "tenant t: 2 services need addresses, and there is no presented range",
        "write presents: with the range that its admins assigned, a /31 or larger",
    )
