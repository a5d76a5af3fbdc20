"""A folder of labs for each test, of which nothing may be left."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import lab_life
import pytest

from farshore.lab import lifecycle
from farshore.lab.registry import FOLDER_VARIABLE, all_entries


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Have no command inherit that the interrupt is ignored, as a shell's job in the background does."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder for labs, and take down whatever a failed test left in it."""
    folder = tmp_path / "farshore" / "labs"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    yield folder
    for pid in lab_life.processes(folder):
        lab_life.kill(pid)
    for here in all_entries():
        lifecycle.down(here)
