"""The entry point of the command line: it loads the command that runs, and turns errors into exit statuses."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from farshore import __version__
from farshore.cli.command import BAD_INPUT, MACHINE, Group, complain
from farshore.errors import EXIT_MACHINE, EXIT_NO, EXIT_YES, BadInputError, FarshoreError, printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Of each command: the module and the command object in it, and the first sentence of its help, which a test holds
# against the command's own. Nothing here is imported until it is needed, the first help and completion included.
COMMANDS = {
    "check": ("farshore.cli.check:check", "Check the intent in FILE and show all of its errors at once."),
    "completion": (
        "farshore.cli.handbook:completion",
        "Print the script that completes farshore in SHELL.",
    ),
    "demo": (
        "farshore.cli.demo.command:demo",
        "Run two hosts and a service with the same address in a lab.",
    ),
    "designs": ("farshore.cli.designs:designs", "Compare the designs for the intent in FILE."),
    "diff": ("farshore.cli.diff:diff", "Compare the intents OLD and NEW, and prove which tenants are unchanged."),
    "lab": ("farshore.cli.lab:lab", "Run a design on this machine, in network namespaces of its own."),
    "man": ("farshore.cli.handbook:man", "Print the manual page of COMMAND, by default that of farshore."),
    "plan": ("farshore.cli.plan:plan", "Show the address plan of the intent in FILE."),
    "prove": ("farshore.cli.prove:prove", "Prove for all packets that tenants reach their services and nothing else."),
    "schema": ("farshore.cli.handbook:schema", "Print the JSON Schema of the intent file, for editors."),
    "walk": ("farshore.cli.walk:walk", "Walk a packet and its reply through a design, step by step."),
}
PROGRAM = "farshore"
_COMPLETION = "_FARSHORE_COMPLETE"  # by click's rule the shell asks for completions through this variable
_LAST_STANDARD_STREAM = 2
_SIGNALLED = 128  # as a shell says it, and the signal's number added


class LazyGroup(Group):
    """A group of commands that are imported only when they run, so that the program starts at once."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import and return one command, None where there is none of that name."""
        if name not in COMMANDS:
            return None
        module_name, attribute = COMMANDS[name][0].split(":")
        command = getattr(importlib.import_module(module_name), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above names commands only
        return command

    def sentences(self, _context: click.Context) -> list[tuple[str, str]]:
        """Return every command with the first sentence of its help, without importing it."""
        return [(name, sentence) for name, (_, sentence) in sorted(COMMANDS.items())]

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands whose names begin so, or what completes an option."""
        if incomplete.startswith("-"):
            return super().shell_complete(context, incomplete)
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=sentence)
            for name, (_, sentence) in sorted(COMMANDS.items())
            if name.startswith(incomplete)
        ]


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    examples=(
        "farshore demo",
        "farshore check examples/article.yaml",
        "farshore walk examples/article.yaml --from customer-a/alice --to portal",
        "farshore prove examples/article.yaml",
    ),
    statuses={
        EXIT_YES: "yes",
        EXIT_NO: "check failed: something differs from the intent or the plan",
        **BAD_INPUT,
        **MACHINE,
    },
)
@click.version_option(__version__, prog_name=PROGRAM)
@click.option(
    "--log",
    type=click.Choice(["debug", "info", "warning", "error"]),
    envvar="FARSHORE_LOG",
    help="Write log messages of this level and above to stderr. Also set by FARSHORE_LOG.",
)
def cli(log: str | None) -> None:
    """Let tenants with the same addresses reach a provider's shared services.

    One YAML file, the intent, lists services and the tenants that use them. farshore plans the addresses, translates
    twice over a lake of addresses that no other network uses, proves the result, and runs it on Linux.
    """
    if log is not None:
        import logging

        from farshore.cli.console import LogFormatter

        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(level=log.upper(), handlers=[handler])
        logging.getLogger("farshore.cli").debug("farshore %s, Python %s", __version__, sys.version.split()[0])


def main() -> None:
    """Run the command line and exit with its status. Errors go to stderr, one line each."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # An arrow that the terminal's encoding lacks is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    if instruction := os.environ.get(_COMPLETION):
        sys.exit(_completed(instruction))
    status = _status(sys.argv[1:])
    _drop_unwritable()
    sys.exit(status)


def _open_closed_streams() -> None:
    """Put the null device where the caller has closed a standard stream, as some that start programs do.

    Otherwise the next file or socket that is opened would be taken for that stream.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _LAST_STANDARD_STREAM:
        pass
    os.close(descriptor)
    # Standard input stays None: the one command that reads it says that it is closed.
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as we live
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise


def _completed(instruction: str) -> int:
    """Print what completes the command line. Where that is unknown, print nothing: a message would stand in it."""
    from click.shell_completion import shell_complete

    try:
        return shell_complete(cli, {}, PROGRAM, _COMPLETION, instruction)
    except (FarshoreError, OSError, KeyboardInterrupt):
        return EXIT_YES


def _drop_unwritable() -> None:
    """Drop what a full disk or a reader that has gone leaves unwritten, or else Python complains and ends with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class EndedError(KeyboardInterrupt):
    """A signal ended the program: it cleans up as it does when interrupted."""

    def __init__(self, number: int) -> None:
        """Keep the signal's number."""
        super().__init__(number)
        self.number = number


def _end(number: int, _frame: object) -> None:
    raise EndedError(number)


def _status(arguments: list[str]) -> int:
    try:
        status = _invoked(arguments)
        sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt) as ended:
        with contextlib.suppress(OSError):  # the stream has no reader
            click.echo("interrupted", err=True)
        return _SIGNALLED + (ended.number if isinstance(ended, EndedError) else signal.SIGINT)
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            _show(error)
        return error.exit_code
    except FarshoreError as error:
        _print(map(str, error.diagnostics) if isinstance(error, BadInputError) else [str(error)])
        return error.exit_status
    except BrokenPipeError:
        return EXIT_YES  # the reader of our output has gone, as in "farshore plan FILE | head": no error
    except OSError as error:
        _print([f"system error: {error}"])
        return EXIT_MACHINE
    return status


def _show(error: click.ClickException) -> None:
    """Show an error of click's own, whose message quotes the command line."""
    click.UsageError(printable(error.format_message()), getattr(error, "ctx", None)).show()


def _invoked(arguments: list[str]) -> int:
    try:
        with cli.make_context(PROGRAM, arguments) as context:
            cli.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    return EXIT_YES


def _print(messages: Iterable[str]) -> None:
    with contextlib.suppress(OSError):  # the stream has no reader
        complain(messages)
