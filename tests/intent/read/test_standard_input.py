"""An intent on standard input, for ``-`` and ``/dev/stdin``: a pipe is read, and nothing fills the memory or hangs."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from test_intent_files import HEAD, limited

from farshore.intent.load import load

GOOD = f"{HEAD}    networks: [10.1.1.0/24]\n    services: [portal]\n"
VALID = "<stdin>: valid: 1 tenant, 1 service, lake 198.18.0.0/16\n"
NAMES = pytest.mark.parametrize("name", ["-", "/dev/stdin"])


def check(name: str, stdin: int | None, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run ``farshore check`` with a gibibyte of address space."""
    command = [sys.executable, "-m", "farshore", "check", name]
    keywords = {"input": given} if given is not None else {"stdin": stdin}
    return subprocess.run(command, capture_output=True, timeout=60, check=False, preexec_fn=limited, **keywords)


@NAMES
def test_a_pipe_is_read(name: str) -> None:
    done = check(name, None, GOOD.encode())
    assert (done.stdout.decode(), done.stderr.decode(), done.returncode) == (VALID, "", 0)


@NAMES
def test_a_file_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "intent.yaml").write_text(GOOD)
    with (tmp_path / "intent.yaml").open("rb") as file:
        done = check(name, file.fileno())
    assert (done.stdout.decode(), done.returncode) == (VALID, 0)


def test_a_named_fifo_may_be_standard_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    both = os.open(tmp_path / "fifo", os.O_RDWR)
    reading = os.open(tmp_path / "fifo", os.O_RDONLY)
    os.write(both, GOOD.encode())
    os.close(both)
    try:
        assert check("-", reading).stdout.decode() == VALID
    finally:
        os.close(reading)


def waits(process: subprocess.Popen[bytes], reading: int) -> bool:
    """Tell whether a process has read all that is in its pipe and waits for more, or has ended."""
    (unread,) = struct.unpack("i", fcntl.ioctl(reading, termios.FIONREAD, b"\0" * 4))
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0]
    return state == "Z" or (unread == 0 and state == "S")


def test_a_pipe_that_does_not_block_is_read_to_its_end() -> None:
    """A short read is not the end: the intent would be cut in the middle."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    command = [sys.executable, "-m", "farshore", "check", "-"]
    with subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for line in GOOD.splitlines(keepends=True):
                pipe.write(line.encode())
                while not waits(process, reading):
                    time.sleep(0.001)
        os.close(reading)
        output, errors = process.communicate(timeout=60)
    assert (output.decode(), errors.decode(), process.returncode) == (VALID, "", 0)


def test_diagnostics_call_it_stdin() -> None:
    done = check("-", None, GOOD.replace("[portal]", "[portel]").encode())
    assert done.stderr.decode() == (
        "<stdin>:11:16: error E0311: tenant customer-a: unknown service 'portel'; did you mean 'portal'?\n"
    )
    assert done.returncode == 2


def test_an_endless_pipe_is_read_up_to_the_largest_file() -> None:
    with subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE) as endless:
        assert endless.stdout is not None
        done = check("-", endless.stdout.fileno())
        endless.kill()
    problem = "<stdin>:1:1: error E0103: the file is too large: more than 32 MiB; keep an intent file below 32 MiB\n"
    assert (done.stderr.decode(), done.returncode) == (problem, 2)


def test_an_empty_pipe_is_an_empty_file() -> None:
    assert check("-", None, b"").stderr.decode().startswith("<stdin>:1:1: error E0106: the file is empty; ")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(device: str) -> None:
    with Path(device).open("rb") as file:
        done = check("-", file.fileno())
    fix = "pipe an intent file into it, or name a file"
    assert done.stderr.decode() == f"<stdin>:1:1: error E0102: standard input is a device; {fix}\n"
    assert done.returncode == 2


def test_closed_standard_input() -> None:
    command = ["sh", "-c", f"exec '{sys.executable}' -m farshore check - <&-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.startswith("<stdin>:1:1: error E0101: the file cannot be read: standard input is closed; ")
    assert done.returncode == 2


def test_the_stream_of_an_embedding_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    loaded = load(Path("-"))
    assert loaded.intent is not None
    assert loaded.intent.file == "<stdin>"
