"""Input of commands: the intent file, taken through the pipeline as far as the command needs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from farshore.cli.command import complain
from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import BadInputError, Diagnostic
from farshore.intent.load import load
from farshore.pipeline import stages

if TYPE_CHECKING:
    from farshore.pipeline.stages import Built, Checked, Planned

# More errors than these come from a few mistakes, repeated.
MOST_SHOWN = 100


def read_checked(path: Path) -> Checked:
    """Read an intent file and return every diagnostic."""
    return stages.check(load(path))


def read_planned(path: Path) -> Planned:
    """Return the intent of a file and its plan.

    Raises:
        BadInputError: The file has errors, or the addresses do not suffice. Warnings are for ``farshore check``.
    """
    checked = read_checked(path)
    if checked.errors:
        raise BadInputError(shortened(checked.errors))
    return checked.planned


def read_built(path: Path, design: str | None) -> Built:
    """Return the fabric of a file by one design, or with None by those that it asks for.

    What the design cannot carry goes to standard error.

    Raises:
        BadInputError: The file has errors.
        UsageError: There is no such design.
    """
    built = stages.build(read_planned(path), design)
    for each in built.uncarried:
        where = f"{each.file}:{each.position.line}:{each.position.column}"
        complain([f"{where}: not carried ({each.code}): {each.problem}; {each.fix}"])
    return built


def read_runnable(path: Path, design: str | None) -> Built:
    """Return the same for a fabric that is to run.

    Raises:
        BadInputError: The file has errors, or the design cannot carry all of it.
        UsageError: There is no such design.
    """
    return stages.build(read_planned(path), design).runnable


def shortened(diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Return as many diagnostics as are worth reading at once, the last of them saying how many follow."""
    if len(diagnostics) <= MOST_SHOWN:
        return diagnostics
    following = diagnostics[MOST_SHOWN:]
    first, code = following[0], DiagnosticCode.MORE_FOLLOW
    last = Diagnostic(
        first.file, first.position, code, f"{len(following):,} more follow from here", "fix the others first"
    )
    return (*diagnostics[:MOST_SHOWN], last)
