"""Read the text of an intent from a file or from standard input, up to the size limit.

A named FIFO would make the reader wait, a device might never end, and neither can be an intent file. Standard input
may be a pipe: that is what ``-`` is for; and so may a file that the caller has opened, such as a shell's ``<(…)``.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import select
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from farshore.diagnostic_codes import DiagnosticCode
from farshore.intent.read.scalars import FaultError

MEBIBYTE = 1024 * 1024
LARGEST_FILE = 32 * MEBIBYTE
STANDARD_INPUT = "<stdin>"
_STANDARD_INPUT_NAMES = frozenset({"-", "/dev/stdin"})
# A file that is open already, by its number (fd(4)): what a shell passes for a process substitution.
_OPEN_FILE = re.compile(r"(?:/dev/fd|/proc/self/fd)/(\d{1,9})")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_EXAMPLE = "write an intent file, as docs/intent.md shows"


def shown_name(path: Path) -> str:
    """Return the name of a file as diagnostics show it: ``<stdin>`` for ``-`` and ``/dev/stdin``."""
    return STANDARD_INPUT if str(path) in _STANDARD_INPUT_NAMES else str(path)


def read(path: Path) -> str:
    """Return the text of a file, or of standard input. Raises :class:`FaultError` for a file that is no intent."""
    opened = _OPEN_FILE.fullmatch(str(path))
    try:
        if shown_name(path) == STANDARD_INPUT:
            content = _read_standard_input()
        elif opened is not None:
            content = _read_opened(int(opened[1]))
        else:
            content = _read_file(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _unreadable(reason, "name a file that exists and is readable") from None
    except ValueError as error:
        if isinstance(error, FaultError):
            raise
        # Python refuses a name with a NUL character in it this way.
        raise _unreadable("the name is not valid", "name a file that exists") from None
    return decode(content)


def decode(content: bytes) -> str:
    """Return bytes as text. Raises :class:`FaultError` for what is not UTF-8 text."""
    if content.startswith(_UTF_16_MARKS):
        raise FaultError(DiagnosticCode.NOT_UTF_8, "the file is UTF-16 text", "save it as UTF-8")
    if b"\0" in content:
        raise FaultError(DiagnosticCode.NOT_UTF_8, "the file is binary: it contains NUL bytes", _EXAMPLE)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"the file is not UTF-8 text (byte 0x{content[error.start]:02x} in line {line})"
        raise FaultError(DiagnosticCode.NOT_UTF_8, problem, "save it as UTF-8") from None


def _read_file(path: Path) -> bytes:
    # Examined before it is opened: opening a FIFO or a device can already have an effect.
    _refuse_unsuitable(os.stat(path))  # noqa: PTH116 - os.open below has no pathlib twin either
    # The file may have been exchanged since: non-blocking, and examined once more.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - pathlib cannot open a descriptor
        _refuse_unsuitable(os.fstat(descriptor))
        content: bytes | None = file.read(LARGEST_FILE + 1)
    # A file of the kernel's that would make its reader wait.
    if content is None:
        raise _unreadable("it has no content yet", "name a regular file")
    if len(content) > LARGEST_FILE:
        raise _too_large("more than 32")
    return content


def _read_standard_input() -> bytes:
    if sys.stdin is None:
        raise _unreadable("standard input is closed", "pipe an intent file into it, or name a file")
    stream = sys.stdin.buffer
    # The stream of a program that embeds this one has no descriptor.
    with contextlib.suppress(io.UnsupportedOperation):
        _refuse_endless(stream.fileno(), "standard input is a device", "pipe an intent file into it, or name a file")
    return _read_stream(stream)


def _read_opened(descriptor: int) -> bytes:
    _refuse_endless(descriptor, "this is a device, not a file", "name a regular file, or - for standard input")
    with open(os.dup(descriptor), "rb") as stream:  # noqa: PTH123 - pathlib cannot open a descriptor
        return _read_stream(stream)


def _read_stream(stream: BinaryIO) -> bytes:
    content = bytearray()
    while len(content) <= LARGEST_FILE:
        part: bytes | None = stream.read(LARGEST_FILE + 1 - len(content))
        if part is None:  # another process has made the pipe non-blocking
            select.select([stream], [], [])
        elif part:
            content += part
        else:
            return bytes(content)
    raise _too_large("more than 32")


def _refuse_unsuitable(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise FaultError(DiagnosticCode.NOT_A_REGULAR_FILE, "this is a directory", "name the intent file in it")
    if not stat.S_ISREG(status.st_mode):
        problem, fix = "this is a pipe or a device, not a file", "name a regular file, or - for standard input"
        raise FaultError(DiagnosticCode.NOT_A_REGULAR_FILE, problem, fix)
    if status.st_size > LARGEST_FILE:
        raise _too_large(f"{status.st_size / MEBIBYTE:.0f}")


def _refuse_endless(descriptor: int, problem: str, fix: str) -> None:
    """Refuse a device: it may not end. A terminal does, by the person who types."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not os.isatty(descriptor)):
        raise FaultError(DiagnosticCode.NOT_A_REGULAR_FILE, problem, fix)


def _unreadable(reason: str, fix: str) -> FaultError:
    return FaultError(DiagnosticCode.UNREADABLE, f"the file cannot be read: {reason}", fix)


def _too_large(mebibytes: str) -> FaultError:
    return FaultError(
        DiagnosticCode.FILE_TOO_LARGE, f"the file is too large: {mebibytes} MiB", "keep an intent file below 32 MiB"
    )
