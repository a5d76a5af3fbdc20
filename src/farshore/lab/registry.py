"""The labs of a user: one directory each, with a lock, a record and a log, removed with the lab.

The lock is held by every process that the lab needs, and the kernel releases it when the last of them ends, however
it ends. So whether a lab is up never depends on a clean-up.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from farshore.errors import MachineError, UsageError
from farshore.lookup import unknown
from farshore.machine.world import World

DEFAULT_NAME = "lab"
FOLDER_VARIABLE = "FARSHORE_LABS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")  # it names a folder, and must not lead out of ours
_PRIVATE = 0o700
_CREATE = "create one with: farshore lab up FILE"
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a lab. ``pid`` and ``started`` are those of its :class:`World`."""

    name: str
    pid: int
    started: int
    design: str
    intent: str
    created: str
    nodes: tuple[str, ...]

    @property
    def world(self) -> World:
        """Return the world of the lab, which may be gone."""
        gone = f"lab {self.name!r} is no longer up; remove its remains with: farshore lab down --name {self.name}"
        return World(self.pid, self.started, gone)

    @property
    def is_up(self) -> bool:
        """Return whether the lab's first process lives."""
        return self.world.is_alive()


@dataclass(frozen=True, slots=True)
class LabEntry:
    """The directory of one lab."""

    name: str
    folder: Path

    @property
    def lock_path(self) -> Path:
        """Return the file that is locked while the lab is up."""
        return self.folder / "lock"

    @property
    def record_path(self) -> Path:
        """Return the file that holds the record."""
        return self.folder / "lab.json"

    @property
    def log_path(self) -> Path:
        """Return the file that the lab's processes log to."""
        return self.folder / "log"

    def write(self, record: Record) -> None:
        """Write the record, whole or not at all."""
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False, encoding="utf-8") as file:
            json.dump(asdict(record), file)
        Path(file.name).rename(self.record_path)

    def read(self) -> Record | None:
        """Return the record, None where none has been written, or not one of ours."""
        try:
            content = json.loads(self.record_path.read_text(encoding="utf-8"))
            return Record(**{**content, "nodes": tuple(content["nodes"])})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def is_locked(self) -> bool:
        """Return whether a process of the lab lives."""
        try:
            with self.lock_path.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def erase(self) -> None:
        """Remove the folder, and the folders above it that this leaves empty."""
        with contextlib.suppress(FileNotFoundError):  # the lab's own command was quicker
            # The lock last: until then nobody else can claim the folder, and write files that would go with ours.
            for file in sorted(self.folder.iterdir(), key=lambda each: each == self.lock_path):
                file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another lab lives there, or has claimed this one's name
            self.folder.rmdir()
            self.folder.parent.rmdir()
            if FOLDER_VARIABLE not in os.environ:  # what is above a folder of the user's choice is not ours
                self.folder.parent.parent.rmdir()


def root() -> Path:
    """Return the folder of this user's labs, whether it exists or not.

    Raises MachineError where another user owns it.
    """
    if override := os.environ.get(FOLDER_VARIABLE):
        return Path(override)
    if os.geteuid() == 0:
        return Path("/run/farshore/labs")
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "farshore" / "labs"
    return Path(tempfile.gettempdir()) / f"farshore-{os.geteuid()}" / "labs"


def entry(name: str) -> LabEntry:
    """Return the entry of the lab with this name, whether there is one or not."""
    return LabEntry(name, root() / name)


def all_entries() -> tuple[LabEntry, ...]:
    """Return the entries of all labs of this user, sorted by name."""
    try:
        names = sorted(entry.name for entry in root().iterdir() if entry.is_dir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _no_folder(root(), error) from error
    return tuple(entry(name) for name in names)


def only(name: str | None) -> LabEntry:
    """Return the named lab or, without a name, the only one. Raises UsageError where that is not one lab."""
    known = {here.name: here for here in all_entries()}
    if name is not None:
        if name not in known:
            raise UsageError(unknown("lab", name, known) if known else f"no lab {name!r}; {_CREATE}")
        return known[name]
    if not known:
        raise UsageError(f"no lab exists; {_CREATE}")
    if len(known) > 1:
        raise UsageError(f"several labs exist; select one with --name: {', '.join(known)}")
    return next(iter(known.values()))


@contextlib.contextmanager
def claimed(name: str) -> Iterator[tuple[LabEntry, int]]:
    """Make the lab's folder and hold its lock in the body; yields the entry and the lock's descriptor.

    The descriptor may be given to other processes, which then hold the lock too. Raises UsageError where
    the lab is up already, or cannot have this name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"invalid lab name {name!r}; use up to 40 letters, digits, dots, hyphens and underscores")
    here = entry(name)
    descriptor = _locked(here)
    try:
        yield here, descriptor
    finally:
        os.close(descriptor)


def _locked(here: LabEntry) -> int:
    """Make a lab's folder and return the descriptor of its lock, which is held.

    A lab that ends at the same moment may take the folder with it, or those above: then it is made once more.
    """
    for last in (False,) * _TRIES + (True,):
        try:
            _make_private(here.folder)
            descriptor = os.open(here.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (FileNotFoundError, FileExistsError) as error:
            if last:
                raise _no_folder(here.folder, error) from error
            continue
        except OSError as error:
            raise _no_folder(here.folder, error) from error
        if _holds(descriptor, here):
            return descriptor
        os.close(descriptor)
    raise MachineError(f"{here.folder} is removed again and again while the lab is created; use another --name")


def _holds(descriptor: int, here: LabEntry) -> bool:
    """Lock a file and return whether it is still the lab's lock. Raises UsageError where another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), here.lock_path.stat())
    except FileNotFoundError:
        return False
    except BlockingIOError as error:
        os.close(descriptor)
        message = f"lab {here.name!r} is up already; take it down with: farshore lab down --name {here.name}"
        raise UsageError(message) from error


def _no_folder(folder: Path, error: OSError) -> MachineError:
    return MachineError(f"{folder}: {error.strerror}; set {FOLDER_VARIABLE} to a writable directory")


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    for path in (folder, folder.parent):
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise MachineError(f"directory {path} belongs to another user; set {FOLDER_VARIABLE} to one of your own")
