"""What the figures were measured on and with."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

from farshore import __version__


def facts() -> dict[str, str]:
    """Return what a reader needs to know of this machine."""
    return {
        "kernel": platform.release(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "farshore": __version__,
        "Python": platform.python_version(),
        "nftables": _version("nft"),
        "iptables": _version("iptables"),
        "iperf3": _version("iperf3"),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _version(program: str) -> str:
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.[\d.]+(?: \(\w+\))?", text)
    return found.group() if found else text.strip()
