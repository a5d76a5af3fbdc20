from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli_program import REPOSITORY, farshore
from click.testing import CliRunner

from farshore import __version__
from farshore.cli import main as entrance
from farshore.cli.main import COMMANDS, cli
from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import BadInputError, Diagnostic, FarshoreError, MachineError, Position, UsageError

ARTICLE = str(REPOSITORY / "examples" / "article.yaml")
# What takes long to import, and what a command that does not need it must not wait for.
HEAVY = ("pydantic", "pyroute2", "rich", "yaml")


def all_commands() -> list[tuple[str, ...]]:
    """Return the words by which every command and group is called."""
    found: list[tuple[str, ...]] = [()]
    for name in COMMANDS:
        found.append((name,))
        command = cli.get_command(click.Context(cli), name)
        if isinstance(command, click.Group):
            found += [(name, each) for each in command.commands]
    return found


def ended(
    raised: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[object, str]:
    """Return the exit status and the last words of a program whose command raises this."""

    @click.command()
    def broken() -> None:
        raise raised

    monkeypatch.setattr(entrance, "cli", broken)
    monkeypatch.setattr(sys, "argv", ["farshore"])
    with pytest.raises(SystemExit) as exit_:
        entrance.main()
    out, err = capsys.readouterr()
    assert out == ""
    return exit_.value.code, err


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_help_teaches(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*words, "--help"])
    assert result.exit_code == 0
    _, examples, rest = result.stdout.partition("\nExamples:\n")
    assert f"  {' '.join(('farshore', *words))}" in rest, examples
    assert "\nExit status:\n" in rest
    assert "\\b" not in result.stdout
    usage, _, rest = result.stdout.partition("\n\n")
    assert usage.startswith("Usage: ")
    assert rest.strip()[0].isupper()


def test_help_has_a_short_name_everywhere(tmp_path: Path) -> None:
    for words in ((), ("lab",), ("lab", "run")):
        assert farshore(tmp_path, *words, "-h").stdout == farshore(tmp_path, *words, "--help").stdout != ""


