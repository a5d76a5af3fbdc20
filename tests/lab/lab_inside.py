"""Doing something to a lab from within, as a fault would."""

from __future__ import annotations

import subprocess
import sys

from farshore.lab.record import Record


def inside(record: Record, node: str, *command: str) -> None:
    """Run a program in a node of a lab and wait for its end."""
    program = [sys.executable, "-m", "farshore", "lab", "exec", "--name", record.name, node, "--", *command]
    subprocess.run(program, check=True)
