"""200 tenants by every design that runs, as an ordinary user: rule sets fit the netlink messages of such a user."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import lab_life
import pytest

from farshore.errors import EXIT_YES
from farshore.lab.registry import FOLDER_VARIABLE

pytestmark = pytest.mark.kernel

TENANTS = 200
NOBODY = 65534
SECONDS = 600


def intent() -> str:
    lines = [
        "version: 1",
        "provider:",
        "  name: hq",
        "  networks: [10.0.0.0/8]",
        "  lake: 100.64.0.0/10",
        "  lake-acknowledged: true",
        "  services:",
        "    portal: {address: 10.1.1.1, ports: [tcp/443]}",
        "    files: {address: 10.1.1.2, ports: [tcp/445]}",
        "tenants:",
    ]
    what = "networks: [10.1.0.0/24], presents: 172.16.0.0/28, services: [portal, files], hosts: {pc: 10.1.0.1}"
    return "\n".join([*lines, *(f"  t{number}: {{{what}}}" for number in range(TENANTS))]) + "\n"


@pytest.mark.parametrize("design", ["lake", "last-hop", "appliance"])
def test_an_ordinary_user_runs_200_tenants(design: str) -> None:
    home = Path(tempfile.mkdtemp(prefix="farshore-test-"))
    labs = home / "farshore" / "labs"
    try:
        (home / "intent.yaml").write_text(intent(), encoding="utf-8")
        environment = {"PATH": os.defpath, "HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        user: dict[str, Any] = {"cwd": home, "env": environment | {FOLDER_VARIABLE: str(labs)}}
        python = [sys.executable]
        if os.geteuid() == 0:
            os.chown(home, NOBODY, NOBODY)
            user |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            python = lab_life.python_for_everybody(user)
        command = [*python, "-m", "farshore", "lab", "run", "intent.yaml", "--design", design]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS, **user)
        if any(words in done.stderr for words in (lab_life.LACKING, "is not installed")):
            pytest.skip(done.stderr.strip())
        assert done.returncode == EXIT_YES, done.stdout[-2000:] + done.stderr[-2000:]
        passed = re.match(r"([0-9,]+) of \1 allowed flows pass, ([0-9,]+) of \2 forbidden", done.stdout)
        assert passed is not None
        assert int(passed[1].replace(",", "")) >= 2 * TENANTS
        assert lab_life.processes(labs) == []
        assert not labs.exists()
    finally:
        shutil.rmtree(home)
