"""Reading the intent file from disk, never more of it than an intent file can be.

A FIFO would make the reader wait, a device might never end, and neither can be an intent file.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from farshore.intent.fault import FaultError

MEBIBYTE = 1024 * 1024
LARGEST_FILE = 32 * MEBIBYTE
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_EXAMPLE = "write an intent file, as docs/intent.md shows"


def read(path: Path) -> str:
    """Return the text of a file. Raises :class:`FaultError` for what cannot be an intent file."""
    try:
        # Looked at before it is opened: opening a FIFO or a device can already do something.
        _refuse_unsuitable(os.stat(path))  # noqa: PTH116 - os.open below has no pathlib twin either
        content = _read_bounded(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FaultError(f"the file cannot be read: {reason}", "name a file that is there and readable") from None
    except ValueError as error:
        if isinstance(error, FaultError):
            raise
        # Python refuses a name with a NUL character in it this way.
        raise FaultError("the file cannot be read: the name is not valid", "name a file that is there") from None
    return decode(content)


def decode(content: bytes) -> str:
    """Return bytes as text. Raises :class:`FaultError` for what is not UTF-8 text."""
    if content.startswith(_UTF_16_MARKS):
        raise FaultError("the file is UTF-16 text", "save it as UTF-8")
    if b"\0" in content:
        raise FaultError("the file is binary: it holds NUL bytes", _EXAMPLE)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FaultError(
            f"the file is not UTF-8 text (byte 0x{content[error.start]:02x} in line {line})", "save it as UTF-8"
        ) from None


def _read_bounded(path: Path) -> bytes:
    # The file may have been exchanged since it was looked at: non-blocking, and looked at once more.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - pathlib cannot open a descriptor
        _refuse_unsuitable(os.fstat(descriptor))
        content: bytes | None = file.read(LARGEST_FILE + 1)
    # So says a file of the kernel's that would make its reader wait.
    if content is None:
        raise FaultError("the file cannot be read: it has nothing to say yet", "name a regular file")
    if len(content) > LARGEST_FILE:
        raise _too_large("more than 32")
    return content


def _refuse_unsuitable(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise FaultError("this is a directory", "name the intent file in it")
    if not stat.S_ISREG(status.st_mode):
        raise FaultError("this is not a regular file", "name a regular file; a pipe or a device cannot be read")
    if status.st_size > LARGEST_FILE:
        raise _too_large(f"{status.st_size / MEBIBYTE:.0f}")


def _too_large(mebibytes: str) -> FaultError:
    return FaultError(f"the file is too large: {mebibytes} MiB", "keep an intent file below 32 MiB")
