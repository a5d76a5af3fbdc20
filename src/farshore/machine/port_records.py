"""Records of borrowed interfaces: what each had where it belongs, on disk until that has been given back.

A record is written before its interface is touched, and erased when all is given back, so that whoever is cut off in
between loses nothing. A file is replaced as a whole, and read only where this user alone can have written it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from farshore.errors import MachineError, shell_word
from farshore.private_files import private_folder, remove_folders

_SUFFIX, _UNFINISHED = ".json", ".new"
_OWN = 2  # components of the directory's path that are farshore's
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
    """Write a record, whole or not at all, for this user alone to read. Raises MachineError or OSError."""
    content = json.dumps(asdict(record), indent=1).encode()
    with private_folder(directory, _OWN, _fix(directory), make=True) as folder:
        folder.replace(f"{record.port}{_SUFFIX}", content, through=f"{record.port}{_UNFINISHED}")


def read(directory: Path) -> dict[str, PortRecord]:
    """Return all records, by port. Raises MachineError for a file that is none, or not this user's own."""
    records = {}
    with contextlib.suppress(FileNotFoundError), private_folder(directory, _OWN, _fix(directory)) as folder:
        for name in folder.names():
            if name.endswith(_SUFFIX):
                with contextlib.suppress(FileNotFoundError):  # it has been erased meanwhile
                    records[name.removesuffix(_SUFFIX)] = _record(directory / name, folder.read(name, _LARGEST))
    return records


def erase(directory: Path, port: str) -> None:
    """Erase a record, and the directories that this leaves empty. Nothing happens where there is none."""
    with contextlib.suppress(FileNotFoundError), private_folder(directory, _OWN, _fix(directory)) as folder:
        folder.remove(f"{port}{_SUFFIX}")
        folder.remove(f"{port}{_UNFINISHED}")
    remove_folders(directory, _OWN, _fix(directory), levels=_OWN)


def _fix(directory: Path) -> str:
    return f"remove {shell_word(str(directory))}, and what borrowed interfaces had is then not given back"


def _record(path: Path, content: bytes) -> PortRecord:
    try:
        return _built(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MachineError(
            f"the record {path} of a borrowed interface cannot be read ({error}); remove it, and what the "
            "interface had is then not given back"
        ) from error


def _built(content: dict[str, Any]) -> PortRecord:
    lists = {name: tuple(Listed(**each) for each in content[name]) for name in ("addresses", "neighbours", "routes")}
    return PortRecord(**{**content, **lists, "altnames": tuple(content["altnames"])})
