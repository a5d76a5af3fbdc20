"""Diagnostics, which are values, and the one exception tree, which is for the edge.

A stage that refuses its input returns :class:`Diagnostic` values, all of them at once.
Only the edge (a command, the lab) turns them into an exception and an exit status.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum

from farshore.diagnostic_codes import DiagnosticCode

EXIT_YES = 0
EXIT_NO = 1
EXIT_BAD_INPUT = 2
EXIT_MACHINE = 3
# Of a longer piece of the input a message shows the beginning.
_LONGEST_SHOWN = 60


class Severity(StrEnum):
    """Whether a diagnostic stops the work."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file, both numbers counted from 1, columns in characters."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault of an input: where it is, of which kind, what is wrong, and what to write instead."""

    file: str
    position: Position
    code: DiagnosticCode
    problem: str
    fix: str

    def __str__(self) -> str:
        """Return ``file:line:column: error E0123: problem; fix``, in one line that any terminal may show."""
        line, column = self.position.line, self.position.column
        return printable(f"{self.file}:{line}:{column}: {self.severity} {self.code}: {self.problem}; {self.fix}")

    @property
    def severity(self) -> Severity:
        """Return whether it stops the work, as its code says."""
        return Severity.WARNING if self.code.number.startswith("W") else Severity.ERROR


def printable(text: str) -> str:
    """Return a text as any terminal may show it, in one line: what is not printable is escaped as in Python.

    That is every control character, ESC and newlines among them, what changes the direction of writing, and the
    surrogates that stand for bytes of file names which are not UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def shown(text: str) -> str:
    """Return a piece of an input as a message can show it: short, and :func:`printable`."""
    return printable(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")


def shell_word(text: str) -> str:
    """Return a text as one word of a command line that a shell takes as it is meant, and a terminal may show.

    What is not printable is written byte by byte in dollar-single-quotes (POSIX.1-2024, XCU 2.2.4).
    """
    if text.isprintable():
        import shlex

        return shlex.quote(text)
    named = {"\\": "\\\\", "'": "\\'"}
    escaped = (
        named.get(each, each) if each.isprintable() else "".join(f"\\{byte:03o}" for byte in os.fsencode(each))
        for each in text
    )
    return f"$'{''.join(escaped)}'"


def counted(count: int, noun: str) -> str:
    """Return ``1 address`` or ``4,128,768 addresses``."""
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{ending}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class FarshoreError(Exception):
    """Root of all exceptions that farshore raises on purpose; carries the exit status of the command."""

    exit_status = EXIT_NO


class BadInputError(FarshoreError):
    """The input cannot be used. Carries every diagnostic that was found."""

    exit_status = EXIT_BAD_INPUT

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        """Keep the diagnostics; the message is all of them, a line each."""
        super().__init__("\n".join(str(diagnostic) for diagnostic in diagnostics))
        self.diagnostics = diagnostics


class UsageError(FarshoreError):
    """The command line names something that does not exist, such as an unknown node or lab."""

    exit_status = EXIT_BAD_INPUT


class MachineError(FarshoreError):
    """The machine lacks a tool, a permission or a kernel feature. The message names the fix."""

    exit_status = EXIT_MACHINE
