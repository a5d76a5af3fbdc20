"""A lab survives the command that made it, is found again, runs programs, and leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import lab_life
import pytest
from lab_life import ARTICLE, article

from farshore.errors import MachineError, UsageError
from farshore.fabric.model import EndSystem, Fabric
from farshore.lab import lifecycle
from farshore.lab.registry import FOLDER_VARIABLE, entry

pytestmark = pytest.mark.kernel

ALICE = "customer-a/alice"
NOBODY = 65534


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of a lab that is up for all tests of this module."""
    folder = tmp_path_factory.mktemp("standing") / "farshore" / "labs"
    made = lab_life.run(folder, "lab", "up", str(ARTICLE))
    assert made.returncode == 0, made.stderr
    yield folder
    assert lab_life.run(folder, "lab", "down").returncode == 0


def execute(labs: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return lab_life.run(labs, "lab", "exec", *words, given=given)


def test_it_comes_survives_and_goes(labs: Path) -> None:
    before = lab_life.machine()
    made = lab_life.run(labs, "lab", "up", str(ARTICLE), "--name", "mine")
    assert made.returncode == 0
    assert made.stdout.startswith("lab mine is up")
    (found,) = json.loads(lab_life.run(labs, "lab", "status", "--json").stdout)["labs"]
    assert (found["name"], found["up"], found["design"]) == ("mine", True, "lake")
    assert set(found["nodes"]) == set(article().nodes)
    assert lab_life.processes(labs) == [found["pid"]]
    assert lab_life.machine() == before
    again = lab_life.run(labs, "lab", "down")
    assert (again.returncode, again.stdout) == (0, "lab mine is down\n")
    assert lab_life.processes(labs) == []
    assert not labs.exists()
    assert lab_life.machine() == before


def test_its_namespaces_are_its_own(standing: Path) -> None:
    record = json.loads(lab_life.run(standing, "lab", "status", "--json").stdout)["labs"][0]
    for kind in ("net", "mnt", "pid"):
        ours, its = (Path(f"/proc/{pid}/ns/{kind}").readlink() for pid in ("self", record["pid"]))
        assert ours != its
    assert "farshore" not in Path("/proc/self/mountinfo").read_text()


def test_where_mounts_are_shared_none_is_passed_on(labs: Path) -> None:
    """Most machines pass mounts on between namespaces, and so would show a lab's own."""
    lab = f"{sys.executable} -m farshore lab"
    script = f"""
        cat /proc/self/mountinfo > before && {lab} up {ARTICLE} > /dev/null || exit
        cat /proc/self/mountinfo > after; {lab} down > /dev/null
        cat /proc/self/mountinfo | cmp before - && cmp before after
    """
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    labs.parent.mkdir(parents=True)
    command = ["unshare", *as_root, "--mount", "--propagation", "shared", "sh", "-c", script]
    done = subprocess.run(command, cwd=labs.parent, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or lab_life.LACKING in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_name_twice_is_refused(standing: Path) -> None:
    done = lab_life.run(standing, "lab", "up", str(ARTICLE))
    assert done.returncode == UsageError.exit_status
    assert "lab 'lab' is up already; take it down with: farshore lab down" in done.stderr
    assert execute(standing, ALICE, "--", "true").returncode == 0


def test_a_program_of_the_machine_runs_in_a_node(standing: Path) -> None:
    done = execute(standing, ALICE, "--", "ip", "-4", "-oneline", "address", "show", "dev", "wan")
    assert done.returncode == 0
    assert "10.1.1.1/32" in done.stdout


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_its_exit_status_is_ours(standing: Path, status: int) -> None:
    assert execute(standing, ALICE, "--", "sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize(("name", "number"), [("KILL", 137), ("TERM", 143), ("INT", 130)])
def test_a_signal_that_ends_it_is_ours(standing: Path, name: str, number: int) -> None:
    assert execute(standing, ALICE, "--", "sh", "-c", f"kill -{name} $$").returncode == number


def test_it_reads_our_input_and_writes_our_output(standing: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(20000))
    done = execute(standing, ALICE, "--", "cat", given=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, text, "")
    done = execute(standing, ALICE, "--", "sh", "-c", "echo out; echo error >&2")
    assert (done.stdout, done.stderr) == ("out\n", "error\n")


def test_it_keeps_our_directory(standing: Path) -> None:
    assert execute(standing, ALICE, "--", "pwd").stdout.strip() == str(Path.cwd())


def test_an_unknown_node_has_a_near_name(standing: Path) -> None:
    done = execute(standing, "customer-a/alicia", "--", "true")
    assert done.returncode == UsageError.exit_status
    assert "did you mean customer-a/alice?" in done.stderr


def test_an_unknown_program_ends_as_in_a_shell(standing: Path) -> None:
    done = execute(standing, ALICE, "--", "no-such-program")
    assert done.returncode == 127
    assert "no-such-program" in done.stderr


def test_alice_reaches_the_portal(standing: Path) -> None:
    done = execute(standing, ALICE, "--", "ping", "-c", "1", "-W", "5", "10.2.2.1")
    assert done.returncode == 0, done.stdout
    code = "import urllib.request as u; print(u.urlopen('http://10.2.2.1/').read().decode())"
    done = execute(standing, ALICE, "--", sys.executable, "-c", code)
    assert json.loads(done.stdout)["service"] == "portal"


def _narrow(fabric: Fabric) -> Fabric:
    """A link so narrow that the kernel refuses it."""
    links = (*fabric.links[:-1], replace(fabric.links[-1], mtu=1))
    return Fabric.of(fabric.design, tuple(fabric.nodes.values()), links)


def _twice(fabric: Fabric) -> Fabric:
    """A service with one port twice, of which the second cannot be opened."""
    portal = fabric.nodes["provider/portal"]
    assert isinstance(portal, EndSystem)
    nodes = dict(fabric.nodes) | {portal.name: replace(portal, listens=portal.listens * 2)}
    return Fabric.of(fabric.design, tuple(nodes.values()), fabric.links)


@pytest.mark.parametrize(("broken", "why"), [(_narrow, "create link"), (_twice, "in use")])
def test_a_lab_that_fails_half_way_cleans_up_and_says_why(labs: Path, broken: object, why: str) -> None:
    assert callable(broken)
    with pytest.raises(MachineError, match=why) as raised:
        lifecycle.up("broken", ARTICLE, broken(article()))
    if lab_life.LACKING in str(raised.value):
        pytest.skip(str(raised.value))
    assert raised.value.exit_status == 3
    assert lab_life.processes(labs) == []
    assert not labs.exists()


def test_a_passing_lab_ends_with_its_body(labs: Path) -> None:
    def broken_off() -> None:
        with lifecycle.passing("passing", ARTICLE, article()) as record:
            assert entry("passing").is_locked()
            assert record.pid in lab_life.processes(labs)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert lab_life.processes(labs) == []
    assert not labs.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="this user is an ordinary one: every other test is this one")
def test_an_ordinary_user_may_run_a_lab_too() -> None:
    home = Path(tempfile.mkdtemp(prefix="farshore-test-"))
    try:
        os.chown(home, NOBODY, NOBODY)
        labs = home / "farshore" / "labs"
        environment = {"PATH": os.defpath, "HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        nobody: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": home}
        nobody["env"] = environment | {FOLDER_VARIABLE: str(labs)}
        intent = shutil.copy(ARTICLE, home)
        command = [*lab_life.python_for_everybody(nobody), "-m", "farshore", "lab", "run", str(intent)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **nobody)
        if lab_life.LACKING in done.stderr:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stdout + done.stderr
        assert lab_life.processes(labs) == []
        assert not labs.exists()
    finally:
        shutil.rmtree(home)
