"""The program in a terminal of a chosen width: a real one, so that what it asks of its terminal is answered."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

from cli_program import REPOSITORY


def in_terminal(width: int, *arguments: str, folder: Path = REPOSITORY, **environment: str) -> str:
    """Return what the program writes to a terminal, on stdout and stderr, without colours."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    plain = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "COLUMNS", "COLORTERM"}}
    plain |= {"TERM": "xterm-256color", "NO_COLOR": "1", "LC_ALL": "C.UTF-8", **environment}
    with subprocess.Popen(
        [sys.executable, "-m", "farshore", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        cwd=folder,
        env=plain,
    ) as program:
        os.close(terminal)
        written = b""
        # A terminal that nobody writes to any more ends in an input/output error.
        while part := _read(screen):
            written += part
        os.close(screen)
    assert program.returncode in {0, 1, 2}, written.decode()
    return written.decode("utf-8").replace("\r\n", "\n")


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 65536)
    except OSError:
        return b""
