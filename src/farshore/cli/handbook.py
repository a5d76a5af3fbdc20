"""What farshore provides to other programs: a schema for editors, completion for shells, pages for ``man``."""

from __future__ import annotations

import datetime
import inspect
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from farshore import __version__
from farshore.cli.command import BAD_INPUT, Command, print_document
from farshore.errors import EXIT_YES, UsageError
from farshore.lookup import find

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    examples=("farshore schema > farshore.schema.json",),
    statuses={EXIT_YES: "printed"},
    epilog="""Where the first line of an intent file names the schema, an editor completes keys and marks errors:

\b
  # yaml-language-server: $schema=farshore.schema.json
""",
)
def schema() -> None:
    """Print the JSON Schema of the intent file, for editors.

    The schema is draft 2020-12, and is made from the models that read the file. It does not cover collisions of
    addresses, which farshore check does.
    """
    from farshore.intent.read.schema_models import json_schema

    print_document(json_schema())


@click.command(
    cls=Command,
    examples=(
        'eval "$(farshore completion bash)"',
        "farshore completion bash > ~/.local/share/bash-completion/completions/farshore",
        "farshore completion zsh > ~/.zfunc/_farshore",
        "farshore completion fish > ~/.config/fish/completions/farshore.fish",
    ),
    statuses={EXIT_YES: "printed", **BAD_INPUT},
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes farshore in SHELL.

    Commands, options, files, designs, profiles, labs and their nodes are completed. The first example is for the
    current shell, the others are for every later one.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has all of the shells
    root = context.find_root()
    program = root.info_name or "farshore"
    # Only the names go into the script: what completes is asked of the program at each key.
    click.echo(kind(root.command, {}, program, f"_{program.upper()}_COMPLETE").source())


@click.command(
    cls=Command,
    examples=(
        "farshore man | man -l -",
        "farshore man lab run | man -l -",
        "farshore man --into ~/.local/share/man/man1 && man farshore-check",
    ),
    statuses={EXIT_YES: "printed or written", **BAD_INPUT},
)
@click.argument("command", nargs=-1)
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="Write all pages into this directory.")
@click.pass_context
def man(context: click.Context, command: tuple[str, ...], into: Path | None) -> None:
    """Print the manual page of COMMAND, by default that of farshore.

    Pages are made from the help of the commands, in roff. With --into the pages of all commands are written to a
    directory, such as section 1 of a manual path: farshore.1, farshore-check.1, farshore-lab-run.1 and so on.
    """
    root = context.find_root()
    pages = dict(_pages(root.command, (root.info_name or "farshore",), None))
    if into is None:
        known = {" ".join(words[1:]): page for words, page in pages.items()}
        if command:
            known.pop("")
        click.echo(find(known, " ".join(command), "command"), nl=False)
        return
    if command:
        raise UsageError("--into writes the pages of all commands; omit COMMAND")
    try:
        into.mkdir(parents=True, exist_ok=True)
        for words, page in pages.items():
            (into / f"{'-'.join(words)}.1").write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write into {into}: {error.strerror}") from error


# --- manual pages ------------------------------------------------------------------------------------


def _pages(
    command: click.Command, words: tuple[str, ...], parent: click.Context | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the words that call each command, and its page."""
    context = command.make_context(words[-1], [], parent, resilient_parsing=True)
    yield words, "\n".join(_page(command, context, words)) + "\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            part = command.get_command(context, name)
            assert part is not None  # noqa: S101 - the group lists it
            yield from _pages(part, (*words, name), context)


def _page(command: click.Command, context: click.Context, words: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a page."""
    name, text = "-".join(words), inspect.cleandoc(command.help or "")
    first, _, rest = text.partition("\n\n")
    stamp = os.environ.get("SOURCE_DATE_EPOCH", "")
    today = datetime.datetime.now(datetime.UTC)
    date = datetime.datetime.fromtimestamp(int(stamp), datetime.UTC) if stamp.isdecimal() else today
    yield f'.TH {_escaped(name.upper())} 1 {date:%Y-%m-%d} "farshore {__version__}" "farshore manual"'
    yield ".SH NAME"
    sentence = first.replace("\n", " ").rstrip(".")
    yield f"{_escaped(name)} \\- {_escaped(sentence[0].lower() + sentence[1:])}"
    yield ".SH SYNOPSIS"
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"\\fB{_escaped(' '.join(words))}\\fR {_escaped(pieces)}"
    yield ".SH DESCRIPTION"
    yield from _paragraphs(f"{first}\n\n{rest}")
    records = [each.get_help_record(context) for each in command.get_params(context)]
    yield from _definitions("OPTIONS", [record for record in records if record is not None and record[1]])
    if isinstance(command, click.Group):
        parts = [(each, command.get_command(context, each)) for each in command.list_commands(context)]
        yield from _definitions("COMMANDS", [(n, p.get_short_help_str(200)) for n, p in parts if p is not None])
    if isinstance(command, Command):
        if command.epilog:
            yield ".SH NOTES"
            yield from _paragraphs(inspect.cleandoc(command.epilog))
        if command.examples:
            yield from (".SH EXAMPLES", ".nf", *map(_escaped, command.examples), ".fi")
        yield from _definitions("EXIT STATUS", [(str(status), says) for status, says in command.statuses.items()])
    if len(words) > 1:
        yield from (".SH SEE ALSO", f".BR {_escaped('-'.join(words[:-1]))} (1)")


def _definitions(heading: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    if rows:
        yield f".SH {heading}"
        for term, meaning in rows:
            yield from (".TP", f"\\fB{_escaped(term)}\\fR", _escaped(meaning))


def _paragraphs(text: str) -> Iterator[str]:
    """Yield paragraphs; one that begins with click's mark for it keeps its lines."""
    for number, paragraph in enumerate(filter(None, re.split(r"\n\s*\n", text.strip()))):
        if number:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield from (".nf", *(_escaped(line.strip()) for line in paragraph.splitlines()[1:]), ".fi")
        else:
            yield _escaped(" ".join(paragraph.split()))


def _escaped(text: str) -> str:
    """Return a text as roff takes it: with hyphens that can be copied, and nothing that it would obey."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
