"""A world of its own for a test, made as a lab's is, in which functions of the test modules run."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn, Self

import pytest

from farshore.errors import MachineError
from farshore.machine.inside import Channel, creating

_PATIENCE = 600.0  # seconds: a safety net, far beyond what any scenario takes
_STDERR = 2

Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
Answer = tuple[Any, str | None]


class InsideError(AssertionError):
    """What went wrong inside, as text."""


class World:
    """Network, mount and process namespaces of our own; without root a user namespace too."""

    def __init__(self) -> None:
        self._life = contextlib.ExitStack()
        try:
            self._world, self._child = self._life.enter_context(creating(_STDERR, (), inside))
        except MachineError as error:
            pytest.skip(str(error))

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Run a function inside and return what it returns. Raises InsideError where it raised."""
        self._child.send((function, arguments, named))
        value, failure = self._child.receive(_PATIENCE)
        if failure is not None:
            raise InsideError(failure)
        return value

    def close(self) -> None:
        """End the world, and with it everything in it."""
        self._life.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.close()


def inside(test: Channel[Answer, Task]) -> NoReturn:
    """Run the functions that a test sends, one after another."""
    while True:
        function, arguments, named = test.receive()
        try:
            test.send((function(*arguments, **named), None))
        except Exception:  # noqa: BLE001 - all of it goes back to the test
            test.send((None, traceback.format_exc()))
