"""Named network namespaces, as ``ip netns`` knows them: a directory of files, each of which keeps one alive.

Where the directory is, and whether all that is in it is ours, a :class:`Namespaces` value knows.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from farshore.errors import MachineError
from farshore.fabric.names import NodeName

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED = 0x1000, 0x4000, 0x100000
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


def node_name(namespace: str) -> NodeName:
    """Return the node whose namespace has this name, whether or not there is such a node."""
    return NodeName(namespace.replace(".", "/"))


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Where named namespaces live.

    Attributes:
        directory: the files that keep them alive.
        private: whether every one in it is ours, as in a lab's world of its own.
    """

    directory: Path
    private: bool

    @property
    def records(self) -> Path:
        """Return the directory of what is to be remembered while it holds, beside the namespaces."""
        return self.directory.parent / "farshore" / "ports"

    def names(self) -> tuple[str, ...]:
        """Return the names of the namespaces that are there, sorted.

        A file that nothing is mounted on, left by a making that was cut off, is none.
        """
        try:
            found = sorted(path.name for path in self.directory.iterdir())
        except FileNotFoundError:
            return ()
        return tuple(name for name in found if self._is_mounted(name))

    def exists(self, name: str) -> bool:
        """Tell whether a namespace of this name is there."""
        return self._is_mounted(name)

    def number(self, name: str) -> int | None:
        """Return the number of a namespace, which no other has while anything keeps it, None where there is none."""
        return (self.directory / name).stat().st_ino if self._is_mounted(name) else None

    def create(self, name: str, marked: Callable[[], None] = lambda: None) -> None:
        """Make an empty namespace of this name. Raises OSError, FileExistsError where there is one.

        ``marked`` is run in it before it has a name, so that no namespace of ours is ever without its mark.
        """
        path = self.directory / name
        if self._is_mounted(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        self._prepare()
        path.touch(mode=0o444)
        with _returning():
            unshare(CLONE_NEWNET)
            marked()
            mount("/proc/thread-self/ns/net", str(path), "none", _MS_BIND)

    def _prepare(self) -> None:
        """Make the directory a shared mount of its own, as ip-netns(8) does when it first makes a namespace.

        Did it so itself, later, each namespace would be mounted twice, and could be unmounted once.
        """
        directory = str(self.directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            mount("", directory, "none", _MS_SHARED)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            mount(directory, directory, "none", _MS_BIND | _MS_REC)
            mount("", directory, "none", _MS_SHARED | _MS_REC)

    def delete(self, name: str) -> None:
        """Remove the name and, with its last process gone, the namespace. Nothing happens where there is none."""
        path = self.directory / name
        try:
            unmount(str(path))
        except OSError as error:
            # EINVAL: a file that nothing is mounted on, left by a create that was cut off.
            if error.errno not in (errno.EINVAL, errno.ENOENT):
                raise
        path.unlink(missing_ok=True)

    def open(self, name: str) -> int:
        """Return a descriptor of a namespace. Raises MachineError where there is none of this name."""
        try:
            return os.open(self.directory / name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise MachineError(f"there is no network namespace {name!r}") from error

    @contextlib.contextmanager
    def entered(self, name: str) -> Iterator[None]:
        """Run the body in the named namespace and return to where the thread was.

        Only the calling thread moves; sockets opened and programs started in the body belong there.
        Raises MachineError where there is no such namespace.
        """
        target = self.open(name)
        try:
            with _returning():
                setns(target, CLONE_NEWNET)
                yield
        finally:
            os.close(target)

    def _is_mounted(self, name: str) -> bool:
        try:
            return (self.directory / name).stat().st_dev != self.directory.stat().st_dev
        except FileNotFoundError:
            return False


@contextlib.contextmanager
def unnamed() -> Iterator[None]:
    """Run the body in a new network namespace, which lasts as long as the sockets that it opens. Raises OSError."""
    with _returning():
        unshare(CLONE_NEWNET)
        yield


@contextlib.contextmanager
def own_processes() -> Iterator[None]:
    """Have the program that the body starts be the first process of a process namespace of its own.

    When it ends, the kernel ends all processes that it has started, before whoever waits for it goes on. The body
    starts one program, and no thread. Raises OSError where this user may not.
    """
    home = os.open("/proc/thread-self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWPID)
        try:
            yield
        finally:
            setns(home, CLONE_NEWPID)
    finally:
        os.close(home)


@contextlib.contextmanager
def _returning() -> Iterator[None]:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)
