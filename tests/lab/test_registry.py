"""Where a lab is known: folder, lock and record."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from farshore.errors import MachineError, UsageError
from farshore.lab.registry import Record, all_entries, claimed, only
from farshore.machine.world import start_time

RECORD = Record("mine", 1, 2, "lake", "/intent.yaml", "2026-01-01T00:00:00+00:00", ("customer-a/alice",))


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
    with pytest.raises(MachineError, match="belongs to another user"), claimed("mine"):
        pass
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
