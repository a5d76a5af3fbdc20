"""What stands below the picture of a walk: its steps in words, its glitches, its notes."""

from __future__ import annotations

from collections.abc import Iterable

from farshore.walk.draw import svg
from farshore.walk.tell.journey import Direction, Step, Walk
from farshore.walk.tell.summary import Remark, glitch_heading, glitch_list, mark, notes, profile_says

WRONG = "#c00d2d"
_QUIET = "#5b6070"
_HEADINGS = {Direction.REQUEST: "request →", Direction.REPLY: "← reply"}
_SIZE = 13.5
_HEADING = 15
_NUMBER = 30  # room for a step's number
_BETWEEN = 26


def footer(walk: Walk, x: float, y: float, width: float) -> tuple[list[str], float]:
    """Return the words below a picture, and where they end."""
    drawn: list[str] = []
    column = (width - _BETWEEN) / 2
    ends = []
    for number, direction in enumerate(Direction):
        steps = [step for step in walk.steps if step.direction is direction]
        if steps:
            left = x + number * (column + _BETWEEN)
            drawn.append(svg.text(left, y, _HEADINGS[direction], _HEADING, bold=True))
            parts, end = _steps(walk, steps, left, y + 24, column)
            drawn += parts
            ends.append(end)
    y = max(ends)
    for heading, remarks in ((glitch_heading(walk), glitch_list(walk)), ("Notes", notes(walk))):
        if remarks:
            parts, y = _remarks(heading, remarks, x, y + 14, width)
            drawn += parts
    for number, sentence in enumerate(profile_says(walk)):
        parts, y = svg.paragraph(x, y + (14 if number == 0 else 0), sentence, _SIZE, width, fill=_QUIET)
        drawn += parts
    return drawn, y


def _steps(walk: Walk, steps: list[Step], x: float, y: float, width: float) -> tuple[list[str], float]:
    drawn: list[str] = []
    for step in steps:
        word = mark(walk, step)
        says = f"{step.at}: {step.action}" + (f" \N{EM DASH} {step.state}" if step.state else "")
        drawn.append(svg.text(x, y, f"{step.number}.", _SIZE, bold=True, fill=WRONG if word else "#1f2330"))
        parts, y = svg.paragraph(x + _NUMBER, y, f"{word}: {says}" if word else says, _SIZE, width - _NUMBER)
        drawn += parts
        y += 4
    return drawn, y


def _remarks(heading: str, remarks: Iterable[Remark], x: float, y: float, width: float) -> tuple[list[str], float]:
    drawn = [svg.text(x, y, heading, _HEADING, bold=True)]
    y += 22
    for remark in remarks:
        drawn.append(svg.text(x, y, f"[{remark.step}.]", _SIZE, bold=True))
        says = remark.says if remark.fix is None else f"{remark.says} Mend: {remark.fix}."
        parts, y = svg.paragraph(x + 40, y, says, _SIZE, width - 40)
        drawn += parts
        y += 4
    return drawn, y
