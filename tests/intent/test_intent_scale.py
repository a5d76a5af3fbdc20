"""Ten thousand tenants with eight services each: read in seconds, in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TENANTS = 10_000
HEAD = """version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  services:
"""
# What is measured is this alone, so it stands in a process of its own.
MEASURE = """
import re, sys, time
from pathlib import Path
from farshore.intent.load import load
begun = time.process_time()
loaded = load(Path(sys.argv[1]))
# The process's own high water: what getrusage says takes in whoever started it.
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(len(loaded.intent.tenants), time.process_time() - begun, peak)
"""


def large() -> str:
    names = [f"service-{number}" for number in range(1, 9)]
    services = "".join(f"    {name}: {{address: 10.1.1.{n}, ports: [tcp/443]}}\n" for n, name in enumerate(names, 1))
    tenants = "".join(
        f"  tenant-{number:05}:\n    networks: [10.1.1.0/24]\n    presents: 10.2.2.0/28\n"
        f"    services: [{', '.join(names)}]\n    hosts: {{alice: 10.1.1.1, bob: 10.1.1.2}}\n"
        for number in range(TENANTS)
    )
    return f"{HEAD}{services}tenants:\n{tenants}"


def test_ten_thousand_tenants(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(large())
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    tenants, seconds, kibibytes = done.stdout.split()
    assert int(tenants) == TENANTS
    # About one second on a quiet machine; quadratic work would take minutes.
    assert float(seconds) < 10
    assert int(kibibytes) < 300 * 1024
