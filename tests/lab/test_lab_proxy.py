"""A lab's proxy is changed as all else is: seen when it is dead, back by an apply, and gone with its design."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import lab_life
import pytest
from lab_inside import listening

from farshore.conformance.expectations import expectations
from farshore.conformance.run_checks import run_checks
from farshore.design.catalogue import build
from farshore.engine.linux import desired_state
from farshore.errors import EXIT_MACHINE
from farshore.intent.load import load
from farshore.lab.registry import Record, entry
from farshore.machine.inside import Channel, call
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.plan.allocate import allocate

pytestmark = pytest.mark.kernel

EXAMPLE = Path(__file__).parents[2] / "examples" / "appliance" / "intent.yaml"
ASK = "import urllib.request as u; print(u.urlopen('http://10.2.2.2/', timeout=2).read())"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the example's intent, with its key beside it."""
    key = tmp_path / "news.key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    return Path(shutil.copy(EXAMPLE, tmp_path))


@pytest.fixture
def up(labs: Path, file: Path) -> Iterator[Record]:
    made = lab_life.run(labs, "lab", "up", str(file))
    if "haproxy is not installed" in made.stderr:
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stderr
    record = entry("lab").read()
    assert record is not None
    yield record
    assert lab_life.run(labs, "lab", "down").returncode == 0


def haproxies(record: Record) -> list[int]:
    """Return the HAProxy processes of a lab, as the machine numbers them, the master first."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            numbers = (path / "status").read_text().partition("NSpid:")[2].splitlines()[0].split()
            descends = _descends(int(path.name), record.pid)
        except (OSError, IndexError, ValueError):
            continue  # it has ended
        if words[0].endswith(b"haproxy") and descends:
            found.append((int(numbers[-1]), int(path.name)))
    return [number for _, number in sorted(found)]


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def states(labs: Path) -> dict[str, dict[str, object]]:
    (found,) = json.loads(lab_life.run(labs, "lab", "status", "--json").stdout)["labs"]
    return {node: state for node, state in found["states"].items() if state["state"] != "right"}


def asks(labs: Path) -> bool:
    """Tell whether a tenant's host is answered through the proxy."""
    return lab_life.run(labs, "lab", "exec", "customer-a/alice", "--", "python3", "-c", ASK).returncode == 0


@pytest.mark.parametrize("victim", ["master", "worker"])
def test_a_dead_proxy_is_seen_closed_and_back_by_an_apply(labs: Path, up: Record, file: Path, victim: str) -> None:
    assert states(labs) == {}
    assert asks(labs)
    processes = haproxies(up)
    assert len(processes) == 2
    os.kill(processes[victim == "worker"], signal.SIGKILL)
    assert lab_life.until(lambda: haproxies(up) == [])
    assert {node: (state["state"], state["changes"]) for node, state in states(labs).items()} == {
        "provider/proxy": ("differs", ["load proxy configuration: no proxy configuration is loaded"])
    }
    assert not asks(labs)
    done = lab_life.run(labs, "lab", "apply", str(file))
    assert done.returncode == 0, done.stderr
    assert states(labs) == {}
    assert asks(labs)
    assert len(haproxies(up)) == 2


def test_a_proxy_that_fails_is_on_record_and_keeps_no_other_from_being_changed(
    labs: Path, up: Record, file: Path
) -> None:
    text = file.read_text()
    assert "customer-b:" in text
    # Another program has the port that the proxy is to have.
    more = text.replace("tenants:\n", "    extra: {address: 10.1.1.77, ports: [tcp/8080]}\ntenants:\n", 1)
    more = more.replace("services: [portal, news]", "services: [portal, news, extra]")
    assert more.count("extra") > 1
    with listening(up, "customer-a/proxy", 8080):
        file.write_text(more)
        done = lab_life.run(labs, "lab", "apply", str(file))
        assert done.returncode == EXIT_MACHINE
        assert "provider/proxy" in done.stderr
        assert "8080 in namespace customer-a.proxy: Address already in use" in done.stderr
        assert "1 node is not as" in done.stderr
        failed = states(labs)
        assert list(failed) == ["provider/proxy"]
        assert failed["provider/proxy"]["state"] == "failed"
        assert asks(labs)  # what it had it still has
    assert lab_life.run(labs, "lab", "apply", str(file)).returncode == 0
    assert states(labs) == {}


def test_a_server_that_fails_is_on_record(labs: Path, up: Record, file: Path) -> None:
    text = file.read_text()
    with listening(up, "provider/portal", 8080):
        file.write_text(text.replace("tcp/80]", "tcp/8080]"))
        assert "tcp/8080" in file.read_text()
        done = lab_life.run(labs, "lab", "apply", str(file), "--json")
        assert done.returncode == EXIT_MACHINE
        said = json.loads(done.stdout)
        assert not said["done"]
        assert list(said["failed"]) == ["provider/portal"]
        assert "Address already in use" in done.stderr
        assert states(labs)["provider/portal"]["state"] == "failed"
    assert lab_life.run(labs, "lab", "apply", str(file)).returncode == 0
    assert states(labs) == {}


# --- between designs ---------------------------------------------------------------------------------


def namespaces(_test: Channel[None, None]) -> list[str]:
    return list(PRIVATE.names())


def test_from_one_design_to_another_and_back(labs: Path, tmp_path: Path) -> None:
    file = tmp_path / "intent.yaml"
    file.write_text(lab_life.ARTICLE.read_text().replace(", icmp]", "]"))  # a proxy carries none
    intent = load(file).intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    made = lab_life.run(labs, "lab", "up", str(file), "--design", "lake")
    assert made.returncode == 0, made.stderr
    record = entry("lab").read()
    assert record is not None
    for design in ("last-hop", "appliance", "lake", "appliance", "last-hop"):
        done = lab_life.run(labs, "lab", "apply", str(file), "--design", design)
        if "haproxy is not installed" in done.stderr:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        fabric = build(intent, plan, design)
        results = list(run_checks(record.world, expectations(intent, plan, fabric), fabric))
        assert [f"{design}: {result}" for result in results if not result.ok] == []
        assert len(results) > 20
        wanted = sorted(namespace_name(node) for node in desired_state(fabric).nodes)
        assert call(record.world, namespaces) == wanted
        assert len(haproxies(record)) == (2 if design == "appliance" else 0)
        assert states(labs) == {}
        assert list(lab_life.nodes("lab")) == list(desired_state(fabric).nodes)
        again = lab_life.run(labs, "lab", "apply", str(file), "--design", design)
        assert again.stdout == "lab lab: nothing to do\n"