def test_the_first_help_names_every_command_and_exit_status() -> None:
    told = CliRunner().invoke(cli, ["--help"]).stdout
    assert all(f"\n  {name} " in told for name in COMMANDS)
    statuses = ("0 yes", "1 check failed", "2 bad input", "3 missing tool or permission")
    assert all(words in " ".join(told.split()) for words in statuses)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_help_says_of_a_command_what_the_command_says(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help is not None
    assert " ".join(command.help.partition("\n\n")[0].split()) == COMMANDS[name][1]


def test_the_log_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    quiet = farshore(tmp_path, "check", ARTICLE)
    asked = farshore(tmp_path, "--log", "debug", "check", ARTICLE)
    by_environment = farshore(tmp_path, "check", ARTICLE, FARSHORE_LOG="debug")
    line = f"DEBUG farshore.cli: farshore {__version__}"
    assert line not in quiet.stderr
    assert line in asked.stderr
    assert line in by_environment.stderr
    assert quiet.stdout == asked.stdout == by_environment.stdout
    assert line not in farshore(tmp_path, "--log", "info", "check", ARTICLE).stderr


def test_version(tmp_path: Path) -> None:
    done = farshore(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"farshore, version {__version__}\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("dem",), "no command 'dem'; did you mean 'demo'?"),
        (("xyzzy",), "no command 'xyzzy'; known: check, "),
        (("lab", "stat"), "status"),
        (("plan",), "Missing argument 'FILE'"),
        (("plan", ARTICLE, "--jsn"), "--json"),
        (("lab", "run", ARTICLE, "--design", "lakes"), "no design 'lakes'; did you mean lake?"),
    ],
)
def test_a_wrong_command_line_is_bad_input(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    done = farshore(tmp_path, *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("raised", "status", "says"),
    [
        (FarshoreError("it differs"), 1, "it differs\n"),
        (UsageError("there is no lab"), 2, "there is no lab\n"),
        (MachineError("nft is not installed: run this"), 3, "nft is not installed: run this\n"),
        (
            BadInputError(
                (
                    Diagnostic("f.yaml", Position(2, 3), DiagnosticCode.SYNTAX, "bad", "fix"),
                    Diagnostic("f.yaml", Position(), DiagnosticCode.LAKE_IN_SHARED_SPACE, "b", "m"),
                )
            ),
            2,
            "f.yaml:2:3: error E0107: bad; fix\nf.yaml:1:1: warning W0301: b; m\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_how_errors_end(
    raised: BaseException,
    status: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, words = ended(raised, monkeypatch, capsys)
    assert (code, words.lstrip()) == (status, says)


def test_a_fault_of_our_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        ended(ZeroDivisionError(), monkeypatch, capsys)


def test_a_reader_that_goes_away_is_not_an_error_to_speak_of(tmp_path: Path) -> None:
    # More than a pipe holds, so that the program is still writing when nobody reads any more.
    command = [sys.executable, "-m", "farshore", "plan", str(REPOSITORY / "examples" / "ten-tenants.yaml"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert program.stderr.read() == b""


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_nothing_is_imported_before_it_is_needed(option: str) -> None:
    look = (
        f"import sys; from farshore.cli.main import cli; cli(['{option}'], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.split())


def with_streams(redirection: str, *arguments: str, labs: Path) -> subprocess.CompletedProcess[str]:
    """Run the program with the shell's redirection of its standard streams."""
    script = f'exec {shlex.join([sys.executable, "-m", "farshore"])} "$@" {redirection}'
    return subprocess.run(
        ["sh", "-c", script, "sh", *arguments],
        env={**os.environ, "FARSHORE_LABS": str(labs)},
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("check", ARTICLE), 0),
        (("plan", ARTICLE), 0),
        (("prove", ARTICLE), 0),
        (("walk", ARTICLE, "--from", "customer-a/alice", "--to", "portal"), 0),
        (("lab", "status"), 0),
        (("walk", ARTICLE, "--from", "customer-a/alice", "--to", "portal", "--design", "single-nat"), 1),
        (("plan", "missing.yaml"), 2),
        (("nonsense",), 2),
    ],
    ids=lambda value: " ".join(value)[:9] if isinstance(value, tuple) else None,
)
def test_closed_streams_change_no_exit_status(words: tuple[str, ...], status: int, closed: str, tmp_path: Path) -> None:
    done = with_streams(closed, *words, labs=tmp_path)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("plan", ARTICLE), ("check", ARTICLE, "--json"), ("--help",), ("man",)])
def test_output_to_a_full_disk_is_a_fault_of_the_machine(words: tuple[str, ...], tmp_path: Path) -> None:
    done = with_streams(">/dev/full", *words, labs=tmp_path)
    assert (done.returncode, done.stderr) == (3, "system error: [Errno 28] No space left on device\n")


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&1 >/dev/full"])
@pytest.mark.parametrize("words", [("plan", "missing.yaml"), ("nonsense",)])
def test_diagnostics_that_cannot_be_written_change_no_exit_status(
    words: tuple[str, ...], stderr: str, tmp_path: Path
) -> None:
    assert with_streams(stderr, *words, labs=tmp_path).returncode == 2


INTERRUPTED_WHILE_LOADING = """
import os, signal, sys
import farshore.__main__
signal.signal(signal.SIGINT, signal.default_int_handler)
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "farshore.cli.main":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
farshore.__main__.run()
"""


def test_an_interrupt_while_the_program_loads_leaves_no_traceback() -> None:
    command = [sys.executable, "-c", INTERRUPTED_WHILE_LOADING, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("command", ["check", "plan", "prove", "designs"])
def test_an_empty_name_of_a_file_is_named_as_such(command: str, tmp_path: Path) -> None:
    done = farshore(tmp_path, command, "")
    assert done.returncode == 2
    assert "the name of the file is empty; name an intent file, or - for standard input" in " ".join(
        done.stderr.split()
    )
