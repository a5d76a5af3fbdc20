"""Progress of long work in a terminal: a bar on stderr, and nothing where stderr is not a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from farshore.cli.console import diagnostics
from farshore.reporter import Reporter


class _Bar(Reporter):
    """Shows one bar for the work at hand, with the item that it is at."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def started(self, work: str) -> None:
        self.finished(work)
        self._task = self._progress.add_task("", total=None, work=work)

    def advanced(self, done: int, total: int, item: str = "") -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total, description=item)

    def finished(self, work: str) -> None:  # noqa: ARG002 - the event's own form
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None


@contextlib.contextmanager
def progress() -> Iterator[Reporter]:
    """Yield a reporter that shows its events in the terminal for the length of the body."""
    console = diagnostics()
    columns = (
        TextColumn("{task.fields[work]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield _Bar(bar)
