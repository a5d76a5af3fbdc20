"""Doing something to a lab from within, as a fault would."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from farshore.lab.record import Record


def inside(record: Record, node: str, *command: str) -> None:
    """Run a program in a node of a lab and wait for its end."""
    program = [sys.executable, "-m", "farshore", "lab", "exec", "--name", record.name, node, "--", *command]
    subprocess.run(program, check=True)


LISTEN = """
import socket, time
s = socket.socket(); s.bind(("0.0.0.0", {port})); s.listen(); print("listens", flush=True); time.sleep(600)
"""


@contextlib.contextmanager
def listening(record: Record, node: str, port: int) -> Iterator[None]:
    """Have another program listen in a node of a lab while the body runs."""
    command = ["python3", "-c", LISTEN.format(port=port)]
    program = [sys.executable, "-m", "farshore", "lab", "exec", "--name", record.name, node, "--", *command]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "listens\n"
            yield
        finally:
            running.kill()
