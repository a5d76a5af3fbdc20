"""What is remembered of a lab, as its own file has it: read without trust in what the file says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from farshore.machine.world import World

LONGEST_RECORD = 64 * 1024 * 1024  # bytes: ten times the nodes of the largest fabric that is tried
_HIGHEST_PID = 1 << 22  # PID_MAX_LIMIT of Linux
_HIGHEST_UID = (1 << 32) - 2
_HIGHEST_START = (1 << 63) - 1
_LONGEST_PATH = 4096  # PATH_MAX of Linux
LAB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")  # it names a folder, and must not lead out of ours
_DESIGN = re.compile(r"[a-z][a-z0-9+-]{0,99}")
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class InvalidRecordError(ValueError):
    """A file is no record of a lab. The message says why, without the file's name."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a lab.

    Attributes:
        name: its name.
        pid: its first process, as the machine numbers it.
        started: when that process started, as :class:`World` has it.
        uid: the user that the process belongs to.
        design: the design of its fabric.
        intent: the intent file, by its whole path.
        created: when it was made, by ISO 8601.
        nodes: the names of its nodes.
        stays: whether it outlives the command that made it. One that does not is cleared away once it has ended.
    """

    name: str
    pid: int
    started: int
    uid: int
    design: str
    intent: str
    created: str
    nodes: tuple[str, ...]
    stays: bool = False

    @property
    def world(self) -> World:
        """Return the world of the lab, which may be gone."""
        gone = f"lab {self.name!r} is no longer up; remove its remains with: farshore lab down --name {self.name}"
        return World(self.pid, self.started, gone, self.uid)

    @property
    def is_up(self) -> bool:
        """Return whether the lab's first process lives."""
        return self.world.is_alive()


def write_record(record: Record) -> bytes:
    """Return a record as the content of its file."""
    return json.dumps(asdict(record)).encode("ascii")


def read_record(content: bytes, name: str, uid: int) -> Record:
    """Return the record of the lab of this name and user. Raises InvalidRecordError where the content is none."""
    values = _read_object(content)
    for field in fields(Record):
        if field.name not in values:
            raise InvalidRecordError(f"{field.name!r} is missing")
        if not _FITS[field.name](values[field.name]):
            raise InvalidRecordError(f"{field.name!r} has a value that no lab has")
    record = Record(**{field.name: values[field.name] for field in fields(Record)} | {"nodes": tuple(values["nodes"])})
    if record.name != name:
        raise InvalidRecordError("it is that of another lab")
    if record.uid != uid:
        raise InvalidRecordError("it is that of another user's lab")
    return record


def _read_object(content: bytes) -> dict[str, Any]:
    if len(content) > LONGEST_RECORD:
        raise InvalidRecordError(f"it is larger than {LONGEST_RECORD >> 20} MiB")
    try:
        read: object = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidRecordError("it is not UTF-8 text") from None
    except RecursionError:
        raise InvalidRecordError("it is nested too deep") from None
    except ValueError:
        raise InvalidRecordError("it is not JSON, or cut off") from None
    if not isinstance(read, dict):
        raise InvalidRecordError("it is no JSON object")
    return read


def _whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most  # to Python a truth value is a number too


def _like(value: object, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_time(value: object) -> bool:
    try:
        return (
            isinstance(value, str) and value.isascii() and value.isprintable() and bool(datetime.fromisoformat(value))
        )
    except ValueError:
        return False


def _is_path(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/") and len(value) <= _LONGEST_PATH and "\0" not in value


_FITS: Mapping[str, Callable[[object], bool]] = {
    "name": lambda value: _like(value, LAB_NAME),
    "pid": lambda value: _whole(value, 1, _HIGHEST_PID),
    "started": lambda value: _whole(value, 0, _HIGHEST_START),
    "uid": lambda value: _whole(value, 0, _HIGHEST_UID),
    "design": lambda value: _like(value, _DESIGN),
    "intent": _is_path,
    "created": _is_time,
    "nodes": lambda value: isinstance(value, list) and all(_like(each, _NODE) for each in value),
    "stays": lambda value: isinstance(value, bool),
}
