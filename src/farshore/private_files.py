"""Files that no other user of the machine can have written or exchanged: the trust that every edge has in them.

A path is walked by descriptors, a component at a time (openat(2) with O_NOFOLLOW), and it is what has been opened that
is examined, not what the name may stand for by then: nothing can be exchanged between a check and the use. Root is
trusted, as it can do anything anyway.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from farshore.errors import MachineError, counted, shell_word

_EXAMINED = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_WRITABLE_BY_OTHERS, _OPEN_TO_OTHERS = 0o022, 0o077
_STAYS = (errno.ENOTEMPTY, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EBUSY, errno.EROFS)
_MOST_LINKS = 40  # MAXSYMLINKS of Linux


class UntrustedError(MachineError):
    """Another user may have written a file or folder, or may write it at any moment."""


@dataclass(frozen=True, slots=True)
class PrivateFolder:
    """A folder that is open, and this user's alone. Its files are named without a path."""

    path: Path
    descriptor: int

    def names(self) -> list[str]:
        """Return the names of all that it holds, sorted."""
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.descriptor)
        try:
            return sorted(os.listdir(listed))  # noqa: PTH208 - pathlib cannot list a descriptor
        finally:
            os.close(listed)

    def status(self, name: str) -> os.stat_result:
        """Return the status of what has a name: of a symbolic link its own. Raises OSError."""
        return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def contains(self, name: str) -> bool:
        """Return whether anything has a name, in this folder or one below. Raises OSError where that is not seen."""
        try:
            self.status(name)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def read(self, name: str, longest: int) -> bytes:
        """Return what a file holds, up to one byte more than ``longest``. Raises as :meth:`open`."""
        with open(self.open(name, os.O_RDONLY), "rb") as file:  # noqa: PTH123 - pathlib cannot open a descriptor
            content: bytes = file.read(longest + 1) or b""  # None of what would make its reader wait
        return content

    def open(self, name: str, flags: int) -> int:
        """Open a file by flags such as ``os.O_RDWR | os.O_CREAT`` and return its descriptor.

        Raises:
            OSError: There is none, or it cannot be opened.
            UntrustedError: It is no regular file of this user's alone.
        """
        try:
            found = os.open(name, _EXAMINED, dir_fd=self.descriptor)
        except FileNotFoundError:
            if not flags & os.O_CREAT:
                raise
            with contextlib.suppress(FileExistsError):
                return os.open(name, flags | _NEW, _PRIVATE_FILE, dir_fd=self.descriptor)
            found = os.open(name, _EXAMINED, dir_fd=self.descriptor)
        try:
            self._examine(name, found)
            return _again(found, flags & ~os.O_CREAT)
        finally:
            os.close(found)

    def replace(self, name: str, content: bytes, through: str) -> None:
        """Write a file, whole or not at all, by way of another one that takes its name.

        It is not flushed to the disk (fsync(2)): what it tells ends with the machine. Raises OSError.
        """
        self.remove(through)  # of a writer that was killed
        descriptor = os.open(through, os.O_WRONLY | _NEW, _PRIVATE_FILE, dir_fd=self.descriptor)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - pathlib cannot open a descriptor
            file.write(content)
        os.rename(through, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def remove(self, name: str) -> None:
        """Remove a file, or a symbolic link and not what it leads to. Raises OSError where it is a folder."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.descriptor)

    def _examine(self, name: str, descriptor: int) -> None:
        status, path = os.fstat(descriptor), self.path / name
        if not stat.S_ISREG(status.st_mode):
            raise UntrustedError(f"{path} is no regular file; remove it")
        if status.st_uid != os.geteuid():
            raise UntrustedError(f"{path} belongs to another user (uid {status.st_uid}); remove it")
        _refuse_writable(path, status)


@contextlib.contextmanager
def private_folder(path: Path, own: int, fix: str, *, make: bool = False) -> Iterator[PrivateFolder]:
    """Open a folder for the length of the body.

    Args:
        path: where it is.
        own: how many components at the path's end are this user's alone. Those before them may belong to others, and
            be symbolic links of this user or root.
        fix: what to do where a folder is another user's.
        make: whether to make the folders that do not exist.

    Raises:
        OSError: There is none, or it cannot be opened or made.
        UntrustedError: One of this user's own folders is a symbolic link, another user's, or writable by others.
    """
    descriptor = _walked(path, own, fix, make=make)
    try:
        yield PrivateFolder(path, descriptor)
    finally:
        os.close(descriptor)


def remove_folders(path: Path, own: int, fix: str, levels: int) -> None:
    """Remove a folder and those above it, ``levels`` in all, up to the first that is not empty.

    Raises as :func:`private_folder`, but where one has gone already.
    """
    for above in range(levels):
        gone = path.parents[above - 1] if above else path
        with contextlib.suppress(FileNotFoundError):
            parent = _walked(gone.parent, own - above - 1, fix, make=False)
            try:
                os.rmdir(gone.name, dir_fd=parent)
            except OSError as error:
                # Not empty; exchanged; or in a folder of others, such as /run, in which nothing is for us to remove.
                if error.errno in _STAYS:
                    return
                raise
            finally:
                os.close(parent)


def read_secret(path: Path, what: str, sizes: range) -> bytes:
    """Return what a file of a secret holds. Symbolic links are followed: what they lead to is examined.

    Args:
        path: the file.
        what: what it is, for messages, such as ``the key of provider/portal``.
        sizes: the lengths that it may have, in bytes.

    Raises:
        MachineError: It cannot be read, is no regular file, is of another length, or other users may read it.
    """
    word = shell_word(str(path))
    make = f"make one: (umask 077; head -c 32 /dev/urandom > {word})"
    try:
        found = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            status = os.fstat(found)
            if problem := _unsuitable(status, word, make):
                raise UntrustedError(f"{what}, {path}, {problem}")
            with open(_again(found, os.O_RDONLY), "rb") as file:
                content: bytes = file.read(sizes.stop) or b""  # None of what would make its reader wait
        finally:
            os.close(found)
    except (OSError, ValueError) as error:  # ValueError: of a name with a NUL character
        reason = error.strerror if isinstance(error, OSError) else "its name contains a NUL character"
        raise MachineError(f"{what}, {path}, cannot be read ({reason}); {make}") from error
    if len(content) not in sizes:
        most = sizes.stop - 1
        too_short = f"{counted(len(content), 'byte')} of at least {sizes.start}"
        length = too_short if len(content) < sizes.start else f"more than {counted(most, 'byte')}"
        raise MachineError(f"{what}, {path}, has {length}; {make}")
    return content


def _unsuitable(status: os.stat_result, word: str, make: str) -> str:
    if not stat.S_ISREG(status.st_mode):
        return f"is no regular file; {make}"
    if status.st_uid not in (os.geteuid(), 0):
        return f"belongs to another user (uid {status.st_uid}); run: sudo chown {os.geteuid()} {word}"
    if status.st_mode & _OPEN_TO_OTHERS:
        return f"is open to other users (mode {stat.S_IMODE(status.st_mode):04o}); run: chmod 600 {word}"
    return ""


def _walked(path: Path, own: int, fix: str, *, make: bool) -> int:
    """Return the descriptor of a folder, which every component of the path but the own may be a link to."""
    parts = deque(path.parts)
    seen = PurePath()
    links = 0
    here = os.open("/" if path.is_absolute() else ".", _EXAMINED | os.O_DIRECTORY)
    root = Path("/").stat().st_uid  # where user IDs are mapped, root's may be another
    try:
        while parts:
            is_own = len(parts) <= own
            name = parts.popleft()
            if name.startswith("/"):
                os.close(here)
                here = os.open("/", _EXAMINED | os.O_DIRECTORY)
                seen = PurePath("/")
                continue
            seen /= name
            step = _step(here, name, make=make)
            status = os.fstat(step)
            if stat.S_ISLNK(status.st_mode) and not is_own and status.st_uid in (os.geteuid(), 0, root):
                target = os.readlink("", dir_fd=step)
                os.close(step)
                links += 1
                _refuse_circle(path, links)
                parts.extendleft(reversed(PurePath(target).parts))
                seen = seen.parent
                continue
            os.close(here)
            here = step
            _refuse(Path(seen), status, fix, is_own=is_own)
    except BaseException:
        os.close(here)
        raise
    return here


def _step(here: int, name: str, *, make: bool) -> int:
    """Open a component of a path, which is made if need be."""
    try:
        return os.open(name, _EXAMINED, dir_fd=here)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, _PRIVATE_FOLDER, dir_fd=here)
    return os.open(name, _EXAMINED, dir_fd=here)


def _refuse_circle(path: Path, links: int) -> None:
    if links > _MOST_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def _refuse(path: Path, status: os.stat_result, fix: str, *, is_own: bool) -> None:
    """Raise UntrustedError for a component of a path that another user may have put there."""
    if stat.S_ISLNK(status.st_mode):
        raise UntrustedError(f"{path} is a symbolic link of {_owner(status)}; {fix}")
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    if is_own:
        if status.st_uid != os.geteuid():
            raise UntrustedError(f"{path} belongs to {_owner(status)}; {fix}")
        _refuse_writable(path, status)


def _refuse_writable(path: Path, status: os.stat_result) -> None:
    if status.st_mode & _WRITABLE_BY_OTHERS:
        mode = f"mode {stat.S_IMODE(status.st_mode):04o}"
        raise UntrustedError(f"{path} is writable by other users ({mode}); run: chmod go-w {shell_word(str(path))}")


def _owner(status: os.stat_result) -> str:
    return "this user" if status.st_uid == os.geteuid() else f"another user (uid {status.st_uid})"


def _again(examined: int, flags: int) -> int:
    """Open the very file that has been examined, whatever its name stands for now."""
    return os.open(f"/proc/self/fd/{examined}", flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
