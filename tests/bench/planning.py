"""Reads an intent file and plans it, in a process that does nothing else, and says what that took.

python -m tests.bench.planning FILE
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from farshore.intent.load import load
from farshore.plan.allocate import allocate

from .memory import peak_mib


def main() -> None:
    """Print seconds and mebibytes as JSON."""
    begun = time.perf_counter()
    intent = load(Path(sys.argv[1])).intent
    assert intent is not None
    read = time.perf_counter()
    assert allocate(intent).plan is not None
    planned = time.perf_counter()
    answer = {"read_seconds": read - begun, "plan_seconds": planned - read, "peak_mib": peak_mib()}
    print(json.dumps(answer))  # noqa: T201 - this is how it answers


if __name__ == "__main__":
    main()
