"""Files that cannot be intents: refused with a clear message, exit 2, no traceback, in little memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

GIBIBYTE = 1 << 30
HEAD = """version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  lake: 198.18.0.0/16
  services: {portal: {address: 10.1.1.1, ports: [tcp/443]}}
tenants:
  customer-a:
    presents: 10.2.2.0/28
"""
UNREADABLE = "1:1: error E0101: the file cannot be read: "
READABLE = "; name a file that exists and is readable"
EXAMPLE = "write an intent file, as docs/intent.md shows"
LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{y}: &{y} [*{x}, *{x}]\n" for x, y in zip("abcdefgh", "bcdefghi", strict=True)
)


def limited() -> None:
    """Leave a child process a gibibyte of address space."""
    resource.setrlimit(resource.RLIMIT_AS, (GIBIBYTE, GIBIBYTE))


def check(path: Path | str) -> subprocess.CompletedProcess[str]:
    """Run ``farshore check`` with a gibibyte of address space and not much time."""
    command = [sys.executable, "-m", "farshore", "check", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, preexec_fn=limited)


def refused(path: Path | str, *messages: str) -> None:
    """Expect these messages, word for word, each without the file's name before it."""
    done = check(path)
    said = done.stderr.splitlines()
    assert [message for message in messages if f"{path}:{message}" not in said] == []
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert done.returncode == 2


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)


FILES: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "50 MB": (
        lambda path: path.write_bytes(b"# " + b"x" * 50_000_000),
        ("1:1: error E0103: the file is too large: 48 MiB; keep an intent file below 32 MiB",),
    ),
    "sparse": (sparse, ("1:1: error E0103: the file is too large: 50 MiB; keep an intent file below 32 MiB",)),
    "binary": (
        lambda path: path.write_bytes(b"\x7fELF\x02\x01\x01\0\0"),
        (f"1:1: error E0104: the file is binary: it contains NUL bytes; {EXAMPLE}",),
    ),
    "not UTF-8": (
        lambda path: path.write_bytes(b"version: 1\nname: caf\xe9\n"),
        ("1:1: error E0104: the file is not UTF-8 text (byte 0xe9 in line 2); save it as UTF-8",),
    ),
    "UTF-16": (
        lambda path: path.write_bytes("version: 1\n".encode("utf-16")),
        ("1:1: error E0104: the file is UTF-16 text; save it as UTF-8",),
    ),
    "no file": (
        Path.exists,
        (f"{UNREADABLE}no such file or directory{READABLE}",),
    ),
    "directory": (Path.mkdir, ("1:1: error E0102: this is a directory; name the intent file in it",)),
    "FIFO": (
        os.mkfifo,
        ("1:1: error E0102: this is a pipe or a device, not a file; name a regular file, or - for standard input",),
    ),
    "link to itself": (
        lambda path: path.symlink_to(path),
        (f"{UNREADABLE}too many levels of symbolic links{READABLE}",),
    ),
    "endless device": (
        lambda path: path.symlink_to("/dev/zero"),
        ("1:1: error E0102: this is a pipe or a device, not a file; name a regular file, or - for standard input",),
    ),
    "aliases that expand without end": (
        lambda path: path.write_text(LAUGHS),
        (
            "1:4: error E0109: anchor '&a' is not supported; write the values out",
            "2:4: error E0109: anchor '&b' is not supported; write the values out",
            "2:8: error E0109: alias '*a' is not supported; write the values out",
            "2:12: error E0109: alias '*a' is not supported; write the values out",
        ),
    ),
    "an alias of itself": (
        lambda path: path.write_text("a: &a [*a]\n"),
        ("1:8: error E0109: alias '*a' is not supported; write the values out",),
    ),
    "brackets": (
        lambda path: path.write_text("[" * 5_000_000),
        ("1:17: error E0114: values are nested more than 16 levels deep; write the keys as docs/intent.md shows",),
    ),
    "braces": (
        lambda path: path.write_text("{" * 5_000_000),
        ("1:2: error E0112: a mapping cannot be a key; write a word before the ':'",),
    ),
    "nested items": (
        lambda path: path.write_text("- " * 2_000_000),
        ("1:33: error E0114: values are nested more than 16 levels deep; write the keys as docs/intent.md shows",),
    ),
    "a million values": (
        lambda path: path.write_text(f"{HEAD}    networks: [{'10.1.1.0/24,' * 1_000_000}]\n"),
        ("10:11999668: error E0115: the file contains more than 1,000,000 values; split the intent",),
    ),
    "half a million wrong values": (
        lambda path: path.write_text(f"{HEAD}    networks: [{'x,' * 500_000}]\n"),
        ("10:16: error E0210: tenant customer-a: networks: 'x' is not an IPv4 prefix; write one such as 10.1.1.0/24",),
    ),
    "a quarter of a million unknown keys": (
        lambda path: path.write_text(HEAD + "".join(f"    k{number}: 1\n" for number in range(250_000))),
        ("8:3: error E0201: tenant customer-a has no key 'networks'; add one, such as networks: [10.1.1.0/24]",),
    ),
    "a key of 30 MB": (
        lambda path: path.write_text(f"{HEAD}    ? {'k' * 30_000_000}\n    : 1\n"),
        (f"10:7: error E0113: key '{'k' * 60}…' has 30,000,000 characters; use at most 1024",),
    ),
    "a scalar of 30 MB": (
        lambda path: path.write_text(f"{HEAD}    networks: [{'1.' * 15_000_000}]\n"),
        (
            "10:16: error E0210: tenant customer-a: networks: '"
            + "1." * 30
            + "…' is not an IPv4 prefix; write one such as 10.1.1.0/24",
        ),
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_is_refused(kind: str, tmp_path: Path) -> None:
    make, messages = FILES[kind]
    path = tmp_path / "intent.yaml"
    make(path)
    refused(path, *messages)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/tty", "/proc/kmsg"])
def test_devices_neither_hang_nor_fill_memory(device: str) -> None:
    if not Path(device).exists():
        pytest.skip(f"there is no {device} here")
    done = check(device)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{device}:")
    assert "Traceback" not in done.stderr


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\n.yaml"
    Path(os.fsdecode(path)).write_text("version: 1\n")
    command = [os.fsencode(sys.executable), b"-m", b"farshore", b"check", path]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert b"has no key 'provider'" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "intent.yaml"
    path.write_text("version: 1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    refused(path, f"{UNREADABLE}permission denied{READABLE}")


def test_a_hundred_errors_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "intent.yaml"
    path.write_text(f"{HEAD}    networks:\n" + "      - x\n" * 250)
    lines = check(path).stderr.splitlines()
    assert len(lines) == 101
    assert lines[-1] == f"{path}:111:9: error E0001: 150 more follow from here; fix the others first"
