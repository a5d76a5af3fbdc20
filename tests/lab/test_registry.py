"""Where a lab is known: folder, lock and record."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farshore.errors import MachineError, UsageError
from farshore.lab import registry
from farshore.lab.record import Record
from farshore.lab.registry import Root, all_entries, claimed, clear_remains, only
from farshore.machine.world import start_time
from farshore.private_files import PrivateFolder

RECORD = Record("mine", 1, 2, os.geteuid(), "lake", "/intent.yaml", "2026-01-01T00:00:00+00:00", ("customer-a/alice",))


def test_a_record_comes_back_as_it_was(labs: Path) -> None:
    with claimed("mine") as (here, _):
        assert here.folder == labs / "mine"
        assert here.read() is None
        here.write(RECORD)
        assert here.read() == RECORD
        here.write(replace(RECORD, pid=7))
        assert here.read() == replace(RECORD, pid=7)
        assert {path.name for path in here.folder.iterdir()} == {"lock", "lab.json"}


def test_a_folder_is_its_users_alone(labs: Path) -> None:
    with claimed("mine") as (here, _):
        assert here.folder.stat().st_mode & 0o777 == 0o700
    assert labs.exists()


def test_what_is_claimed_is_claimed_once(labs: Path) -> None:
    with claimed("mine") as (here, _):
        assert here.is_locked()
        with pytest.raises(UsageError, match="up already"), claimed("mine"):
            pass
        with claimed("yours") as (other, _):
            assert [each.name for each in all_entries()] == ["mine", "yours"]
        other.erase()
    assert not here.is_locked()
    here.erase()
    assert not labs.exists()


def test_the_lock_outlives_whoever_gave_it_away(labs: Path) -> None:
    with claimed("mine") as (here, lock):
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=(lock,)
        )
    assert here.is_locked()
    child.communicate()
    assert not here.is_locked()
    assert labs.exists()


def test_only_one_lab_needs_no_name(labs: Path) -> None:
    with pytest.raises(UsageError, match="no lab exists; create one"):
        only(None)
    with claimed("one"):
        assert only(None).name == "one"
        with claimed("two"), pytest.raises(UsageError, match="several labs exist; select one with --name: one, two"):
            only(None)
    with pytest.raises(UsageError, match="no lab 'three'; known: one, two"):
        only("three")
    assert labs.exists()


def test_a_folder_that_is_none_is_not_used(labs: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    labs.parent.mkdir(parents=True)
    labs.symlink_to(elsewhere)
    with pytest.raises(MachineError, match="labs is a symbolic link of this user; set FARSHORE_LABS"), claimed("mine"):
        pass
    assert list(elsewhere.iterdir()) == []
    shutil.rmtree(elsewhere)
    labs.unlink()


def test_a_process_started_when_it_started() -> None:
    mine = start_time(os.getpid())
    assert mine is not None
    assert replace(RECORD, pid=os.getpid(), started=mine).is_up
    assert not replace(RECORD, pid=os.getpid(), started=mine + 1).is_up


def test_a_process_with_a_difficult_name_has_its_time_too(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to(sys.executable)
    with subprocess.Popen([program, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        started = start_time(process.pid)
        mine = start_time(os.getpid())
        assert started is not None
        assert mine is not None
        assert started >= mine
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert start_time(process.pid) is None  # it is a zombie, which is dead
    assert start_time(process.pid) is None


def test_a_lab_that_ends_at_the_same_moment_takes_no_folder_from_another(
    labs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open, removed = PrivateFolder.open, []

    def lose_and_open(folder: PrivateFolder, name: str, flags: int) -> int:
        if name == "lock" and len(removed) < 3:
            removed.append(folder.path)
            shutil.rmtree(labs.parent if len(removed) == 1 else folder.path)
        return really_open(folder, name, flags)

    monkeypatch.setattr(PrivateFolder, "open", lose_and_open)
    with claimed("mine") as (here, _):
        assert len(removed) == 3
        assert here.is_locked()


def test_a_lock_that_went_with_its_lab_is_not_held(labs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, lost = fcntl.flock, []

    def lose_and_lock(descriptor: int, how: int) -> None:
        if not lost:
            lost.append(descriptor)
            shutil.rmtree(labs / "mine")
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", lose_and_lock)
    with claimed("mine") as (here, _):
        assert lost
        assert here.is_locked()
        assert all_entries() == (here,)


def test_a_folder_that_can_never_be_is_not_tried_for_ever(labs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labs.parent.mkdir(parents=True, exist_ok=True)
    labs.write_text("a file")
    with pytest.raises(MachineError, match="set FARSHORE_LABS to a writable directory"), claimed("mine"):
        pass
    monkeypatch.setenv("FARSHORE_LABS", "/proc/none/labs")
    with pytest.raises(MachineError, match="No such file or directory; set FARSHORE_LABS"), claimed("mine"):
        pass
    labs.unlink()


def test_erasing_leaves_a_folder_that_has_been_claimed_anew(labs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really_remove, removed = PrivateFolder.remove, []

    def remove_and_claim(folder: PrivateFolder, name: str) -> None:
        really_remove(folder, name)
        removed.append(name)
        if name == "lock":
            (folder.path / name).touch(mode=0o600)  # of the next lab of this name

    with claimed("mine") as (here, _):
        here.write(RECORD)
        os.close(here.open_log())
        monkeypatch.setattr(PrivateFolder, "remove", remove_and_claim)
        assert here.erase_locked() == ()
        monkeypatch.undo()
    assert removed[-1] == "lock"
    assert [path.name for path in (labs / "mine").iterdir()] == ["lock"]


def test_nothing_is_erased_while_another_command_holds_the_lock(labs: Path) -> None:
    with claimed("mine") as (here, _):
        here.write(RECORD)
        assert here.erase() == ()
        assert here.read() == RECORD
    here.erase()
    assert not labs.exists()


CALLS = ("open", "mkdir", "rename", "unlink", "rmdir", "close")


def life_of_a_command() -> None:
    """Do what a command does with the folder of its lab, from the first to the last."""
    with claimed("mine") as (here, _):
        os.close(here.open_log())
        here.write(RECORD)
        here.write(replace(RECORD, pid=7))
        here.erase_locked()


def killed_at(number: int) -> bool:
    """Run that in a process which is killed in front of so many calls of the system; tell whether it was."""
    pid = os.fork()
    if pid == 0:
        left = [number]

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def counting(*arguments: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **named)

            return counting

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        life_of_a_command()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("own", [1, 2])
def test_a_command_that_is_killed_anywhere_leaves_nothing_that_the_next_does_not_clear(
    labs: Path, monkeypatch: pytest.MonkeyPatch, own: int
) -> None:
    monkeypatch.setattr(registry, "root", lambda: Root(labs, own))
    left: set[tuple[str, ...]] = set()
    number = 1
    while killed_at(number):
        left.add(tuple(sorted(path.name for path in labs.glob("mine/*"))))
        clear_remains()
        assert all_entries() == ()
        if own == 1 and labs.exists():  # an empty folder of the user's choice may be the user's
            assert [list(path.iterdir()) for path in labs.iterdir()] in ([], [[]])
            shutil.rmtree(labs)
        assert not labs.exists()
        number += 1
    assert number > 50
    assert {(), ("lock",), ("lab.json", "lock", "log"), ("lab.json", "lab.json.new", "lock", "log")} <= left
    assert not labs.exists()


def test_what_may_be_the_users_own_is_not_cleared_away(labs: Path) -> None:
    """In a folder that FARSHORE_LABS names."""
    for name in ("empty", "with-a-file", "lab-with-a-file"):
        (labs / name).mkdir(parents=True, mode=0o700)
    for file in ("with-a-file/diary", "lab-with-a-file/lock", "lab-with-a-file/diary"):
        (labs / file).touch(mode=0o600)
    with claimed("mine") as (here, _):
        here.write(replace(RECORD, stays=True))
    before = sorted(labs.rglob("*"))
    clear_remains()
    assert sorted(labs.rglob("*")) == before
    assert [each.name for each in all_entries()] == ["lab-with-a-file", "mine"]
    shutil.rmtree(labs)
