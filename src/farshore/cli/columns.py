"""Columns of coloured text, as wide as their content and never wrapped: for screens, pipes and grep.

Takes the time of its cells only, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rich.segment import Segment, Segments
from rich.style import Style

GAP = "  "
HEADING = Style(bold=True)

Cell = tuple[Segment, ...]


def cell(text: str, style: str = "") -> Cell:
    """Return a cell of one style. Cells can be added together."""
    return (Segment(text, Style.parse(style) if style else None),)


def columns(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Segments:
    """Return a heading line and a line for each row; columns that are empty in all rows are left out."""
    widths = [max((_width(cell) for cell in column), default=0) for column in zip_longest(*rows, fillvalue=())]
    kept = [position for position, width in enumerate(widths) if width]
    widths = [max(width, len(heading)) for width, heading in zip(widths, headings, strict=True)]
    lines = [[(Segment(heading, HEADING),) for heading in headings], *rows]
    return Segments(segment for line in lines for segment in _line([line[position] for position in kept], kept, widths))


def _line(cells: Sequence[Cell], kept: Sequence[int], widths: Sequence[int]) -> Iterable[Segment]:
    """Yield the segments of a line, without blanks at its end."""
    blanks = ""
    for cell, position in zip(cells, kept, strict=True):
        if cell:
            if blanks:
                yield Segment(blanks)
            yield from cell
            blanks = ""
        blanks += " " * (widths[position] - _width(cell)) + GAP
    yield Segment.line()


def _width(cell: Cell) -> int:
    return sum(len(segment.text) for segment in cell)
