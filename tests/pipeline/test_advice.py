"""Every fix that is offered is accepted when it is followed, by itself and all fixes of one run together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings

from documents import FILE, faulty_documents, followed
from farshore.diagnostic_codes import CodeGroup, DiagnosticCode
from farshore.errors import Diagnostic
from farshore.fix import Choice, choices_of, first_edits
from farshore.pipeline.stages import check_text

CASES = sorted((Path(__file__).parent / "advice").glob("*.yaml"))
# Their numbers change with whatever else is changed.
COUNTED = (DiagnosticCode.LAKE_FULL, DiagnosticCode.SOURCE_FULL, DiagnosticCode.SERVICES_FULL)
# What they name could not be looked at before: behind a value that cannot be read other faults may be hidden.
NAMES = (DiagnosticCode.UNKNOWN_SERVICE, DiagnosticCode.UNKNOWN_TENANT, DiagnosticCode.STRAY_SOURCE)

Fault = tuple[DiagnosticCode, str]


def fault(each: Diagnostic) -> Fault:
    """Return what a diagnostic is about, wherever it stands in the file."""
    problem = each.problem
    if each.code is DiagnosticCode.PRESENTED_OVERLAP:
        # Of several networks that it overlaps it names one.
        problem = re.sub(r"(equals|is inside|contains) its own network .*", "", problem)
    about = "" if each.code in COUNTED else re.sub(r" ?\((first in )?line \d+\)|\(and .* more\)", "", problem)
    return each.code, about


def faults(found: Iterable[Diagnostic]) -> Counter[Fault]:
    """Return how often each fault is there: three equal networks are the same fault twice."""
    return Counter(map(fault, found))


def hides_others(each: Diagnostic) -> bool:
    return each.code.number < "E03" or each.code in NAMES


def assert_accepted(text: str, each: Diagnostic, choice: Choice) -> None:
    before = check_text(text, FILE)
    edits, others = choice.edits, []
    if each.code.group is CodeGroup.ALLOCATION:
        # The addresses are those of a file without other errors.
        others = [other for other in before.errors if other.code.group is not CodeGroup.ALLOCATION]
        edits = (*(edit for other in others for edit in first_edits(other.fix)), *edits)
    after = check_text(followed(text, edits), FILE)
    assert faults(after.diagnostics)[fault(each)] < faults(before.diagnostics)[fault(each)], choice
    if not any(map(hides_others, (each, *others))):
        assert faults(after.errors) <= faults(before.errors), choice


def assert_all_accepted(text: str) -> None:
    errors = check_text(text, FILE).errors
    after = check_text(followed(text, (edit for each in errors for edit in first_edits(each.fix))), FILE)
    by_people = faults(each for each in errors if not first_edits(each.fix))
    before, left = faults(errors), faults(after.errors)
    if any(map(hides_others, errors)):
        # Two values that could not be read may turn out to be equal, or two of a kind that there is already.
        unread = [each for each in before if each[0].number < "E03"]
        assert [each for each in unread if by_people[each] < before[each] <= left[each]] == []
    else:
        assert left <= by_people


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_advice_that_was_not_accepted_once(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = check_text(text, FILE).diagnostics
    assert any(choice.edits for each in found for choice in choices_of(each.fix))
    for each in found:
        for choice in choices_of(each.fix):
            assert_accepted(text, each, choice) if choice.edits else None
    assert_all_accepted(text)


def found_in(name: str) -> dict[str, str]:
    """Return the fixes that a case is offered, by the codes of its errors."""
    path = Path(__file__).parent / "advice" / f"{name}.yaml"
    return {str(each.code): each.fix for each in check_text(path.read_text(encoding="utf-8"), FILE).errors}


def test_a_mode_that_is_not_possible_and_a_lake_that_is_full_are_found_in_one_run() -> None:
    found = found_in("two-slash8")
    assert found["E0319"] == "write sources: host"
    assert found["E0502"].startswith("change a to sources: host (10.0.0.0/8: 2 hosts, 2 addresses, was 16,777,216)")


def test_no_lake_is_advised_that_is_public_or_in_use_or_does_not_exist() -> None:
    assert found_in("third-slash12")["E0502"].endswith("or set the lake to 10.128.0.0/9")
    assert found_in("widened-lake")["E0502"].endswith("or set the lake to 100.64.0.0/21")
    # All of 10.0.0.0/8 is in use, and no other space is as large.
    assert "lake" not in found_in("one-slash8")["E0502"]


def test_what_is_advised_adds_up() -> None:
    found = found_in("one-source")
    assert found["E0503"].startswith("add a /30 to it, such as 10.0.0.0/30")
    assert found["E0505"] == "write sources: {pool: 2}"


def test_of_two_equal_networks_the_second_goes() -> None:
    assert found_in("two-hubs")["E0301"] == "remove 10.1.0.0/16 here"


@given(faulty_documents())
@settings(max_examples=80, deadline=None)
def test_every_fix_is_accepted(text: str) -> None:
    for each in check_text(text, FILE).diagnostics:
        for choice in choices_of(each.fix):
            if choice.edits:
                assert_accepted(text, each, choice)


@given(faulty_documents())
@settings(max_examples=80, deadline=None)
def test_all_fixes_of_one_run_are_accepted_together(text: str) -> None:
    assert_all_accepted(text)


@given(faulty_documents())
def test_a_sentence_shows_the_values_of_its_edits(text: str) -> None:
    for each in check_text(text, FILE).diagnostics:
        for choice in choices_of(each.fix):
            assert str(choice) in each.fix
            assert "{}" not in str(choice)
