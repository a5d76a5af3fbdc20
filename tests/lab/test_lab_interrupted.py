"""What stands in a lab's way, or cuts it off, leaves nothing and is told with its cause."""

from __future__ import annotations

import signal
from pathlib import Path

import lab_life
import pytest
from lab_life import ARTICLE

from farshore.errors import EXIT_MACHINE, EXIT_NO
from farshore.lab.registry import FOLDER_VARIABLE

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"name": 1}'])
def test_a_broken_record_hides_no_other_lab_and_can_be_taken_down(labs: Path, content: str) -> None:
    broken = labs / "broken"
    broken.mkdir(parents=True)
    (broken / "lab.json").write_text(content)
    (broken / "lab.json").chmod(0o600)
    status = lab_life.run(labs, "lab", "status")
    assert (status.returncode, status.stdout) == (EXIT_MACHINE, "")
    assert status.stderr.startswith(f"{broken}/lab.json is no record of a lab: ")
    assert status.stderr.endswith("; remove it with: farshore lab down --name broken\n")
    assert lab_life.run(labs, "lab", "down").returncode == 0
    assert not labs.exists()


def test_down_ends_a_lab_that_is_being_made(labs: Path) -> None:
    with lab_life.start(labs, "lab", "up", str(ARTICLE), "--name", "early") as making:
        lab_life.until(lambda: making.poll() is not None or (labs / "early").exists())
        down = lab_life.run(labs, "lab", "down", "--name", "early")
        _, complained = making.communicate(timeout=lab_life.PATIENCE)
    if lab_life.LACKING in complained:
        pytest.skip(complained.strip())
    assert (down.returncode, down.stdout) == (0, "lab early is down\n")
    assert lab_life.until(lambda: not lab_life.processes(labs))
    assert not labs.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_cleanly(labs: Path, number: signal.Signals) -> None:
    with lab_life.start(labs, "lab", "up", str(ARTICLE)) as making:
        lab_life.until(lambda: making.poll() is not None or lab_life.runs(labs, "farshore.lab.lab_init"))
        making.send_signal(number)
        _, complained = making.communicate(timeout=lab_life.PATIENCE)
    if lab_life.LACKING in complained:
        pytest.skip(complained.strip())
    assert making.returncode == 128 + number
    assert "Traceback" not in complained
    assert lab_life.until(lambda: not lab_life.processes(labs))
    assert not labs.exists()


@pytest.mark.parametrize("folder", ["/proc/nope", "/dev/null/nope"])
def test_a_folder_that_cannot_be_made_is_reported_with_the_fix(folder: str) -> None:
    done = lab_life.run(Path(folder), "lab", "up", str(ARTICLE))
    assert done.returncode == EXIT_MACHINE
    assert done.stderr.strip().endswith(f"set {FOLDER_VARIABLE} to a writable directory")


def test_no_option_of_a_packet_carries_an_address_across(labs: Path) -> None:
    """Record route (RFC 791) has every router write its address where no translation looks."""
    assert lab_life.run(labs, "lab", "up", str(ARTICLE)).returncode == 0
    ping = ("lab", "exec", "customer-a/alice", "--", "ping", "-c1", "-W1", "10.2.2.1")
    assert lab_life.run(labs, *ping).returncode == 0
    recorded = lab_life.run(labs, *ping[:-1], "-R", "10.2.2.1")
    assert recorded.returncode == EXIT_NO
    assert "RR:" not in recorded.stdout
    assert lab_life.run(labs, "lab", "down").returncode == 0
