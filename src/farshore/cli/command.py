"""What all commands have in common: help with examples and exit statuses, and the shared arguments.

The entry point imports this module for every command, also for one that ends at once: what only some functions need
is imported where they run.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from farshore.errors import EXIT_BAD_INPUT, EXIT_MACHINE, printable

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

# Stands for a hyphen while click fills lines: it would break names such as last-hop there.
_HYPHEN = "\ue000"
_SPACE = "\ue001"  # for a space likewise
_WHOLE = 200  # characters: no first sentence is cut
# By these variables rich takes what is no terminal for one.
_FORCED = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
BAD_INPUT = {EXIT_BAD_INPUT: "bad input: the file or the command line"}
MACHINE = {EXIT_MACHINE: "missing tool or permission; the message contains the fix"}


class Formatter(click.HelpFormatter):
    """Fills lines of help at spaces only, so that names and addresses stay whole."""

    def write(self, string: str) -> None:
        """Write a string as it is to be read."""
        super().write(string.replace(_HYPHEN, "-"))

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        super().write_text(text.replace("-", _HYPHEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms and what they mean."""
        kept = [(term, meaning.replace("-", _HYPHEN)) for term, meaning in rows]
        super().write_dl(kept, col_max, col_spacing)

    def write_command(self, line: str) -> None:
        """Write a command line, folded as a shell accepts it."""
        import textwrap

        indent = " " * self.current_indent
        fill = textwrap.TextWrapper(self.width - len(" \\"), break_long_words=False, break_on_hyphens=False)
        fill.initial_indent, fill.subsequent_indent = indent, f"{indent}    "
        # An option and its value stay together.
        glued = re.sub(r"(--[\w-]+) (?=[^-])", rf"\1{_SPACE}", line)
        self.write(" \\\n".join(fill.wrap(glued)).replace(_SPACE, " ") + "\n")


class Context(click.Context):
    """A command's context, whose help is filled by :class:`Formatter`."""

    formatter_class = Formatter


class Command(click.Command):
    """A command whose help ends with examples and exit statuses.

    ``examples`` are command lines, or comments that begin with ``#``; ``statuses`` say what each exit status means.
    """

    context_class = Context

    def __init__(
        self, *args: Any, examples: tuple[str, ...] = (), statuses: Mapping[int, str] | None = None, **attributes: Any
    ) -> None:
        """Keep the examples and the exit statuses."""
        super().__init__(*args, **attributes)
        self.examples = examples
        self.statuses = dict(statuses or {})

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples and exit statuses."""
        super().format_epilog(ctx, formatter)
        write_examples(formatter, self.examples, self.statuses)


class Group(Command, click.Group):
    """A group of such commands, with examples and exit statuses of its own."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command; for an unknown name the error contains the nearest one."""
        name, known = args[0] if args else "", self.list_commands(ctx)
        if name and not name.startswith("-") and name not in known:
            import difflib

            near = difflib.get_close_matches(name, known, n=1)
            ctx.fail(
                f"no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}")
            )
        return super().resolve_command(ctx, args)

    def sentences(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Return every command with the first sentence of its help."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        return [(name, command.get_short_help_str(_WHOLE)) for name, command in found if command is not None]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does."""
        with formatter.section("Commands"):
            formatter.write_dl(self.sentences(ctx))


def write_examples(formatter: click.HelpFormatter, examples: tuple[str, ...], statuses: Mapping[int, str]) -> None:
    """Write examples and exit statuses, where there are any."""
    assert isinstance(formatter, Formatter)  # noqa: S101 - every context of ours makes one
    if examples:
        with formatter.section("Examples"):
            for line in examples:
                formatter.write_command(line)
    if statuses:
        with formatter.section("Exit status"):
            formatter.write_dl([(str(status), meaning) for status, meaning in statuses.items()])


# --- errors and warnings -----------------------------------------------------------------------------


def complain(messages: Iterable[str]) -> None:
    """Print errors and warnings on stderr: a line each or, in a terminal, folded to its width.

    What they quote of files and of the command line is shown as :func:`printable` has it.
    """
    plain = sys.stderr.encoding.lower() == "utf-8" and not sys.stderr.isatty() and _FORCED.isdisjoint(os.environ)
    if plain:
        # What a program reads needs no console, which takes longer to load than most commands take to run.
        for message in messages:
            click.echo(printable(message), err=True)
        return
    from farshore.cli import console

    console.complain(messages)


# --- documents ---------------------------------------------------------------------------------------


def print_document(value: object) -> None:
    """Print a value as JSON, for programs, which read it as it is; a terminal is shown no control character of it."""
    import json

    # Where the output's encoding lacks a character, only its escape keeps it.
    text = json.dumps(value, indent=2, ensure_ascii=sys.stdout.encoding.lower() != "utf-8")
    if not text.replace("\n", "").isprintable():
        # Outside of strings JSON holds nothing but ASCII.
        text = "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)
        text = text.replace("\x7f", "\\u007f")
    click.echo(text)


# --- shared arguments and options --------------------------------------------------------------------


def _completing(names: Iterable[str]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    known = tuple(names)
    return lambda _context, _parameter, incomplete: [name for name in known if name.startswith(incomplete)]


def intent_file(name: str = "file") -> Callable[[Decorated], Decorated]:
    """Return the argument that names an intent file; ``-`` is standard input."""
    from pathlib import Path

    class IntentFile(click.Path):
        """A path; click takes an empty one, which a script's unset variable makes, for the current directory."""

        def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
            if not value:
                self.fail("the name of the file is empty; name an intent file, or - for standard input", param, ctx)
            return super().convert(value, param, ctx)

    return click.argument(name, type=IntentFile(path_type=Path, readable=False, allow_dash=True))


def design_option(designs: Iterable[str]) -> Callable[[Decorated], Decorated]:
    """Return the option ``--design``."""
    return click.option(
        "--design",
        metavar="D",
        shell_complete=_completing(designs),
        help=f"Design for all tenants: {', '.join(designs)}. Default: that of the intent.",
    )


def profile_option(profiles: Iterable[str]) -> Callable[[Decorated], Decorated]:
    """Return the option ``--profile``."""
    return click.option(
        "--profile",
        metavar="P",
        shell_complete=_completing(profiles),
        help=f"Order of operations of every NAT device: {', '.join(profiles)}. Default: each device's own.",
    )


def json_option() -> Callable[[Decorated], Decorated]:
    """Return the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
