"""Every diagnostic code is documented, and produced by an input that a test has."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from farshore.cli.inputs import MOST_SHOWN, shortened
from farshore.diagnostic_codes import CodeGroup, DiagnosticCode
from farshore.errors import Diagnostic, Position, Severity
from farshore.intent.load import load, load_text
from farshore.plan.allocate import allocate

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "diagnostics.md"
BAD_INTENTS = sorted((TESTS / "intent" / "bad").glob("*.yaml"))
BAD_PLANS = sorted((TESTS / "plan" / "bad").glob("*.yaml"))
BEGIN, END = "<!-- codes -->\n", "<!-- /codes -->\n"


def tables() -> str:
    """Return a table for each group of codes, in the order of the registry."""
    parts = []
    for group in CodeGroup:
        rows = "".join(f"| {code} | {code.meaning} |\n" for code in DiagnosticCode if code.group is group)
        parts.append(f"## {group.value}\n\n| code | meaning |\n| --- | --- |\n{rows}")
    return "\n" + "\n".join(parts) + "\n"


def of_plan(path: Path) -> tuple[Diagnostic, ...]:
    intent = load_text(path.read_text(encoding="utf-8"), path.name).intent
    assert intent is not None, path
    return allocate(intent).diagnostics


def of_files(folder: Path) -> Iterator[Diagnostic]:
    """Yield the diagnostics of what cannot be an intent file."""
    for name, content in {
        "binary": b"\0",
        "character": b"\x07",
        "large": b"# " + b"x" * (32 << 20),
        "long-key": b"? " + b"k" * 1025 + b"\n: 1\n",
        "many-values": b"[" + b"1," * 1_000_001 + b"]",
    }.items():
        (folder / name).write_bytes(content)
        yield from load(folder / name).diagnostics
    yield from load(folder / "missing").diagnostics
    os.mkfifo(folder / "fifo")
    yield from load(folder / "fifo").diagnostics


def produced(folder: Path) -> set[DiagnosticCode]:
    found = {each.code for path in BAD_INTENTS for each in load_text(path.read_bytes().decode(), path.name).diagnostics}
    found |= {each.code for path in BAD_PLANS for each in of_plan(path)}
    found |= {each.code for each in of_files(folder)}
    many = (Diagnostic("f", Position(), DiagnosticCode.SYNTAX, "p", "m"),) * (MOST_SHOWN + 1)
    return found | {shortened(many)[-1].code}


def test_every_code_is_produced(tmp_path: Path) -> None:
    assert produced(tmp_path) == set(DiagnosticCode)


@pytest.mark.parametrize("path", BAD_PLANS, ids=lambda path: path.stem)
def test_messages_of_plans(path: Path, pytestconfig: pytest.Config) -> None:
    messages = "".join(f"{each}\n" for each in of_plan(path))
    golden = path.with_suffix(".txt")
    if pytestconfig.getoption("--update-goldens"):
        golden.write_text(messages, encoding="utf-8")
    assert messages == golden.read_text(encoding="utf-8")
    assert messages


def test_the_document_is_current(pytestconfig: pytest.Config) -> None:
    head, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    present, _, tail = rest.partition(END)
    if pytestconfig.getoption("--update-goldens"):
        DOCUMENT.write_text(head + BEGIN + tables() + END + tail, encoding="utf-8")
        return
    assert present == tables(), "write it anew with pytest --update-goldens"


def test_codes_are_distinct_and_in_order() -> None:
    """A new code takes the next number of its group, so that none changes its meaning."""
    numbers = [code.number for code in DiagnosticCode]
    assert len(set(numbers)) == len(numbers) == len({code.meaning for code in DiagnosticCode})
    assert all(re.fullmatch(r"[EW]0[0-9]{3}", number) for number in numbers)
    for group in CodeGroup:
        for kind in "EW":
            own = [code.number for code in DiagnosticCode if code.group is group and code.number[0] == kind]
            assert own == sorted(own)
            assert [int(number[3:]) for number in own] == list(range(1, len(own) + 1))


def test_every_meaning_is_one_sentence() -> None:
    for code in DiagnosticCode:
        assert code.meaning.endswith("."), code
        assert "\n" not in code.meaning


@pytest.mark.parametrize(
    ("code", "severity", "line"),
    [
        (DiagnosticCode.HOST_BITS, Severity.ERROR, "f.yaml:3:7: error E0211: a problem; a fix"),
        (DiagnosticCode.LAKE_IN_SHARED_SPACE, Severity.WARNING, "f.yaml:3:7: warning W0301: a problem; a fix"),
    ],
)
def test_the_line_of_a_diagnostic(code: DiagnosticCode, severity: Severity, line: str) -> None:
    diagnostic = Diagnostic("f.yaml", Position(3, 7), code, "a problem", "a fix")
    assert diagnostic.severity is severity
    assert str(diagnostic) == line
