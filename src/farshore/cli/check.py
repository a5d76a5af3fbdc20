"""``farshore check``: every fault of an intent file, in one run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from farshore.cli.inputs import read_checked, shortened
from farshore.errors import EXIT_BAD_INPUT, EXIT_YES, Diagnostic, counted
from farshore.intent.model import Intent

# \b keeps click from filling the lines that follow.
EXAMPLE = """\b
Example:
  farshore check examples/article.yaml
  farshore check examples/article.yaml --json | jq '.diagnostics[].fix'
  ssh management cat estate.yaml | farshore check -

\b
Exit status: 0 no errors, perhaps warnings, 2 the file has errors.
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for programs.")
@click.pass_context
def check(context: click.Context, file: Path, as_json: bool) -> None:
    """Check the intent in FILE, or on standard input for -, and show all of its errors at once.

    Each error is one line: file:line:column: error code: problem; fix. Besides keys and values, it
    checks for every overlap of addresses that would break a packet, and for too few addresses.
    """
    checked = read_checked(file)
    diagnostics, good = checked.diagnostics, not checked.errors
    if as_json:
        click.echo(json.dumps({"ok": good, "diagnostics": [_entry(each) for each in diagnostics]}, indent=2))
    else:
        for each in shortened(diagnostics):
            click.echo(str(each), err=True)
        if good and checked.intent is not None:
            click.echo(_summary(checked.intent))
    context.exit(EXIT_YES if good else EXIT_BAD_INPUT)


def _entry(diagnostic: Diagnostic) -> dict[str, str | int]:
    return {
        "file": diagnostic.file,
        "line": diagnostic.position.line,
        "column": diagnostic.position.column,
        "code": str(diagnostic.code),
        "severity": str(diagnostic.severity),
        "problem": diagnostic.problem,
        "fix": diagnostic.fix,
    }


def _summary(intent: Intent) -> str:
    tenants, services = counted(len(intent.tenants), "tenant"), counted(len(intent.provider.services), "service")
    return f"{intent.file}: good: {tenants}, {services}, lake {intent.provider.lake.network}"
