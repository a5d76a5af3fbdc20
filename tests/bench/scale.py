"""What planning and a lab take as tenants become many: seconds and memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from farshore.design.catalogue import build
from farshore.lab import lifecycle

from .intents import many_tenants
from .progress import Log
from .variants import SERVICES, planned

_MEMORY = Path("/proc/meminfo")
_CALM_MIB = 4.0
_LOOK_SECONDS = 0.5
_CALM_LOOKS = 4
_MOST_LOOKS = 40  # where others are at work, memory is never calm

Figures = dict[str, list[float]]


def planning(tenants: int, repetitions: int, log: Log) -> Figures:
    """Return seconds and peak memory of reading and planning, each time in a new process."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        file.write_text(many_tenants(tenants, SERVICES), encoding="utf-8")
        for turn in range(repetitions):
            log.step(f"planning {tenants:,} tenants, {turn + 1} of {repetitions}")
            with log.time("planning"):
                command = [sys.executable, "-m", "tests.bench.planning", str(file)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
            for name, value in json.loads(done.stdout).items():
                figures.setdefault(name, []).append(value)
    return figures


def proving(tenants: int, repetitions: int, log: Log, *, walked: bool) -> Figures:
    """Return what a proof takes, one after a change of one tenant, and with ``walked`` walking every pair."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        file.write_text(many_tenants(tenants, SERVICES), encoding="utf-8")
        for turn in range(repetitions):
            log.step(f"proving {tenants:,} tenants, {turn + 1} of {repetitions}")
            with log.time("proving"):
                command = [sys.executable, "-m", "tests.bench.proving", str(file), *(["--walk"] if walked else [])]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
            for name, value in json.loads(done.stdout).items():
                figures.setdefault(name, []).append(value)
    return figures


def lab(tenants: int, repetitions: int, log: Log) -> Figures:
    """Return the seconds that a lab takes to come up and to go, and the memory that it occupies."""
    intent, plan = planned(tenants)
    fabric = build(intent, plan, "lake")
    figures: Figures = {"up_seconds": [], "down_seconds": [], "lab_mib": []}
    for turn in range(repetitions):
        with log.time(f"labs of {tenants:,} tenants"):
            log.step(f"waiting until the kernel has cleaned up, before a lab of {tenants:,} tenants")
            before = _calm_memory()
            reporter = log.reporter(f"lab of {tenants:,} tenants, {turn + 1} of {repetitions}")
            begun = time.perf_counter()
            with lifecycle.passing(f"bench-{os.getpid()}-scale", Path("bench.yaml"), fabric, reporter):
                figures["up_seconds"].append(time.perf_counter() - begun)
                figures["lab_mib"].append(before - _available())
                begun = time.perf_counter()
            figures["down_seconds"].append(time.perf_counter() - begun)
    return figures


def _calm_memory() -> float:
    """Return the available memory in MiB once it stays as it is: the kernel still buries the lab before."""
    memory = _available()
    calm = 0
    for _ in range(_MOST_LOOKS):
        time.sleep(_LOOK_SECONDS)
        now = _available()
        calm = calm + 1 if abs(now - memory) < _CALM_MIB else 0
        memory = now
        if calm == _CALM_LOOKS:
            break
    return memory


def _available() -> float:
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", _MEMORY.read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None
    return int(found.group(1)) / 1024
