"""The intent file and its plan, for every command that needs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from farshore.errors import BadInputError, Diagnostic, Severity
from farshore.intent.load import load
from farshore.intent.model import Intent

if TYPE_CHECKING:
    from farshore.plan.model import Plan

# Whoever has made so many mistakes has made one mistake so many times.
MOST_SHOWN = 100


def read_intent(path: Path) -> Intent:
    """Return the intent of a file.

    Raises:
        BadInputError: The file has errors; it carries them. Warnings are for ``farshore check``.
    """
    loaded = load(path)
    if loaded.intent is None:
        raise BadInputError(shortened(errors(loaded.diagnostics)))
    return loaded.intent


def read_plan(path: Path) -> tuple[Intent, Plan]:
    """Return the intent of a file and its plan.

    Raises:
        BadInputError: The file has errors, or the addresses do not suffice.
    """
    from farshore.plan.allocate import allocate

    intent = read_intent(path)
    allocated = allocate(intent)
    if allocated.plan is None:
        raise BadInputError(shortened(errors(allocated.diagnostics)))
    return intent, allocated.plan


def errors(diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Return the errors alone."""
    return tuple(each for each in diagnostics if each.severity is Severity.ERROR)


def shortened(diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Return as many diagnostics as are worth reading at once, the last of them saying how many follow."""
    if len(diagnostics) <= MOST_SHOWN:
        return diagnostics
    following = diagnostics[MOST_SHOWN:]
    last = Diagnostic(
        following[0].file, following[0].position, f"{len(following):,} more follow from here", "fix the others first"
    )
    return (*diagnostics[:MOST_SHOWN], last)
