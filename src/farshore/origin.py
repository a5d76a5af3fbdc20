"""The origin of a node: the line of the intent file that it is there for, for messages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A file as the intent's reader was given it, and a line of it, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        """Return ``FILE:LINE``."""
        return f"{self.file}:{self.line}"
