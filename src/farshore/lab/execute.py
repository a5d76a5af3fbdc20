"""Run a program of the machine in a node of a lab."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Sequence
from typing import NoReturn

from farshore.errors import MachineError, UsageError
from farshore.lab.registry import Record
from farshore.machine import world as worlds
from farshore.machine.placement import namespace_name

NOT_FOUND = 127  # as a shell says it


def execute(record: Record, node: str, command: Sequence[str]) -> NoReturn:
    """Become the program, in the node's network, with this process's standard input and output.

    Exits as the program does. Raises UsageError where there is no such node or program, MachineError where
    the lab is gone.
    """
    if node not in record.nodes:
        near = difflib.get_close_matches(node, record.nodes, n=1)
        hint = f"did you mean {near[0]}?" if near else f"its nodes are {', '.join(record.nodes)}"
        raise UsageError(f"lab {record.name!r} has no node {node!r}; {hint}")
    program = shutil.which(command[0], path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if program is None:
        raise ProgramNotFoundError(f"{command[0]}: there is no such program on this machine")
    worlds.enter(record)
    ip = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if ip is None:
        raise MachineError("ip is not installed: run sudo apt-get install --yes iproute2")
    # "ip netns exec" also shows the node's own interfaces below /sys, where some programs look.
    os.execv(ip, [ip, "netns", "exec", namespace_name(node), program, *command[1:]])  # noqa: S606 - no shell is wanted


class ProgramNotFoundError(UsageError):
    """The program to run is not on this machine."""

    exit_status = NOT_FOUND
