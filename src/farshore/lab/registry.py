"""The labs of a user: one directory each, with a lock, a record and a log, removed with the lab.

The lock is held by every process that the lab needs, and the kernel releases it when the last of them ends, however
it ends. So whether a lab is up never depends on a clean-up. What is left of a command that was killed is cleared away
by the next one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from farshore.errors import MachineError, UsageError
from farshore.lab.record import LAB_NAME, LONGEST_RECORD, InvalidRecordError, Record, read_record, write_record
from farshore.lookup import unknown
from farshore.machine.world import World, find_holding
from farshore.private_files import PrivateFolder, private_folder, remove_folders

DEFAULT_NAME = "lab"
FOLDER_VARIABLE = "FARSHORE_LABS"
_LOCK, _RECORD, _NEW_RECORD, _LOG = "lock", "lab.json", "lab.json.new", "log"
# In the order in which they are removed: until the lock goes, no other command can claim the folder.
_FILES = (_NEW_RECORD, _RECORD, _LOG, _LOCK)
_LONGEST_LOG = 1024 * 1024  # bytes
_CREATE = "create one with: farshore lab up FILE"
_OWN_FOLDER = f"set {FOLDER_VARIABLE} to a directory of your own"
_TRIES = 100
# A command that clears remains away, or looks whether a lab is up, holds its lock for a moment.
_MOMENT, _POLL = 1.0, 0.01


@dataclass(frozen=True, slots=True)
class Root:
    """The folder of a user's labs, whether it exists or not. ``own`` of its last components are farshore's own."""

    path: Path
    own: int


@dataclass(frozen=True, slots=True)
class LabEntry:
    """The directory of one lab. Every method opens it anew, and refuses what another user may have put there."""

    name: str
    root: Root

    @property
    def folder(self) -> Path:
        """Return where it is."""
        return self.root.path / self.name

    @property
    def log_path(self) -> Path:
        """Return where the lab's processes log to."""
        return self.folder / _LOG

    def write(self, record: Record) -> None:
        """Write the record, whole or not at all. Raises MachineError."""
        with self._open() as folder:
            folder.replace(_RECORD, write_record(record), through=_NEW_RECORD)

    def read(self) -> Record | None:
        """Return the record, None where none has been written yet. Raises RecordError where it is none."""
        try:
            with private_folder(self.folder, self.root.own + 1, _OWN_FOLDER) as folder:
                content = folder.read(_RECORD, LONGEST_RECORD)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self.folder / _RECORD, error) from error
        try:
            return read_record(content, self.name, os.geteuid())
        except InvalidRecordError as error:
            fix = f"remove it with: farshore lab down --name {self.name}"
            raise RecordError(f"{self.folder / _RECORD} is no record of a lab: {error}; {fix}") from error

    def forget(self) -> None:
        """Remove the record and the log of an earlier lab of this name. Raises MachineError."""
        with self._open() as folder:
            for name in (_NEW_RECORD, _RECORD, _LOG):
                folder.remove(name)

    def open_log(self) -> int:
        """Return the descriptor of the file that the lab's processes log to. Raises MachineError."""
        with self._open() as folder:
            return folder.open(_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def log_lines(self) -> list[str]:
        """Return the lines of the log. Raises FileNotFoundError where the folder has gone."""
        with private_folder(self.folder, self.root.own + 1, _OWN_FOLDER) as folder:
            return folder.read(_LOG, _LONGEST_LOG).decode("utf-8", errors="replace").strip().splitlines()

    def is_locked(self) -> bool:
        """Return whether a process of the lab lives."""
        try:
            with self._open() as folder:
                descriptor = folder.open(_LOCK, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def living_world(self) -> World | None:
        """Return the world of the lab, None where it has none, or its first process has ended.

        It is the one on record where that holds the lab's lock, or else one that does: what a record says is not
        enough to end a process.
        """
        try:
            with self._open() as folder:
                lock = folder.status(_LOCK)
        except FileNotFoundError:
            return None
        with contextlib.suppress(RecordError):
            record = self.read()
            if record is not None and record.world.holds(lock):
                return record.world
        return find_holding(lock, f"lab {self.name!r} is no longer up") if self.is_locked() else None

    def erase(self) -> tuple[str, ...]:
        """Remove the lab's files, its folder, and the folders above it that this leaves empty.

        Returns the names of what is not the lab's, for which the folder stays. Nothing happens where another command
        has claimed the name. Raises MachineError.
        """
        try:
            with self.locked():
                return self.erase_locked()
        except (FileNotFoundError, BlockingIOError):
            return ()

    def erase_locked(self) -> tuple[str, ...]:
        """Do the same for a caller who holds the lock."""
        try:
            with self._open() as folder:
                others = tuple(name for name in folder.names() if name not in _FILES)
                for name in _FILES:
                    folder.remove(name)
            # What is above a folder of the user's choice is not ours.
            remove_folders(self.folder, self.root.own + 1, _OWN_FOLDER, self.root.own + 1)
        except FileNotFoundError:  # another command was quicker
            return ()
        return others

    def clear(self) -> None:
        """Remove what a command that was killed has left, which is no lab and never will be.

        A lab that was to outlive its command is left alone: its log may tell why it has ended. So is what may not be
        a lab's, as FARSHORE_LABS can name any folder.
        """
        with contextlib.suppress(FileNotFoundError, BlockingIOError, MachineError):
            with self._open() as folder:
                names = set(folder.names())
            if _LOCK in names and names <= set(_FILES):
                with self.locked():
                    record = self.read()
                    if record is None or not record.stays:
                        self.erase_locked()

    @contextlib.contextmanager
    def locked(self, *, make: bool = False) -> Iterator[int]:
        """Hold the lock, for which its file is made and, with ``make``, the folder. Yields the lock's descriptor.

        Raises:
            FileNotFoundError: The folder has gone, or is going.
            BlockingIOError: Another process holds the lock.
            MachineError: The folder cannot be used.
        """
        with self._open(make=make) as folder:
            descriptor = folder.open(_LOCK, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with self._open() as folder:
                now = folder.status(_LOCK)
            if not os.path.samestat(os.fstat(descriptor), now):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _open(self, *, make: bool = False) -> Iterator[PrivateFolder]:
        try:
            with private_folder(self.folder, self.root.own + 1, _OWN_FOLDER, make=make) as folder:
                yield folder
        except (FileNotFoundError, FileExistsError, BlockingIOError):
            raise
        except OSError as error:
            raise _unusable(self.folder, error) from error


class RecordError(MachineError):
    """The record of a lab is none: cut off, forged, or of another lab."""


def root() -> Root:
    """Return the folder of this user's labs."""
    if override := os.environ.get(FOLDER_VARIABLE):
        return Root(Path(override), own=1)
    if os.geteuid() == 0:
        return Root(Path("/run/farshore/labs"), own=2)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Root(Path(runtime) / "farshore" / "labs", own=2)
    return Root(Path(tempfile.gettempdir()) / f"farshore-{os.geteuid()}" / "labs", own=2)


def entry(name: str) -> LabEntry:
    """Return the entry of the lab with this name, whether there is one or not. Raises UsageError for no such name."""
    if not LAB_NAME.fullmatch(name):
        raise UsageError(f"invalid lab name {name!r}; use up to 40 letters, digits, dots, hyphens and underscores")
    return LabEntry(name, root())


def all_entries() -> tuple[LabEntry, ...]:
    """Return the entries of all labs of this user, sorted by name. Raises MachineError where their folder is unfit."""
    here = root()
    try:
        with private_folder(here.path, here.own, _OWN_FOLDER) as folder:
            names = [name for name in folder.names() if LAB_NAME.fullmatch(name) and _may_be_lab(folder, name)]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unusable(here.path, error) from error
    return tuple(LabEntry(name, here) for name in names)


def _may_be_lab(folder: PrivateFolder, name: str) -> bool:
    """Return whether a folder holds a lock or a record; one that cannot be seen into is complained of when opened."""
    try:
        if stat.S_ISLNK(folder.status(name).st_mode):
            return True
        return any(folder.contains(f"{name}/{file}") for file in (_LOCK, _RECORD))
    except OSError as error:
        return isinstance(error, PermissionError)


def clear_remains(but: str | None = None) -> None:
    """Remove what commands that were killed have left, but for the lab of one name."""
    for here in all_entries():
        if here.name != but:
            here.clear()
    if root().own > 1:
        with contextlib.suppress(FileNotFoundError):
            _clear_empty(root(), but)


def _clear_empty(here: Root, but: str | None) -> None:
    """Remove empty folders of labs, of commands that were killed between the folder and its lock, and the root's.

    Not to be used where the root is a folder of the user's choice: what is empty there may be the user's own.
    """
    with private_folder(here.path, here.own, _OWN_FOLDER) as folder:
        names = [name for name in folder.names() if LAB_NAME.fullmatch(name) and name != but]
    for name in names:
        remove_folders(here.path / name, here.own + 1, _OWN_FOLDER, 1)  # whoever claims it now makes it anew
    remove_folders(here.path, here.own, _OWN_FOLDER, here.own)


def only(name: str | None) -> LabEntry:
    """Return the named lab or, without a name, the only one. Raises UsageError where that is not one lab."""
    if name is not None:
        entry(name)
    known = {here.name: here for here in all_entries()}
    if name is not None:
        if name not in known:
            raise UsageError(unknown("lab", name, known) if known else f"no lab {name!r}; {_CREATE}")
        return known[name]
    if len(known) > 1:
        clear_remains()
        known = {here.name: here for here in all_entries()}
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
    here = entry(name)
    clear_remains(but=name)
    with contextlib.ExitStack() as held:
        descriptor = _claim(here, held)
        here.forget()
        yield here, descriptor


def _claim(here: LabEntry, held: contextlib.ExitStack) -> int:
    """Lock a lab, whose folder is made, and return the descriptor of its lock.

    A lab that ends at the same moment may take the folder with it, or those above: then it is made once more.
    """
    deadline, tries = time.monotonic() + _MOMENT, 0
    while True:
        try:
            return held.enter_context(here.locked(make=True))
        except (FileNotFoundError, FileExistsError) as error:
            tries += 1
            if tries == _TRIES:
                raise _unusable(here.folder, error) from error
        except BlockingIOError as error:
            if time.monotonic() > deadline or here.living_world() is not None:
                message = f"lab {here.name!r} is up already; take it down with: farshore lab down --name {here.name}"
                raise UsageError(message) from error
            time.sleep(_POLL)


def _unusable(path: Path, error: OSError) -> MachineError:
    return MachineError(f"{path}: {error.strerror}; set {FOLDER_VARIABLE} to a writable directory")
