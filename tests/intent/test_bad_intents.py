"""Every bad intent file of tests/intent/bad gives exactly the messages in the .txt file beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from farshore.errors import Severity
from farshore.intent.load import load_text

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_messages(path: Path, pytestconfig: pytest.Config) -> None:
    loaded = load_text(path.read_bytes().decode(), path.name)
    messages = "".join(f"{diagnostic}\n" for diagnostic in loaded.diagnostics)
    golden = path.with_suffix(".txt")
    if pytestconfig.getoption("--update-goldens"):
        golden.write_text(messages, encoding="utf-8")
    assert loaded.intent is None
    assert any(diagnostic.severity is Severity.ERROR for diagnostic in loaded.diagnostics)
    assert messages == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_places_are_inside_the_file(path: Path) -> None:
    text = path.read_bytes().decode()
    lines = text.split("\n")
    for diagnostic in load_text(text, path.name).diagnostics:
        position = diagnostic.position
        assert 1 <= position.line <= len(lines)
        assert 1 <= position.column <= len(lines[position.line - 1].rstrip("\r")) + 1


def test_there_are_many() -> None:
    assert len(BAD) >= 120
