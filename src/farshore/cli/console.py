"""How commands write: colours mark realms, columns line up, long work shows a bar; all reads without colour."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text

from farshore.realm import Address, Prefix, Realm, RealmKind
from farshore.reporter import Reporter

PROVIDER_STYLE = "magenta"  # the article's plum
LAKE_STYLE = "cyan"
INTERNET_STYLE = "yellow"
# Indigo first, as Alice's; then colours that stay apart from it on dark and on light screens.
TENANT_STYLES = ("blue", "green", "red", "bright_blue", "bright_green", "bright_red")


class _Output(Console):
    """A console that leaves it to the program's entrance what a reader's going away means."""

    def on_broken_pipe(self) -> None:
        """Pass the news on instead of exiting with 1, which here means that the answer is no."""
        raise BrokenPipeError


def output() -> Console:
    """Return the console for what the user asked for. rich honours NO_COLOR and pipes by itself."""
    return _Output(highlight=False, soft_wrap=True)


def diagnostics() -> Console:
    """Return the console for progress and errors, on stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def realm_style(realm: Realm, tenant_names: tuple[str, ...] = ()) -> str:
    """Return the colour of a realm. Tenants take theirs in the order of ``tenant_names``."""
    match realm.kind:
        case RealmKind.PROVIDER:
            return PROVIDER_STYLE
        case RealmKind.LAKE:
            return LAKE_STYLE
        case RealmKind.INTERNET:
            return INTERNET_STYLE
        case RealmKind.TENANT:
            position = tenant_names.index(realm.name) if realm.name in tenant_names else 0
            return TENANT_STYLES[position % len(TENANT_STYLES)]


def coloured(value: Address | Prefix, tenant_names: tuple[str, ...] = ()) -> Text:
    """Return an address or prefix in the colour of its realm, without naming the realm."""
    text = str(value.ip) if isinstance(value, Address) else str(value.network)
    return Text(text, style=realm_style(value.realm, tenant_names))


GAP = 2
LINE_END = Segment.line()
HEADING = Style(bold=True)

Cell = tuple[Segment, ...]


def cell(text: str, style: str = "") -> Cell:
    """Return a cell of one style. Cells can be added together; that of an empty text is empty."""
    return (Segment(text, Style.parse(style) if style else None),) if text else ()


def columns(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Segments:
    """Return a heading line and a line for each row; columns that are empty in all rows are left out."""
    widths = [[sum([len(segment.text) for segment in cell]) for cell in row] for row in rows]
    widest = [max(column) for column in zip(*widths, strict=True)]
    kept = [position for position, width in enumerate(widest) if width]
    widest = [max(width, len(heading)) for width, heading in zip(widest, headings, strict=True)]
    segments: list[Segment] = []
    headed: list[Cell] = [(Segment(heading, HEADING),) for heading in headings]
    for row, row_widths in zip([headed, *rows], [[len(heading) for heading in headings], *widths], strict=True):
        end = wanted = 0
        for position in kept:
            if row[position]:
                # Blanks stand before a cell and not behind it, so that no line ends in any.
                segments.append(Segment(" " * (wanted - end)))
                segments += row[position]
                end = wanted + row_widths[position]
            wanted += widest[position] + GAP
        segments.append(LINE_END)
    return Segments(segments)


_REDRAWN_EVERY = 0.1  # seconds


class _Bar(Reporter):
    """Shows one bar for the work at hand, with the item that it is at."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._due = 0.0

    def started(self, work: str) -> None:
        self.finished(work)
        self._task = self._progress.add_task("", total=None, work=work)
        self._progress.refresh()

    def advanced(self, done: int, total: int, item: str = "") -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total, description=item)
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + _REDRAWN_EVERY
                self._progress.refresh()

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
    # Redrawn as events come, not by a thread of its own: a proof forks, which only a process with one thread may.
    off = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=off, auto_refresh=False) as bar:
        yield _Bar(bar)
