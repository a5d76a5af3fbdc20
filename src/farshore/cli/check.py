"""``farshore check``: all errors of an intent file, in one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from farshore.cli.command import Command, complain, intent_file, json_option, print_document
from farshore.errors import EXIT_BAD_INPUT, EXIT_YES, counted, printable
from farshore.fix import choices_of

if TYPE_CHECKING:
    from farshore.errors import Diagnostic
    from farshore.fix import Choice, Edit
    from farshore.intent.model import Intent


@click.command(
    cls=Command,
    examples=(
        "farshore check examples/article.yaml",
        "farshore check examples/article.yaml --json | jq '.diagnostics[].fix'",
        "ssh gateway cat intent.yaml | farshore check -",
    ),
    statuses={EXIT_YES: "no errors, possibly warnings", EXIT_BAD_INPUT: "the file has errors"},
)
@intent_file()
@json_option()
@click.pass_context
def check(context: click.Context, file: Path, as_json: bool) -> None:
    """Check the intent in FILE and show all of its errors at once.

    Each error has its file, line and column, a code, the cause, and the fix. Besides keys and values the check covers
    overlaps of addresses, and whether the lake has enough addresses. FILE may be -, for standard input.
    """
    from farshore.cli.inputs import read_checked, shortened

    checked = read_checked(file)
    diagnostics, good = checked.diagnostics, not checked.errors
    if as_json:
        print_document({"ok": good, "diagnostics": [_entry(each) for each in diagnostics]})
    else:
        complain(map(str, shortened(diagnostics)))
        if good and checked.intent is not None:
            click.echo(printable(_summary(checked.intent)))
    context.exit(EXIT_YES if good else EXIT_BAD_INPUT)


def _entry(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "file": diagnostic.file,
        "line": diagnostic.position.line,
        "column": diagnostic.position.column,
        "code": str(diagnostic.code),
        "severity": str(diagnostic.severity),
        "problem": diagnostic.problem,
        "fix": diagnostic.fix,
        "choices": [_choice(each) for each in choices_of(diagnostic.fix) if each.edits],
    }


def _choice(choice: Choice) -> dict[str, Any]:
    """Return one way to fix a fault; a position in a path is that of an item of a list."""
    return {"says": str(choice), "edits": [_edit(edit) for edit in choice.edits]}


def _edit(edit: Edit) -> dict[str, Any]:
    parts = [part if isinstance(part, str) else {"line": part.line, "column": part.column} for part in edit.path]
    return {"do": type(edit).__name__.lower(), "path": parts, "value": edit.value}


def _summary(intent: Intent) -> str:
    tenants, services = counted(len(intent.tenants), "tenant"), counted(len(intent.provider.services), "service")
    return f"{intent.file}: valid: {tenants}, {services}, lake {intent.provider.lake.network}"
