"""Run a program of the machine in a node of a lab."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from farshore.errors import MachineError, UsageError, shell_word
from farshore.lab.record import Record
from farshore.lookup import near
from farshore.machine import namespace
from farshore.machine.namespace import namespace_name

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as a shell says it
_LONGEST_HOSTNAME = 64  # of Linux


def execute(record: Record, node: str, command: Sequence[str]) -> NoReturn:
    """Become the program, in the node's network, with this process's standard input and output.

    The program's hostname, and the prompt of an interactive shell, tell the node. Exits as the program does. Raises
    UsageError where there is no such node or program, MachineError where the lab is gone.
    """
    if node not in record.nodes:
        nearest = near(node, record.nodes)
        hint = f"did you mean {nearest[0]}?" if nearest else f"its nodes are {', '.join(record.nodes)}"
        raise UsageError(f"lab {record.name!r} has no node {node!r}; {hint}")
    program = shutil.which(command[0], path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if program is None:
        raise _unusable(command[0])
    variables = prompt(node, command, terminal=_at_terminal())
    record.world.enter(terminal=bool(variables))
    ip = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if ip is None:
        raise MachineError("ip is not installed: run sudo apt-get install --yes iproute2")
    namespace.unshare(namespace.CLONE_NEWUTS)
    socket.sethostname(hostname(node))
    # "ip netns exec" also shows the node's own interfaces below /sys, where some programs look.
    words = [ip, "netns", "exec", namespace_name(node), program, *command[1:]]
    os.execve(ip, words, os.environ | variables)  # noqa: S606 - no shell is wanted


def _at_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


class ProgramNotFoundError(UsageError):
    """The program to run is not on this machine."""

    exit_status = NOT_FOUND


class NotExecutableError(UsageError):
    """What is to run is no program."""

    exit_status = NOT_EXECUTABLE


def _unusable(program: str) -> UsageError:
    """Return why there is no such program; ``program`` is a name or, with a slash, a path."""
    path = Path(program)
    if "/" not in program or not path.exists():
        return ProgramNotFoundError(f"{program}: this program is not installed on this machine")
    if path.is_dir():
        return NotExecutableError(f"{program}: this is a directory; name a program")
    return NotExecutableError(f"{program}: this file is not executable; run: chmod +x {shell_word(program)}")


def hostname(node: str) -> str:
    """Return a node's hostname. It has no dot, so that a prompt's short form tells all of it."""
    return node.replace("/", "-")[:_LONGEST_HOSTNAME]


def prompt(node: str, command: Sequence[str], *, terminal: bool) -> Mapping[str, str]:
    """Return the environment variables by which the prompt of an interactive shell tells the node.

    Bash takes its prompt from the user's own files, and then runs PROMPT_COMMAND; other shells take PS1. A shell that
    runs a script or a command, or at no terminal, has no prompt, and gets no variables.
    """
    shell, options = Path(command[0]).name, command[1:]
    if not terminal or any(not option.startswith("-") or "c" in option.lstrip("-")[:1] for option in options):
        return {}
    if shell == "bash":
        return {"PROMPT_COMMAND": f"PS1={shlex.quote(f'({node}) ')}$PS1; unset PROMPT_COMMAND"}
    if shell in ("sh", "dash", "ash"):
        return {"PS1": f"({node}) {'#' if os.geteuid() == 0 else '$'} "}
    return {}
