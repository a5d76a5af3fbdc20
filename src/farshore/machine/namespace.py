"""Named network namespaces, as of ``ip netns``: a file in /run/netns that keeps one alive.

The engine works in whatever mount namespace it runs in; a lab gives it a private /run.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from farshore.errors import MachineError

DIRECTORY = Path("/run/netns")

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_MNT_DETACH = 0x2

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones (unshare(2)). Raises OSError."""
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Move the calling thread into a namespace (setns(2)). Raises OSError."""
    _checked(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, filesystem: str, flags: int) -> None:
    """Mount a filesystem (mount(2)). Raises OSError."""
    result = _libc.mount(source.encode(), target.encode(), filesystem.encode(), flags, None)
    _checked(result, f"mount {target}")


def unmount(target: str) -> None:
    """Detach what is mounted (umount2(2)). Raises OSError."""
    _checked(_libc.umount2(target.encode(), _MNT_DETACH), f"unmount {target}")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def namespace_name(node: str) -> str:
    """Return the namespace of a node: a slash cannot stand in a file name, and a dot in no DNS label."""
    return node.replace("/", ".")


def exists(name: str) -> bool:
    """Tell whether a namespace of this name is there."""
    return (DIRECTORY / name).exists()


def create(name: str) -> None:
    """Make an empty namespace of this name. Raises OSError, FileExistsError where there is one."""
    path = DIRECTORY / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o444, exist_ok=False)
    with _returning():
        unshare(CLONE_NEWNET)
        mount("/proc/thread-self/ns/net", str(path), "none", _MS_BIND)


def delete(name: str) -> None:
    """Remove the name and, with its last process gone, the namespace. Nothing happens where there is none."""
    path = DIRECTORY / name
    try:
        unmount(str(path))
    except OSError as error:
        # EINVAL: a file that nothing is mounted on, left by a create that was cut off.
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def entered(name: str) -> Iterator[None]:
    """Run the body in the named namespace and return to where the thread was.

    Only the calling thread moves; sockets opened and programs started in the body belong there.
    Raises MachineError where there is no such namespace.
    """
    try:
        target = os.open(DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise MachineError(f"there is no network namespace {name!r}") from error
    try:
        with _returning():
            setns(target, CLONE_NEWNET)
            yield
    finally:
        os.close(target)


@contextlib.contextmanager
def unnamed() -> Iterator[None]:
    """Run the body in a new network namespace, which lasts as long as the sockets that it opens. Raises OSError."""
    with _returning():
        unshare(CLONE_NEWNET)
        yield


@contextlib.contextmanager
def _returning() -> Iterator[None]:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)
