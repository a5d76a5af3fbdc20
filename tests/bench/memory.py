"""The memory that this process and its children have had at most."""

from __future__ import annotations

import re
import resource
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """Return mebibytes: the process's own high water and, if it had children, that of the greatest of them.

    Of itself getrusage would tell what whoever started it had, too.
    """
    found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None
    return (int(found.group(1)) + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024
