"""Records of borrowed interfaces: what each had where it belongs, on disk until that has been given back.

A record is written before its interface is touched, and erased when all is given back, so that whoever is cut off in
between loses nothing. A file is replaced as a whole, and read only where this user alone can have written it.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from farshore.errors import MachineError

_SUFFIX, _UNFINISHED = ".json", ".new"
_LARGEST = 1 << 24  # bytes: an interface with ten thousand routes has a record of two million


@dataclass(frozen=True, slots=True)
class Listed:
    """Something that the kernel listed of an interface: what it is called, and the message's content in hexadecimal."""

    text: str
    content: str


@dataclass(frozen=True, slots=True)
class PortRecord:
    """What a borrowed interface had where it belongs, and where it has gone.

    Attributes:
        port: its name there.
        namespace: the namespace that has it.
        name: its name in that namespace.
        kind: ``veth`` or what else it is, None for a device of the machine's own.
        mac: its MAC address.
        mtu: bytes.
        flags: those that are given back (IFF_UP and so on, netdevice(7)), as bits.
        alias: its alias, empty for none.
        altnames: its other names.
        master: the name of the bridge or bond that it belongs to, None for none.
        addresses: its addresses.
        neighbours: its permanent neighbours.
        routes: the routes out of it that no daemon and not the kernel has made.
        settings: its kernel settings, by ``ipv4/rp_filter``.
        index: its number in that namespace, None before it is there.
    """

    port: str
    namespace: str
    name: str
    kind: str | None
    mac: str
    mtu: int
    flags: int
    alias: str = ""
    altnames: tuple[str, ...] = ()
    master: str | None = None
    addresses: tuple[Listed, ...] = ()
    neighbours: tuple[Listed, ...] = ()
    routes: tuple[Listed, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    index: int | None = None


def write(directory: Path, record: PortRecord) -> None:
    """Write a record, whole or not at all, for this user alone to read. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = directory / f"{record.port}{_UNFINISHED}"
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file, indent=1)
        file.flush()
        os.fsync(descriptor)
    os.replace(unfinished, directory / f"{record.port}{_SUFFIX}")  # noqa: PTH105 - its name says what it is for


def read(directory: Path) -> dict[str, PortRecord]:
    """Return all records, by port. Raises MachineError for a file that is none, or not this user's own."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(_SUFFIX))  # noqa: PTH208 - names alone
    except FileNotFoundError:
        return {}
    records = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):  # it has been erased meanwhile
            records[name.removesuffix(_SUFFIX)] = _read(directory / name)
    return records


def erase(directory: Path, port: str) -> None:
    """Erase a record, and the directories that this leaves empty. Nothing happens where there is none."""
    (directory / f"{port}{_SUFFIX}").unlink(missing_ok=True)
    (directory / f"{port}{_UNFINISHED}").unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others have something there
        directory.rmdir()
        directory.parent.rmdir()


def _read(path: Path) -> PortRecord:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, encoding="utf-8") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
            raise MachineError(f"the record {path} belongs to another user, or others may write it; remove it")
        try:
            return _record(json.loads(file.read(_LARGEST)))
        except (ValueError, TypeError, KeyError) as error:
            raise MachineError(
                f"the record {path} of a borrowed interface cannot be read ({error}); remove it, and what the "
                "interface had is then not given back"
            ) from error


def _record(content: dict[str, Any]) -> PortRecord:
    lists = {name: tuple(Listed(**each) for each in content[name]) for name in ("addresses", "neighbours", "routes")}
    return PortRecord(**{**content, **lists, "altnames": tuple(content["altnames"])})
