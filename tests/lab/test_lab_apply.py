"""A lab that is up follows its intent: what is new comes, what is not wanted goes, and what stays is not disturbed."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import lab_life
import pytest
from lab_inside import inside

from farshore.errors import EXIT_MACHINE, EXIT_NO
from farshore.lab.registry import entry
from farshore.machine.inside import Channel, call
from farshore.machine.world import PRIVATE

pytestmark = pytest.mark.kernel

HEAD = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  services:
    portal: {{address: 10.1.1.1, ports: [{ports}]}}
    dns: {{address: 10.1.1.2, ports: [udp/53]}}
tenants:
"""
TENANT = """\
  {name}:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [portal, dns]
    hosts: {{host: 10.1.1.1}}
"""
# Holds a connection with half a request in it, and says the other half when it is given a line.
STANDING = """
import json, socket, sys
held = socket.create_connection(("10.2.2.1", 80), timeout=10)
held.sendall(b"GET /standing HTTP/1.0\\r\\n")
print("held", flush=True)
sys.stdin.readline()
held.sendall(b"\\r\\n")
seen = json.loads(held.makefile("rb").read().partition(b"\\r\\n\\r\\n")[2])
print(seen["service"], seen["path"], flush=True)
"""


def written(folder: Path, *tenants: str, ports: str = "tcp/80") -> Path:
    """Write an intent with these tenants."""
    file = folder / f"{'-'.join(tenants)}-{ports.replace('/', '')}.yaml"
    file.write_text(HEAD.format(ports=ports) + "".join(TENANT.format(name=name) for name in tenants))
    return file


@pytest.fixture
def up(labs: Path, tmp_path: Path) -> Iterator[Path]:
    """Bring a lab of tenants a and b up, and return the folder of labs."""
    made = lab_life.run(labs, "lab", "up", str(written(tmp_path, "a", "b")))
    assert made.returncode == 0, made.stderr
    yield labs
    assert lab_life.run(labs, "lab", "down").returncode == 0


def apply(labs: Path, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return lab_life.run(labs, "lab", "apply", str(file), *options)


def nothing_to_do(labs: Path, file: Path) -> bool:
    return apply(labs, file, "--dry-run").returncode == 0


def namespaces(_test: Channel[None, None]) -> dict[str, int]:
    """Return the numbers of this lab's namespaces, by name."""
    return {name: (PRIVATE.directory / name).stat().st_ino for name in PRIVATE.names()}


def pinned(_test: Channel[None, None], inode: int) -> bool:
    """Tell whether a process of the lab still holds a namespace, open or mounted.

    No other process can hold one of a lab's; but one may have a namespace to which the kernel has given its number.
    """
    ours = Path("/proc/self/ns/pid").stat().st_ino
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "ns/pid").stat().st_ino != ours:
                continue
            if f"net:[{inode}]" in (process / "mountinfo").read_text():
                return True
        for held in (*process.glob("fd/*"), *process.glob("task/*/ns/net")):
            try:
                if held.stat().st_ino == inode and "net" in str(held.readlink()):
                    return True
            except OSError:
                continue
    return False


