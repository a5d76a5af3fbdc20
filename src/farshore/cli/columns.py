"""Columns of coloured text, as wide as their content and never wrapped: for screens, pipes and grep.

Takes the time of its cells only, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment, Segments
from rich.style import Style

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
