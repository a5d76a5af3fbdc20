"""Labs that tests make, and what is left of them: processes, folders, and what the machine's own network shows."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from farshore.design.catalogue import build
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.intent.load import load
from farshore.lab import lifecycle
from farshore.lab.registry import FOLDER_VARIABLE, all_entries, entry, only
from farshore.plan.allocate import allocate

ARTICLE = Path(__file__).parents[2] / "examples" / "article.yaml"
PATIENCE = 20.0  # seconds; for what must happen on a busy machine
LACKING = "may not create namespaces"


def article() -> Fabric:
    """Return the article's fabric."""
    intent = load(ARTICLE).intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return build(intent, plan, "lake")


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait until something is so; tell whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def processes(labs: Path) -> list[int]:
    """Return the living processes, but for this one, that know of a folder of labs, by their environment or words."""
    numbers = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in numbers if pid != os.getpid() and _knows(pid, labs)]


def runs(labs: Path, module: str) -> bool:
    """Tell whether one of these processes runs a module."""
    return any(module.encode() in _read(pid, "cmdline") for pid in processes(labs))


def _read(pid: int, name: str) -> bytes:
    try:
        return (Path("/proc") / str(pid) / name).read_bytes()
    except OSError:
        return b""  # it has ended, or is somebody else's


def _knows(pid: int, labs: Path) -> bool:
    return any(str(labs).encode() in _read(pid, name) for name in ("environ", "cmdline"))


def machine() -> dict[str, list[str]]:
    """Return what the machine's own network and mounts look like."""
    named = Path("/run/netns")
    return {
        "namespaces": sorted(path.name for path in named.iterdir()) if named.exists() else [],
        "links": sorted(name for _, name in socket.if_nameindex()),
        "routes": Path("/proc/self/net/route").read_text().splitlines(),
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
    }


def nodes(name: str) -> tuple[str, ...]:
    """Return the nodes that a lab has on record."""
    record = entry(name).read()
    assert record is not None
    return record.nodes


def down(name: str) -> None:
    """Take a lab down, as the command does; there may be nothing to take."""
    if any(here.name == name for here in all_entries()):
        lifecycle.down(only(name))


def start(labs: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the program."""
    return subprocess.Popen(
        [sys.executable, "-m", "farshore", *arguments],
        env=os.environ | {FOLDER_VARIABLE: str(labs)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(labs: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program to its end. Skips where the machine lets nobody have namespaces."""
    with start(labs, *arguments) as process:
        said, complained = process.communicate(given, timeout=120)
    if process.returncode == MachineError.exit_status and LACKING in complained:
        pytest.skip(complained.strip())
    return subprocess.CompletedProcess(arguments, process.returncode, said, complained)


def kill(pid: int) -> None:
    """Kill a process that may have ended already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextlib.contextmanager
def exchanging(one: Path, other: Path) -> Iterator[None]:
    """Exchange two names with each other without a pause (RENAME_EXCHANGE of renameat2(2)) while the body runs."""
    code = (
        "import ctypes, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print(flush=True)\n"
        "while True:\n"
        "    libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, one, other], stdout=subprocess.PIPE) as attacker:
        assert attacker.stdout is not None
        attacker.stdout.readline()
        try:
            yield
        finally:
            attacker.kill()


def python_for_everybody(nobody: dict[str, Any]) -> list[str]:
    """Return a Python that another user may run, with this copy of farshore. Skips where there is none."""
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(PermissionError, FileNotFoundError):
            code = "import farshore.cli.lab, pyroute2, pydantic, yaml"
            if subprocess.run([python, "-c", code], capture_output=True, check=False, **nobody).returncode == 0:
                return [python]
    pytest.skip("other users may not read this copy of farshore, or the Python that runs it")