@pytest.fixture
def standing(up: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold a connection of tenant a's host to the portal."""
    with lab_life.start(up, "lab", "exec", "a/host", "--", sys.executable, "-c", STANDING) as held:
        assert held.stdout is not None
        assert held.stdout.readline() == "held\n"
        yield held


def finished(held: subprocess.Popen[str]) -> str:
    """Finish the standing request and return what is answered."""
    return held.communicate("go on\n", timeout=lab_life.PATIENCE)[0]


def asked(labs: Path, node: str, where: str = "http://10.2.2.1/") -> int:
    code = f"import urllib.request as u; print(u.urlopen('{where}', timeout=2).read())"
    return lab_life.run(labs, "lab", "exec", node, "--", sys.executable, "-c", code).returncode


def test_a_tenant_comes_and_another_is_not_disturbed(up: Path, tmp_path: Path, standing: subprocess.Popen[str]) -> None:
    file = written(tmp_path, "a", "b", "c")
    dry = apply(up, file, "--dry-run")
    assert dry.returncode == EXIT_NO
    assert "c/ce: create namespace: missing\n" in dry.stdout
    assert "changes would be made in" in dry.stdout
    assert "c/host" not in lab_life.run(up, "lab", "status").stdout
    done = apply(up, file)
    assert done.returncode == 0, done.stderr
    assert asked(up, "c/host") == 0
    assert finished(standing) == "portal /standing\n"
    record = entry("lab").read()
    assert record is not None
    assert "c/host" in record.nodes
    assert record.intent == str(file.resolve())
    assert nothing_to_do(up, file)
    again = apply(up, file)
    assert (again.returncode, again.stdout) == (0, "lab lab: nothing to do\n")


def test_a_tenant_goes_and_leaves_nothing(up: Path, tmp_path: Path, standing: subprocess.Popen[str]) -> None:
    record = entry("lab").read()
    assert record is not None
    before = call(record.world, namespaces)
    file = written(tmp_path, "a")
    done = json.loads(apply(up, file, "--json").stdout)
    assert done["done"]
    assert {"node": "b/ce", "what": "delete namespace", "reason": "not part of the fabric"} in done["changes"]
    after = call(record.world, namespaces)
    assert {name for name in before if name.startswith("b.")} == set(before) - set(after)
    for name in set(before) - set(after):
        assert not call(record.world, pinned, before[name])
    assert all(call(record.world, pinned, after[name]) for name in after)
    assert finished(standing) == "portal /standing\n"
    assert nothing_to_do(up, file)
    for node in ("provider/nat", "provider/router"):
        for what in ("link", "route", "rule"):
            shown = lab_life.run(up, "lab", "exec", node, "--", "ip", what, "show").stdout
            assert "b.nat" not in shown
            assert not [line for line in shown.splitlines() if line.split()[:1] == ["b"]]


def test_a_tenant_of_a_proxy_goes_and_leaves_nothing(labs: Path, tmp_path: Path) -> None:
    def intent(*tenants: str) -> Path:
        file = written(tmp_path, *tenants)
        text = file.read_text().replace("services: [portal, dns]", "services: [portal]")
        file.write_text(text.replace("version: 1", "version: 1\ndesign: appliance"))
        return file

    made = lab_life.run(labs, "lab", "up", str(intent("a", "b")))
    assert made.returncode == 0, made.stderr
    record = entry("lab").read()
    assert record is not None
    before = call(record.world, namespaces)
    file = intent("a")
    with lab_life.start(labs, "lab", "exec", "a/host", "--", sys.executable, "-c", STANDING) as held:
        assert held.stdout is not None
        assert held.stdout.readline() == "held\n"
        assert apply(labs, file).returncode == 0
        gone = set(before) - set(call(record.world, namespaces))
        assert "b.proxy" in gone
        # The proxy that was replaced still has tenant a's connection, and nothing of tenant b.
        assert not [name for name in gone if call(record.world, pinned, before[name])]
        assert finished(held) == "portal /standing\n"
    assert nothing_to_do(labs, file)
    assert asked(labs, "a/host") == 0


def test_a_service_changes_its_ports(up: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "a", "b", ports="tcp/8080")
    assert asked(up, "a/host") == 0
    done = apply(up, file)
    assert done.returncode == 0, done.stderr
    assert "provider/portal: close 10.1.1.1 tcp/80: " in done.stdout
    assert asked(up, "a/host") != 0
    assert asked(up, "a/host", "http://10.2.2.1:8080/") == 0
    assert nothing_to_do(up, file)


def test_what_others_changed_is_seen_and_put_right(up: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "a", "b")
    record = entry("lab").read()
    assert record is not None
    inside(record, "a/ce", "ip", "rule", "add", "priority", "5", "unreachable")
    (found,) = json.loads(lab_life.run(up, "lab", "status", "--json").stdout)["labs"]
    wrong = {node: state for node, state in found["states"].items() if state["state"] != "right"}
    assert list(wrong) == ["a/ce"]
    assert wrong["a/ce"]["state"] == "differs"
    assert apply(up, file).returncode == 0
    assert "differs" not in lab_life.run(up, "lab", "status").stdout
    assert asked(up, "a/host") == 0


def test_cut_off_half_way_the_next_application_finishes(up: Path, tmp_path: Path) -> None:
    tenants = [f"t{number}" for number in range(30)]
    file = written(tmp_path, "a", *tenants)
    record = entry("lab").read()
    assert record is not None
    # As the machine sees the lab's own /run: looking from inside takes longer than the application does.
    there = Path(f"/proc/{record.pid}/root{PRIVATE.directory}")
    before = set(there.iterdir())
    with lab_life.start(up, "lab", "apply", str(file)) as applying:
        assert lab_life.until(lambda: set(there.iterdir()) - before != set())
        applying.send_signal(signal.SIGINT)
        _, complained = applying.communicate(timeout=lab_life.PATIENCE)
    assert applying.returncode == 128 + signal.SIGINT
    assert "Traceback" not in complained
    assert not nothing_to_do(up, file)
    assert apply(up, file).returncode == 0
    assert nothing_to_do(up, file)
    assert asked(up, "t29/host") == 0


def test_a_node_that_fails_says_since_when_and_why_until_it_is_right(up: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "a", "b", "c")
    record = entry("lab").read()
    assert record is not None
    # No namespace can be where a folder is.
    inside(record, "a/host", "mkdir", "/run/netns/c.ce")
    refused = apply(up, file)
    assert refused.returncode == EXIT_MACHINE
    assert "c/ce" in refused.stderr
    assert "create namespace" in refused.stderr
    (found,) = json.loads(lab_life.run(up, "lab", "status", "--json").stdout)["labs"]
    failed = {node: state for node, state in found["states"].items() if state["state"] == "failed"}
    assert list(failed) == ["c/ce"]
    assert "create namespace" in failed["c/ce"]["failure"]["why"]
    assert failed["c/ce"]["failure"]["failures"] == 1
    assert "c/ce: failed since 20" in lab_life.run(up, "lab", "status").stdout
    assert asked(up, "a/host") == 0
    inside(record, "a/host", "rmdir", "/run/netns/c.ce")
    assert apply(up, file).returncode == 0
    assert "failed" not in lab_life.run(up, "lab", "status").stdout
    assert asked(up, "c/host") == 0


def test_a_lab_that_is_down_says_so(labs: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "a")
    none = apply(labs, file)
    assert none.returncode == 2
    assert "no lab exists" in none.stderr
    assert lab_life.run(labs, "lab", "up", str(file)).returncode == 0
    record = entry("lab").read()
    assert record is not None
    lab_life.kill(record.pid)
    record.world.wait(lab_life.PATIENCE, kill=True)
    dead = apply(labs, file)
    assert dead.returncode == EXIT_MACHINE
    assert f"lab 'lab' is down; bring it up with: farshore lab up {file} --name lab" in dead.stderr
