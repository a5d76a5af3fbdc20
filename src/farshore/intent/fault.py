"""A fault of one value, and how a value from the file is shown in its message."""

from __future__ import annotations

_LONGEST_SHOWN = 60


class FaultError(ValueError):
    """What is wrong with one value and what to write instead; whoever catches it knows the place."""

    def __init__(self, problem: str, fix: str) -> None:
        """Keep both halves of the message."""
        super().__init__(f"{problem}; {fix}")
        self.problem = problem
        self.fix = fix


def shown(text: str) -> str:
    """Return a piece of the file fit for a terminal: short, and without control characters."""
    clipped = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    if clipped.isprintable():
        return clipped
    return "".join(each if each.isprintable() else _escaped(each) for each in clipped)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
