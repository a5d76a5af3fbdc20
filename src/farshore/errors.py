"""Diagnostics, which are values, and the one exception tree, which is for the edge.

A stage that finds fault with its input returns :class:`Diagnostic` values, all of them at once.
Only the edge (a command, the lab) turns them into an exception and an exit status.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

EXIT_YES = 0
EXIT_NO = 1
EXIT_BAD_INPUT = 2
EXIT_MACHINE = 3


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
    """One fault of an input: where it is, what is wrong, and what to write instead."""

    file: str
    position: Position
    problem: str
    fix: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        """Return ``file:line:column: what is wrong; what to write instead``."""
        warning = "warning: " if self.severity is Severity.WARNING else ""
        return f"{self.file}:{self.position.line}:{self.position.column}: {warning}{self.problem}; {self.fix}"


class FarshoreError(Exception):
    """Root of everything that farshore raises on purpose; carries the exit status of the command."""

    exit_status = EXIT_NO


class BadInputError(FarshoreError):
    """The input cannot be used. Carries every diagnostic that was found."""

    exit_status = EXIT_BAD_INPUT

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        """Keep the diagnostics; the message is all of them, a line each."""
        super().__init__("\n".join(str(diagnostic) for diagnostic in diagnostics))
        self.diagnostics = diagnostics


class UsageError(FarshoreError):
    """The command line asks for something that is not there, such as an unknown node or lab."""

    exit_status = EXIT_BAD_INPUT


class MachineError(FarshoreError):
    """This machine cannot do it: a tool or a right is missing. The message names the fix."""

    exit_status = EXIT_MACHINE
