"""The program as people start it: a process of its own, with labs in a folder of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
# What the messages of exit status 3 say where it is the machine that lacks something, and not a fault of ours.
LACKING = ("does not let a lab have its own namespaces", "is not installed")


def farshore(
    labs: Path, *arguments: str, folder: Path = REPOSITORY, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the program and return how it ended and what it said. Skips where the machine lacks a right or a tool."""
    plain = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "NO_COLOR"}}
    done = subprocess.run(
        [sys.executable, "-m", "farshore", *arguments],
        cwd=folder,
        env={**plain, "COLUMNS": "80", "FARSHORE_LABS": str(labs), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode == 3 and any(words in done.stderr for words in LACKING):
        pytest.skip(done.stderr.strip())
    return done
