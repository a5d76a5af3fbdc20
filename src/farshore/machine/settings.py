"""Kernel settings of the thread's network namespace, by their paths below /proc/sys.

They are reached by an instance of /proc of their own. The settings of all namespaces have the same names, and
in one instance the kernel looks a name up among those of every namespace in which it was ever looked up: with
3,000 namespaces a node's settings would take 40 ms to read, a hundred times as long as the first node's.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

_FSOPEN_CLOEXEC = 1
_FSMOUNT_CLOEXEC = 1
_FSCONFIG_CMD_CREATE = 6
_SHARED = "/proc/sys"
_LARGEST_VALUE = 4096
_SERVED = 16  # namespaces by one instance: with so many, looking names up is not yet slower
_FAMILIES = ("ipv4", "ipv6")

_libc = ctypes.CDLL(None, use_errno=True)


class Instances:
    """Instances of /proc for work on many namespaces: each serves some of them, for to end one takes a wait.

    The kernel waits then until all processors have let go of it, so one instance for each namespace costs more than
    what is looked up in it. Several threads may use this at once.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._free: list[tuple[int, int]] = []

    def __enter__(self) -> Self:
        """Return this; all instances end with the body."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        """End all instances."""
        while self._free:
            os.close(self._free.pop()[0])

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Yield a descriptor of the directory below which settings of one namespace are read and written."""
        try:
            directory, served = self._free.pop()
        except IndexError:
            directory, served = _directory(), 0
        try:
            yield directory
        finally:
            if served + 1 < _SERVED:
                self._free.append((directory, served + 1))
            else:
                os.close(directory)


@contextlib.contextmanager
def opened() -> Iterator[int]:
    """Yield a descriptor of the directory below which settings are read and written."""
    directory = _directory()
    try:
        yield directory
    finally:
        os.close(directory)


def _directory() -> int:
    directory = _own_directory()
    return os.open(_SHARED, os.O_PATH | os.O_CLOEXEC) if directory is None else directory


def read(directory: int, path: str) -> str:
    """Return a setting's value. Raises OSError."""
    setting = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.read(setting, _LARGEST_VALUE).decode("ascii").strip()
    finally:
        os.close(setting)


def write(directory: int, path: str, value: str) -> None:
    """Set a setting. Raises OSError."""
    setting = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.write(setting, value.encode("ascii"))
    finally:
        os.close(setting)


def of_interface(directory: int, interface: str) -> dict[str, str]:
    """Return all settings of an interface that can be read, by ``ipv4/rp_filter``."""
    found = {}
    for family in _FAMILIES:
        for name in _names(directory, family, interface):
            with contextlib.suppress(OSError, UnicodeDecodeError):  # some can only be written, or have no value yet
                found[f"{family}/{name}"] = read(directory, f"net/{family}/conf/{interface}/{name}")
    return found


def make_of_interface(directory: int, interface: str, values: Mapping[str, str]) -> None:
    """Set those settings of an interface that differ from these values, as far as the kernel takes them."""
    there = of_interface(directory, interface)
    for path, value in values.items():
        if there.get(path, value) != value:
            family, _, name = path.partition("/")
            with contextlib.suppress(OSError):  # some can only be read
                write(directory, f"net/{family}/conf/{interface}/{name}", value)


def _names(directory: int, family: str, interface: str) -> list[str]:
    try:
        folder = os.open(
            f"net/{family}/conf/{interface}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory
        )
    except FileNotFoundError:  # a kernel without IPv6
        return []
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - a descriptor, which no path is
    finally:
        os.close(folder)


def _own_directory() -> int | None:
    """Return /proc/sys of a new instance that is mounted nowhere and goes when it is closed.

    None where the machine does not give one, such as a container that hides parts of /proc: then the one
    that is there has to do.
    """
    try:
        context = _libc.fsopen(b"proc", _FSOPEN_CLOEXEC)
    except AttributeError:  # a C library older than these calls
        return None
    if context < 0:
        return None
    try:
        if _libc.fsconfig(context, _FSCONFIG_CMD_CREATE, None, None, 0) < 0:
            return None
        mounted = _libc.fsmount(context, _FSMOUNT_CLOEXEC, 0)
    finally:
        os.close(context)
    if mounted < 0:
        return None
    try:
        return os.open("sys", os.O_PATH | os.O_CLOEXEC, dir_fd=mounted)
    finally:
        os.close(mounted)
