"""The command line run in this process, as the program runs it, with all that it prints as bytes would show it."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from farshore.cli import main as entrance


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command line ended, and what it printed."""

    status: int
    out: str
    err: str


def run(words: Sequence[str]) -> Ended:
    """Run one command line. What is not a FarshoreError, click's or the system's is raised: it is a fault."""
    said, complained = _stream(), _stream()
    with _no_traces(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            status = entrance._status(list(words))
        except SystemExit as leaving:
            status = int(str(leaving.code))
    return Ended(status, _written(said), _written(complained))


@contextlib.contextmanager
def _no_traces() -> Iterator[None]:
    """Take back what a process that ends afterwards may leave as it is: its logging, and what it keeps for good."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        gc.unfreeze()


def _stream() -> io.TextIOWrapper:
    # What is no text of its own comes through, so that a test can see it.
    return io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode("utf-8", "surrogateescape")
