"""The key of a signed header is a small regular file that other users cannot read, whatever its path leads to."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
from pathlib import Path

import lab_life
import pytest

import in_process
from farshore.errors import EXIT_BAD_INPUT, EXIT_MACHINE, MachineError, printable
from farshore.private_files import read_secret

KEY = bytes(range(32))  # a zero byte is as good as any other
SIZES = range(16, 4096 + 1)
MAKE = "make one: (umask 077; head -c 32 /dev/urandom > "
IS_ROOT = os.geteuid() == 0
ROUNDS = 2000


def read(path: Path) -> bytes:
    return read_secret(path, "the key of provider/news", SIZES)


def refusal(path: Path) -> str:
    with pytest.raises(MachineError) as raised:
        read(path)
    message = str(raised.value)
    assert message.startswith(f"the key of provider/news, {path}, ")
    return message


def made(path: Path, content: bytes = KEY, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("length", [16, 32, 4096])
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key(tmp_path: Path, length: int, mode: int) -> None:
    content = os.urandom(length)
    assert read(made(tmp_path / "key", content, mode)) == content


@pytest.mark.parametrize(
    ("length", "says"),
    [
        (0, "has 0 bytes of at least 16"),
        (1, "has 1 byte of at least 16"),
        (15, "has 15 bytes of at least 16"),
        (4097, "has more than 4,096 bytes"),
        (3_000_000, "has more than 4,096 bytes"),
    ],
)
def test_a_length_that_no_key_has(tmp_path: Path, length: int, says: str) -> None:
    path = made(tmp_path / "key", b"k" * length)
    assert refusal(path).endswith(f"{says}; {MAKE}{path})")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/proc/self/ns", "/dev/stdin"])
def test_what_is_no_regular_file(path: str) -> None:
    assert "is no regular file; make one: " in refusal(Path(path))


def test_a_fifo_makes_nobody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key", 0o600)
    assert "is no regular file; make one: " in refusal(tmp_path / "key")


def test_a_file_of_the_kernels_without_an_end_is_read_to_the_bound() -> None:
    path = Path("/proc/self/mem")
    assert "cannot be read" in refusal(path) or "more than" in refusal(path)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none").endswith(f"cannot be read (No such file or directory); {MAKE}{tmp_path}/none)")
    assert "cannot be read (its name contains a NUL character)" in refusal(tmp_path / "a\0b")
    assert "cannot be read (File name too long)" in refusal(tmp_path / ("k" * 300))
    assert "cannot be read (Not a directory)" in refusal(made(tmp_path / "key") / "inner")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o604, 0o601, 0o4610])
def test_a_key_that_is_open_to_others(tmp_path: Path, mode: int) -> None:
    path = made(tmp_path / "a key", mode=mode)
    message = refusal(path)
    assert message.endswith(f"is open to other users (mode {mode:04o}); run: chmod 600 '{path}'")
    subprocess.run(["sh", "-c", message.partition("run: ")[2]], check=True)
    assert read(path) == KEY


@pytest.mark.skipif(not IS_ROOT, reason="only root can make files of another user")
def test_a_key_of_another_user(tmp_path: Path) -> None:
    path = made(tmp_path / "key")
    os.chown(path, 65534, 65534)
    assert refusal(path).endswith(f"belongs to another user (uid 65534); run: sudo chown 0 {path}")


def test_links_as_kubernetes_makes_them_are_followed(tmp_path: Path) -> None:
    """A secret's file is a link to one in ``..data``, which is a link to the folder of the present version."""
    version = tmp_path / "..2026_11_25"
    version.mkdir()
    made(version / "key")
    (tmp_path / "..data").symlink_to(version.name)
    (tmp_path / "key").symlink_to("..data/key")
    assert read(tmp_path / "key") == KEY
    (version / "key").chmod(0o644)
    assert "is open to other users (mode 0644); run: chmod 600 " in refusal(tmp_path / "key")
    (tmp_path / "..data").unlink()
    (tmp_path / "..data").symlink_to("/dev")
    (tmp_path / "key").unlink()
    (tmp_path / "key").symlink_to("..data/zero")
    assert "is no regular file" in refusal(tmp_path / "key")


@pytest.mark.parametrize("how", ["links", "files"])
def test_no_race_has_another_file_read_than_was_examined(tmp_path: Path, how: str) -> None:
    """The path is that of the key and that of a file which is open to others, in turns and without a pause."""
    one, other = made(tmp_path / "secret"), made(tmp_path / "public", b"public" * 10, 0o644)
    if how == "links":
        (tmp_path / "one").symlink_to(one)
        (tmp_path / "other").symlink_to(other)
        one, other = tmp_path / "one", tmp_path / "other"
    found: set[bytes | bool] = set()
    with lab_life.exchanging(one, other):
        for _ in range(ROUNDS):
            try:
                found.add(read(one))
            except MachineError as error:
                found.add("is open to other users" in str(error))
    assert found == {KEY, True}


@pytest.mark.parametrize(
    "name", ["a b", "it's", "$(touch mine)", "`id`", "a\x1b]0;x\x07b", "\u202eb", "\udcff", "a\nb"]
)
def test_the_fix_makes_a_key_whatever_the_path(tmp_path: Path, name: str) -> None:
    message = refusal(tmp_path / name)
    fix = message.partition("make one: ")[2]
    assert fix.isprintable()
    assert printable(fix) == fix
    subprocess.run(["bash", "-c", fix], cwd=tmp_path, check=True)
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [os.fsencode(name)]
    assert len(read(tmp_path / name)) == 32
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_printable_path_is_quoted_as_any_shell_takes_it(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a b").endswith(f"{MAKE}{shlex.quote(str(tmp_path / 'a b'))})")


INTENT = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  services:
    news: {{address: 10.1.1.2, ports: [tcp/80], design: appliance, signed-header: {key}}}
tenants:
  customer-a: {{networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [news]}}
"""


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("/dev/zero", "the key of provider/news, /dev/zero, is no regular file"),
        ("fifo", "/fifo, is no regular file"),
        ("open", "/open, is open to other users (mode 0644); run: chmod 600 "),
        ("large", "/large, has more than 4,096 bytes"),
        ("none", "/none, cannot be read (No such file or directory)"),
        ("a\x1b]0;mine\x07", "/a\\x1b]0;mine\\x07' of a key file contains a control character"),
        ("a\0b", "a\\x00b' of a key file contains a control character"),
    ],
)
@pytest.mark.parametrize("command", ["run", "up"])
def test_no_lab_is_made_with_such_a_key(labs: Path, tmp_path: Path, key: str, says: str, command: str) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    made(tmp_path / "open", mode=0o644)
    made(tmp_path / "large", b"k" * 3_000_000)
    intent = tmp_path / "intent.yaml"
    intent.write_text(INTENT.format(key=json.dumps(key)), encoding="ascii")
    ended = in_process.run(["lab", command, str(intent)])
    assert ended.status == (EXIT_MACHINE if key.isprintable() else EXIT_BAD_INPUT)
    assert says.removeprefix("/") in ended.err
    assert ended.err.count("\n") == 1
    assert ended.err[:-1].isprintable()
    assert not labs.exists()
