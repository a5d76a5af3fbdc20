"""What "lab exec" runs knows the node that it is in: by its hostname, and an interactive shell by its prompt."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import lab_life
import pytest

from farshore.lab.execute import hostname, prompt
from farshore.lab.registry import FOLDER_VARIABLE

ALICE = "customer-a/alice"
_PATIENCE = 60.0  # seconds, a safety net


@pytest.mark.parametrize(
    ("command", "terminal", "named"),
    [
        (["bash"], True, "PROMPT_COMMAND"),
        (["/bin/bash", "-l"], True, "PROMPT_COMMAND"),
        (["bash", "--login"], True, "PROMPT_COMMAND"),
        (["sh"], True, "PS1"),
        (["sh", "-i"], True, "PS1"),
        (["bash"], False, None),
        (["bash", "-c", "true"], True, None),
        (["bash", "script"], True, None),
        (["ping", "10.2.2.1"], True, None),
        (["fish"], True, None),
    ],
)
def test_only_interactive_shells_have_a_prompt(command: Sequence[str], terminal: bool, named: str | None) -> None:
    found = prompt(ALICE, command, terminal=terminal)
    assert list(found) == ([named] if named else [])
    assert all(ALICE in value for value in found.values())


def test_a_hostname_is_one_label_that_the_kernel_takes() -> None:
    assert hostname(ALICE) == "customer-a-alice"
    assert len(hostname(f"{'t' * 63}/{'h' * 63}")) == 64


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("standing") / "farshore" / "labs"
    made = lab_life.run(folder, "lab", "up", str(lab_life.ARTICLE))
    assert made.returncode == 0, made.stderr
    yield folder
    assert lab_life.run(folder, "lab", "down").returncode == 0


def at_a_terminal(labs: Path, home: Path, command: Sequence[str], typed: bytes) -> str:
    """Run a program in Alice's node at a terminal, type something, and return all that the terminal shows."""
    pid, terminal = pty.fork()
    if pid == 0:
        own = {FOLDER_VARIABLE: str(labs), "HOME": str(home), "TERM": "dumb"}
        words = [sys.executable, "-m", "farshore", "lab", "exec", ALICE, "--", *command]
        os.execve(sys.executable, words, os.environ | own)  # noqa: S606 - no shell is wanted
    os.write(terminal, typed)
    shown, end = b"", time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:
                break  # the program has ended
            shown += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    return shown.decode()


@pytest.mark.kernel
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_prompt_and_the_hostname_tell_the_node(standing: Path, tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    own = tmp_path / ".bashrc"
    own.write_text("PS1='mine> '\n")
    shown = at_a_terminal(standing, tmp_path, [shell], b"cat /proc/sys/kernel/hostname\nexit\n")
    assert f"({ALICE}) " in shown
    assert ("mine> " in shown) is (shell == "bash")
    assert "customer-a-alice\r\n" in shown
    assert own.read_text() == "PS1='mine> '\n"


@pytest.mark.kernel
def test_the_hostname_is_the_nodes_alone(standing: Path) -> None:
    before = os.uname().nodename
    done = lab_life.run(standing, "lab", "exec", ALICE, "--", "cat", "/proc/sys/kernel/hostname")
    assert done.stdout == "customer-a-alice\n"
    done = lab_life.run(
        standing, "lab", "exec", "customer-b/bill", "--", "sh", "-c", "echo ${PROMPT_COMMAND-none}; uname -n"
    )
    assert done.stdout == "none\ncustomer-b-bill\n"
    assert os.uname().nodename == before


@pytest.mark.kernel
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_reason_to_fail(standing: Path, closed: str) -> None:
    words = [sys.executable, "-m", "farshore", "lab", "exec", ALICE, "--", "sh", "-c", "exit 7"]
    script = f"exec {shlex.join(words)} {closed}"
    done = subprocess.run(["sh", "-c", script], env={**os.environ, FOLDER_VARIABLE: str(standing)}, check=False)
    assert done.returncode == 7
