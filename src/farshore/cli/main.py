"""The command line's entrance: loads a command only when it is asked for, and turns errors into exits."""

from __future__ import annotations

import difflib
import importlib
import io
import os
import signal
import sys

import click

from farshore import __version__
from farshore.errors import EXIT_MACHINE, EXIT_YES, FarshoreError

# Command name → module and the command object in it. Nothing here is imported until it is needed.
COMMANDS = {
    "check": "farshore.cli.check:check",
    "designs": "farshore.cli.designs:designs",
    "diff": "farshore.cli.diff:diff",
    "demo": "farshore.cli.demo.command:demo",
    "lab": "farshore.cli.lab:lab",
    "plan": "farshore.cli.plan:plan",
    "prove": "farshore.cli.prove:prove",
    "schema": "farshore.cli.schema:schema",
    "walk": "farshore.cli.walk:walk",
}


_SIGNALLED = 128  # as a shell says it, and the signal's number added


class LazyGroup(click.Group):
    """A group of commands that are imported only when they run, so that the program starts at once."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import and return one command, None where there is none of that name."""
        if name not in COMMANDS:
            return None
        module_name, attribute = COMMANDS[name].split(":")
        command = getattr(importlib.import_module(module_name), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above names commands only
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command and, where there is none of that name, say which names are near."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            context.fail(f"no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(context, args)


# \b keeps click from filling the lines that follow.
EXIT_STATUSES = """\b
Exit status: 0 yes, 1 the honest answer is no, 2 bad input, 3 the machine cannot.
"""


@click.group(cls=LazyGroup, epilog=EXIT_STATUSES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="farshore")
def cli() -> None:
    """Let tenants with the same addresses reach a provider's shared services.

    One YAML file says who offers what and who uses it. farshore plans the addresses, translates twice
    over a lake of addresses that nobody else uses, and runs the result on Linux.
    """


def main() -> None:
    """Run the command line and exit with its status. Errors go to stderr, one line each."""
    for stream in (sys.stdout, sys.stderr):
        # An arrow that the terminal's encoding lacks is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    sys.exit(_status(sys.argv[1:]))


class EndedError(KeyboardInterrupt):
    """Somebody ended the program by a signal: it cleans up as it does when interrupted."""

    def __init__(self, number: int) -> None:
        """Keep the signal's number."""
        super().__init__(number)
        self.number = number


def _end(number: int, _frame: object) -> None:
    raise EndedError(number)


def _status(arguments: list[str]) -> int:
    try:
        with cli.make_context("farshore", arguments) as context:
            cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt) as ended:
        click.echo("interrupted", err=True)
        return _SIGNALLED + (ended.number if isinstance(ended, EndedError) else signal.SIGINT)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except FarshoreError as error:
        click.echo(str(error), err=True)
        return error.exit_status
    except BrokenPipeError:
        # The reader of our output has gone (as in "farshore plan FILE | head"), which is its good right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        click.echo(f"the machine refuses: {error}", err=True)
        return EXIT_MACHINE
    return EXIT_YES
