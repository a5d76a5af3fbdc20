"""A world of its own for a test: namespaces as a lab has them, and a Python inside that runs functions for us.

Functions are named by module, so what runs inside is ordinary code of the test modules; what it returns
comes back. The world ends with its first process, and that one ends when its pipe is closed.
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, BinaryIO, Self

import pytest

_LENGTH = 8
_PATIENCE = 120.0  # seconds; far beyond what any scenario takes


class InsideError(AssertionError):
    """What went wrong inside, as text."""


class World:
    """Network, mount and process namespaces of our own; without root a user namespace too."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", "import live_world; live_world.inside()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        missing = self._receive()
        if missing is not None:
            self.close()
            pytest.skip(missing)

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Run a function inside and return what it returns. Raises InsideError where it raised."""
        assert self._process.stdin is not None
        _send(self._process.stdin, (function, arguments, named))
        value, failure = self._receive()
        if failure is not None:
            raise InsideError(failure)
        return value

    def close(self) -> None:
        """End the world, and with it everything in it."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.close()

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
        if not ready:
            self.close()
            raise InsideError("no answer from inside")
        return _read(self._process.stdout)


def inside() -> None:
    """Be the first process of a new world and do what the pipe says."""
    from farshore.errors import MachineError
    from farshore.machine import world as worlds

    # What functions print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        worlds.leave()
    except MachineError as error:
        _send(answers, str(error))
        return
    child = os.fork()
    if child != 0:
        # Whoever kills this process means the world: its first process asks the kernel for the same end.
        os.waitpid(child, 0)
        return
    worlds.die_with_parent()
    worlds.furnish()
    _send(answers, None)
    while (task := _read(sys.stdin.buffer)) is not None:
        function, arguments, named = task
        try:
            outcome = (function(*arguments, **named), None)
        except Exception:  # noqa: BLE001 - all of it goes back to the test
            outcome = (None, traceback.format_exc())
        _send(answers, outcome)


def _send(pipe: BinaryIO, value: object) -> None:
    content = pickle.dumps(value)
    pipe.write(len(content).to_bytes(_LENGTH, "big") + content)
    pipe.flush()


def _read(pipe: BinaryIO) -> Any:
    length = pipe.read(_LENGTH)
    if not length:
        return None
    # Our own bytes, over our own pipe.
    return pickle.loads(pipe.read(int.from_bytes(length, "big")))  # noqa: S301
