"""``farshore lab apply``: a lab that is up, made what another intent says, by difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from farshore.cli.command import BAD_INPUT, MACHINE, Command, design_option, intent_file, json_option, print_document
from farshore.cli.console import output, progress, say
from farshore.design.names import DESIGN_NAMES
from farshore.errors import EXIT_NO, EXIT_YES, MachineError, counted, shell_word

if TYPE_CHECKING:
    from farshore.fabric.names import NodeName
    from farshore.machine.changes import Change

_MOST, _MOST_NAMED = 200, 5


@click.command(
    cls=Command,
    examples=(
        "farshore lab apply examples/article.yaml --dry-run",
        "farshore lab apply examples/article.yaml --name two",
        "farshore lab apply examples/article.yaml --json | jq '.changes | length'",
    ),
    statuses={
        EXIT_YES: "the lab is as FILE says; with --dry-run, nothing is to be done",
        EXIT_NO: "with --dry-run: there is something to be done",
        **BAD_INPUT,
        **MACHINE,
    },
)
@intent_file()
@design_option(DESIGN_NAMES)
@click.option("--name", metavar="N", help="Name of the lab; optional while there is only one.")
@click.option("--dry-run", is_flag=True, help="Show the changes and make none.")
@json_option()
def apply(file: Path, design: str | None, name: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Change a lab that is up to the intent in FILE, by difference.

    Every change is shown with its reason before it is made. What is not part of FILE is removed, and what other
    programs have changed in the lab's nodes is put right. Connections of tenants that FILE leaves as they are stand.
    """
    from farshore.cli.inputs import read_runnable
    from farshore.lab import reconcile
    from farshore.lab.registry import only

    built = read_runnable(file, design)
    entry = only(name)
    with reconcile.compared(entry, file, built.fabric) as pending:
        changes = pending.changes
        if not as_json:
            show(changes, entry.name, dry_run=dry_run)
        failures: Mapping[NodeName, str] = {}
        if not dry_run:
            with progress() as reporter:
                failures = pending.carry_out(reporter)
    if as_json:
        print_document(document(changes, failures, entry.name, dry_run=dry_run))
    elif changes and not dry_run and not failures:
        say(output(), f"lab {entry.name} is as {file} says")
    if failures:
        raise MachineError(refusals(failures, entry.name, file))
    raise SystemExit(EXIT_NO if dry_run and changes else EXIT_YES)


def show(changes: Sequence[Change], name: str, *, dry_run: bool) -> None:
    """Print every change with its reason, and a summary in numbers."""
    console = output()
    for change in changes[:_MOST]:
        say(console, str(change), lead="  ", indent=4)
    if len(changes) > _MOST:
        say(console, f"{counted(len(changes) - _MOST, 'more change')}; --json lists them all")
    if not changes:
        say(console, f"lab {name}: nothing to do")
        return
    kinds = ", ".join(f"{what} ({number:,})" for what, number in summary(changes).items())
    nodes = len({change.node for change in changes})
    will = "would be made" if dry_run else "to make"
    total = counted(len(changes), "change")
    say(console, f"lab {name}: {total} {will} in {counted(nodes, 'node')}: {kinds}", indent=2)


def summary(changes: Sequence[Change]) -> Counter[str]:
    """Return how often each thing is done, in the order in which it is first done."""
    return Counter(_kind(change) for change in changes)


def _kind(change: Change) -> str:
    # Of a server's port the words alone: "open 10.1.1.1 tcp/80" is one of many.
    opens, _, rest = change.what.partition(" ")
    return f"{opens} server port" if rest[:1].isdigit() else change.what


def refusals(failures: Mapping[NodeName, str], name: str, file: Path) -> str:
    """Return why nodes could not be changed, a line for each cause, and what to do then."""
    by_cause: dict[str, list[NodeName]] = {}
    for node, why in failures.items():
        by_cause.setdefault(why, []).append(node)
    lines = [
        why
        if len(nodes) == 1
        else f"{why} (so {counted(len(nodes), 'node')} are not changed: {', '.join(nodes[:_MOST_NAMED])})"
        for why, nodes in by_cause.items()
    ]
    nodes = f"{counted(len(failures), 'node')} {'is' if len(failures) == 1 else 'are'}"
    again = f"farshore lab apply {shell_word(str(file))} --name {name}"
    links = "its links may be missing at their far ends" if len(failures) == 1 else "their far ends may lack links"
    left = f"lab {name}: {nodes} not as {file} says, and {links}; all else is; then run again: {again}"
    return "\n".join([*lines, left])


def document(
    changes: Sequence[Change], failures: Mapping[NodeName, str], name: str, *, dry_run: bool
) -> dict[str, object]:
    """Return the changes for programs. ``done`` tells whether they have been made, ``failed`` where not and why."""
    return {
        "lab": name,
        "done": not dry_run and not failures,
        "failed": dict(failures),
        "summary": dict(summary(changes)),
        "changes": [{"node": each.node, "what": each.what, "reason": each.reason} for each in changes],
    }
