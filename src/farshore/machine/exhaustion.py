"""What this machine runs out of: descriptors, memory, buffers. None of it is a fault of a network.

A check that fails for such a reason says nothing of the network. Its command ends with the reason and the fix.
"""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

from farshore.errors import MachineError

# Of the descriptors that a process may have, so many are left to its interpreter, its loop and its caller.
_RESERVED = 32
_CAUSES = {
    errno.EMFILE: ("this process has no descriptors left", "raise the hard limit of open files: ulimit -Hn 65536"),
    errno.ENFILE: ("this machine has no descriptors left", "run: sudo sysctl -w fs.file-max=1000000"),
    errno.ENOMEM: ("this machine has no memory left", "free some, or check a smaller intent"),
    errno.ENOBUFS: ("the kernel has no buffers left", "free memory, or check a smaller intent"),
}


def raise_descriptor_limit() -> int:
    """Raise the number of files that this process may have open to its hard limit, and return it (getrlimit(2))."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def free_descriptors() -> int:
    """Return how many more files this process may open, less a reserve; 0 where there are none."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(most - sum(1 for _ in Path("/proc/self/fd").iterdir()) - _RESERVED, 0)


def exhaustion(error: OSError) -> MachineError | None:
    """Return what this machine has run out of and what to do, None where an error has another cause."""
    if error.errno not in _CAUSES:
        return None
    cause, fix = _CAUSES[error.errno]
    return MachineError(f"{cause} ({os.strerror(error.errno)}); {fix}")
