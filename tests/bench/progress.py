"""What the bench is at, on stderr, and where its time went."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from farshore.reporter import Reporter


class Log:
    """Shows the step at hand and adds up the seconds by what they were spent on."""

    def __init__(self, bar: Progress) -> None:
        """Show steps in a bar that is running."""
        self._bar = bar
        self._task = bar.add_task("")
        self.spent: dict[str, float] = {}

    def step(self, what: str) -> None:
        """Show what is at hand."""
        if self._bar.console.is_terminal:
            self._bar.update(self._task, description=what)
        else:
            self._bar.console.print(what)

    def reporter(self, what: str) -> Reporter:
        """Return what shows the making of a lab."""
        self.step(what)
        return _Making(self, what)

    def changes(self, what: str, done: int, total: int) -> None:
        """Show how much of a lab is made, where somebody is looking."""
        if self._bar.console.is_terminal:
            self.step(f"{what}: {done:,} of {total:,} changes")

    @contextlib.contextmanager
    def time(self, what: str) -> Iterator[None]:
        """Count the time of the body to something."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.spent[what] = self.spent.get(what, 0.0) + time.monotonic() - begun


class _Making(Reporter):
    """Shows how far the making of one lab has come."""

    def __init__(self, log: Log, what: str) -> None:
        self._log = log
        self._what = what

    def advanced(self, done: int, total: int, item: str = "") -> None:  # noqa: ARG002 - the event's own form
        self._log.changes(self._what, done, total)


@contextlib.contextmanager
def logging() -> Iterator[Log]:
    """Show progress for the length of the body."""
    console = Console(stderr=True, highlight=False)
    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield Log(bar)
