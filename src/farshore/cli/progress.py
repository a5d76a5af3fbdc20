"""Long work shows its progress, on stderr, where somebody is looking."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from farshore.cli.console import diagnostics

Reporter = Callable[[int, int, str], None]


@contextlib.contextmanager
def progress(title: str) -> Iterator[Reporter]:
    """Show a bar for the length of the body and yield what moves it: done, total, and what is at hand."""
    console = diagnostics()
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def report(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        yield report
