"""A world of its own for a lab: user, mount, process and network namespaces, and the way into them.

Whatever runs in a lab is a descendant of the first process in its process namespace, so when that one dies,
the kernel ends all the others, and with them go their mounts and networks.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

from farshore.errors import MachineError
from farshore.lab.registry import Record, is_alive
from farshore.machine import namespace

MS_PRIVATE_ALL = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE
_PR_SET_PDEATHSIG = 1
_WORLDS = (
    ("user", namespace.CLONE_NEWUSER),
    ("mnt", namespace.CLONE_NEWNS),
    ("pid", namespace.CLONE_NEWPID),
    ("net", namespace.CLONE_NEWNET),
)
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")


def leave() -> None:
    """Leave the machine's namespaces for new ones; the next fork's child is their first process.

    Raises MachineError where the machine does not let this user.
    """
    uid, gid = os.geteuid(), os.getegid()
    own = namespace.CLONE_NEWNS | namespace.CLONE_NEWPID | namespace.CLONE_NEWNET
    try:
        namespace.unshare(own if uid == 0 else own | namespace.CLONE_NEWUSER)
        if uid != 0:
            # Root inside is this user outside: no right over anything that is not the lab's.
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
            Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
        namespace.mount("none", "/", "none", MS_PRIVATE_ALL)
    except OSError as error:
        raise MachineError(f"this machine does not let a lab have its own namespaces ({error}); {_fix()}") from error


def furnish() -> None:
    """Give the lab a /run of its own, below which stand the names of networks and the locks of tools.

    From here on what the machine has below /run cannot be seen, the lab's own folder included.
    """
    namespace.mount("tmpfs", "/run", "tmpfs", 0)


def _fix() -> str:
    if _APPARMOR.exists() and _APPARMOR.read_text(encoding="ascii").strip() == "1":
        return "run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    if os.geteuid() == 0:
        return "run it where root holds CAP_SYS_ADMIN (a container needs --privileged)"
    return "run: sudo sysctl -w user.max_user_namespaces=10000"


def enter(record: Record) -> None:
    """Go on inside the lab, in a child process; the caller waits here for its end and exits as it did.

    Must be called before any thread has been started. Raises MachineError where the lab is gone.
    """
    if not is_alive(record):
        raise MachineError(f"lab {record.name!r} is no longer up; run: farshore lab down --name {record.name}")
    try:
        where = str(Path.cwd())
    except FileNotFoundError:
        where = "/"  # the folder that we stand in has been removed
    # All doors are opened before the first is gone through, for behind it the others cannot be seen.
    doors = [(os.open(f"/proc/{record.pid}/ns/{name}", os.O_RDONLY), kind) for name, kind in _WORLDS]
    for door, kind in doors:
        if not _is_here(door, kind):
            namespace.setns(door, kind)
        os.close(door)
    try:
        os.chdir(where)
    except OSError:
        os.chdir("/")  # what the machine has below /run is not in the lab
    child = os.fork()
    if child != 0:
        _exit_as(child)
    die_with_parent()


def _is_here(door: int, kind: int) -> bool:
    """Tell whether a namespace is the one we are in: a user namespace cannot be entered twice."""
    name = next(name for name, number in _WORLDS if number == kind)
    here, there = Path(f"/proc/self/ns/{name}").stat(), os.fstat(door)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _exit_as(child: int) -> None:
    # The terminal's interrupt goes to the child too: it decides, and we report how it ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)
