"""Output of commands: colours mark realms, but no information depends on them; lines break at spaces only.

In a terminal lines are folded to its width; in a pipe a record is one line, however long, for grep and its like.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text

from farshore.errors import printable
from farshore.realm import Realm, RealmKind
from farshore.reporter import Reporter

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PROVIDER_STYLE = "magenta"  # plum and indigo are the colours of the provider and of Alice in the series
LAKE_STYLE = "cyan"
INTERNET_STYLE = "yellow"
# Indigo first, as Alice's; then colours that stay apart from it on dark and on light screens.
TENANT_STYLES = ("blue", "green", "red", "bright_blue", "bright_green", "bright_red")

GOOD, BAD = "bold green", "bold red"

_USUAL_WIDTH, _USUAL_HEIGHT = 80, 25
_NARROWEST = 20
_CONTINUED = 4  # columns by which the later lines of a message are indented
_SIGNS_IN_ASCII = str.maketrans({"→": ">", "←": "<", "✗": "x", "✓": "=", "…": "~"})


class _Output(Console):
    """A console that leaves it to the program's entrance what a reader's going away means."""

    def on_broken_pipe(self) -> None:
        """Pass the news on instead of exiting with 1, which here means that a check failed."""
        raise BrokenPipeError


def output() -> Console:
    """Return the console for what the user asked for. rich honours NO_COLOR and pipes by itself."""
    # With a height too, or else rich takes every dumb terminal to be 80 columns wide.
    return _Output(highlight=False, soft_wrap=True, width=_width(sys.stdout), height=_USUAL_HEIGHT)


def diagnostics() -> Console:
    """Return the console for progress and errors, on stderr."""
    return _Output(stderr=True, highlight=False, soft_wrap=True, width=_width(sys.stderr), height=_USUAL_HEIGHT)


def _width(stream: TextIO) -> int:
    """Return the columns of a stream: as COLUMNS says, or as the terminal does."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):  # not a terminal, or no file
        return _USUAL_WIDTH


# --- lines -------------------------------------------------------------------------------------------


def say(
    console: Console,
    text: Text | str = "",
    style: str = "",
    *,
    lead: Text | str = "",
    indent: int | None = None,
    fold: bool | None = None,
    widest: int | None = None,
) -> None:
    """Print a text behind its ``lead``; the lines that follow are indented by ``indent``, by default under the first.

    ``fold`` tells whether lines are folded to the console's width, None leaves that to whether it is a terminal;
    ``widest`` is a width that is not exceeded then, however wide the console.
    """
    whole = _safe(text if isinstance(text, Text) else Text(text, style))
    first = _safe(lead if isinstance(lead, Text) else Text(lead))
    margin = cell_len(first.plain) if indent is None else indent
    folded = console.is_terminal if fold is None else fold
    width = min(console.width, widest or console.width) - margin
    lines = wrapped(whole, max(width, _NARROWEST)) if folded else [whole]
    for number, line in enumerate(lines):
        joined = Text.assemble(first if number == 0 else " " * margin, line)
        joined.rstrip()
        console.print(spelled(console, joined))


def wrapped(text: Text, width: int) -> list[Text]:
    """Return a text as lines of at most ``width`` columns, broken at spaces; a longer word has a line of its own."""
    lines: list[Text] = []
    for part in text.split("\n", allow_blank=True):
        start = end = 0
        for word in re.finditer(r"\S+", part.plain):
            if end and cell_len(part.plain[start : word.end()]) > width:
                lines.append(part[start:end])
                start = word.start()
            end = word.end()
        lines.append(part[start:end])
    return lines


def _safe(text: Text) -> Text:
    """Return a text as :func:`printable` has it, with the styles of its characters."""
    if text.plain.isprintable():
        return text
    characters = text.divide(range(1, len(text)))
    return Text("").join(
        each if each.plain.isprintable() else Text(printable(each.plain), each.style) for each in characters
    )


def spelled(console: Console, text: Text) -> Text:
    """Return a text in characters that the console has, none of which controls it."""
    text = _safe(text)
    if console.options.ascii_only:
        return Text(text.plain.translate(_SIGNS_IN_ASCII), text.style, spans=text.spans)
    return text


def complain(messages: Iterable[str]) -> None:
    """Print errors and warnings on stderr, each folded to the console's width where that is a terminal."""
    console = diagnostics()
    for message in messages:
        say(console, message, indent=_CONTINUED)


class LogFormatter(logging.Formatter):
    """Formats log messages as any terminal may show them, each in one line; tracebacks keep theirs."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        """Return the line of a record."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - likewise
        """Return a traceback."""
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


# --- realms ------------------------------------------------------------------------------------------


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


# --- tables ------------------------------------------------------------------------------------------

_GAP = 2
_HEADING = Style(bold=True)

Cell = tuple[Segment, ...]
Row = tuple[Cell, ...]


def cell(text: str, style: str = "") -> Cell:
    """Return a cell of one style. Cells can be added together; that of an empty text is empty."""
    return (Segment(printable(text), Style.parse(style) if style else None),) if text else ()


def table(console: Console, headings: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows in columns, as wide as their content; columns that are empty in all rows are left out.

    Where that is wider than the terminal, each row is a block of lines instead: a heading and its cell on each.
    Takes the time of the cells only, however many rows there are.
    """
    widths = [[sum([_columns(segment.text) for segment in cell]) for cell in row] for row in rows]
    widest = [max(column) for column in zip(*widths, strict=True)]
    kept = [position for position, width in enumerate(widest) if width]
    widest = [max(width, len(heading)) for width, heading in zip(widest, headings, strict=True)]
    whole = sum(widest[position] for position in kept) + _GAP * (len(kept) - 1)
    if console.is_terminal and whole > console.width:
        _blocks(console, [headings[position] for position in kept], [[row[p] for p in kept] for row in rows])
        return
    segments: list[Segment] = []
    headed: list[Cell] = [(Segment(heading, _HEADING),) for heading in headings]
    for row, row_widths in zip([headed, *rows], [[len(heading) for heading in headings], *widths], strict=True):
        end = wanted = 0
        for position in kept:
            if row[position]:
                # Blanks stand before a cell and not behind it, so that no line ends in any.
                segments.append(Segment(" " * (wanted - end)))
                segments += row[position]
                end = wanted + row_widths[position]
            wanted += widest[position] + _GAP
        segments.append(Segment.line())
    console.print(Segments(segments), end="")


def _columns(text: str) -> int:
    """Return how many columns a text takes: of ASCII, which most cells are, as many as it has characters."""
    return len(text) if text.isascii() else cell_len(text)


def _blocks(console: Console, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    widest = max(map(len, headings)) + _GAP
    for number, row in enumerate(rows):
        if number:
            console.print()
        for heading, segments in zip(headings, row, strict=True):
            if segments:
                text = Text.assemble(*((segment.text, segment.style or "") for segment in segments))
                say(console, text, lead=Text(heading.ljust(widest), _HEADING))


# --- progress ----------------------------------------------------------------------------------------


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
            self._progress.update(self._task, completed=done, total=total, description=printable(item))
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + _REDRAWN_EVERY
                self._progress.refresh()

    def finished(self, work: str) -> None:  # noqa: ARG002 - the event's own form
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None


@contextlib.contextmanager
def progress() -> Iterator[Reporter]:
    """Yield a reporter that shows its events in the terminal for the length of the body, on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = diagnostics()
    columns = (
        TextColumn("{task.fields[work]}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    # A dumb terminal cannot take back what a bar has drawn.
    silent = not console.is_interactive
    # Redrawn as events come, not by a thread of its own: a proof forks, which only a process with one thread may.
    with Progress(*columns, console=console, transient=True, disable=silent, auto_refresh=False) as bar:
        yield _Bar(bar)
