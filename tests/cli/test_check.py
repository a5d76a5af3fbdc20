"""``farshore check``: what it prints where, and the exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from farshore.cli.check import check
from farshore.cli.inputs import MOST_SHOWN, shortened
from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import EXIT_BAD_INPUT, Diagnostic, Position

INTENT = """version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  lake: 198.18.0.0/16
  services: {portal: {address: 10.1.1.1, ports: [tcp/443]}}
tenants:
  customer-a:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [portal]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "intent.yaml"


def run(path: Path, text: str, *options: str) -> Result:
    path.write_text(text)
    return CliRunner().invoke(check, [str(path), *options])


def test_good(path: Path) -> None:
    done = run(path, INTENT)
    assert done.stdout == f"{path}: valid: 1 tenant, 1 service, lake 198.18.0.0/16\n"
    assert done.stderr == ""
    assert done.exit_code == 0


def test_good_with_a_warning(path: Path) -> None:
    done = run(path, INTENT.replace("198.18.0.0/16", "100.64.0.0/10"))
    assert done.stdout == f"{path}: valid: 1 tenant, 1 service, lake 100.64.0.0/10\n"
    assert done.stderr.startswith(f"{path}:5:9: warning W0301: lake 100.64.0.0/10 is in shared address space")
    assert done.exit_code == 0


def test_bad(path: Path) -> None:
    done = run(path, INTENT.replace("10.2.2.0/28", "10.1.1.0/28"))
    assert done.stdout == ""
    assert done.stderr == (
        f"{path}:10:15: error E0315: tenant customer-a: presents 10.1.1.0/28 is inside its own network 10.1.1.0/24"
        " (line 9); ask its admins for a range that they do not use\n"
    )
    assert done.exit_code == 2


def test_a_full_lake_is_reported(path: Path) -> None:
    done = run(path, INTENT.replace("198.18.0.0/16", "198.18.0.0/26"))
    assert done.stdout == ""
    assert done.stderr.startswith(f"{path}:5:9: error E0502: lake 198.18.0.0/26 is full")
    assert done.exit_code == 2


def test_json_of_a_good_file(path: Path) -> None:
    done = run(path, INTENT, "--json")
    assert json.loads(done.stdout) == {"ok": True, "diagnostics": []}
    assert done.exit_code == 0


def test_json_of_a_bad_file(path: Path) -> None:
    done = run(path, INTENT.replace("tcp/443", "tcp/0").replace("198.18.0.0/16", "100.64.0.0/16"), "--json")
    found = json.loads(done.stdout)
    assert found["ok"] is False
    assert [each["severity"] for each in found["diagnostics"]] == ["warning", "error"]
    assert found["diagnostics"][1] == {
        "file": str(path),
        "line": 6,
        "column": 50,
        "code": "E0216",
        "severity": "error",
        "problem": "service portal: ports: port number of tcp/0 is out of range",
        "fix": "write a number from 1 to 65535",
        "choices": [],
    }
    assert done.stderr == ""
    assert done.exit_code == 2


def test_json_has_the_edits_of_a_fix(path: Path) -> None:
    done = run(path, INTENT.replace("10.2.2.0/28", "10.2.2.5/28").replace("[portal]", "[portal, portal]"), "--json")
    slip, again = json.loads(done.stdout)["diagnostics"]
    write = {"do": "write", "path": ["tenants", "customer-a", "presents"], "value": "10.2.2.0/28"}
    assert slip["choices"] == [{"says": "write 10.2.2.0/28", "edits": [write]}]
    item = {"line": 11, "column": 24}
    remove = {"do": "remove", "path": ["tenants", "customer-a", "services", item], "value": "portal"}
    assert again["choices"] == [{"says": "remove portal here", "edits": [remove]}]


def test_the_whole_program(path: Path) -> None:
    path.write_text(INTENT + "    colour: indigo\n")
    command = [sys.executable, "-m", "farshore", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == (
        f"{path}:12:5: error E0202: unknown key 'colour' in tenant customer-a; "
        "known keys: networks, presents, sources, services, hosts, limits, design\n"
    )
    assert done.returncode == 2


def test_shortened() -> None:
    code = DiagnosticCode.SYNTAX
    some = tuple(Diagnostic("f", Position(line), code, "p", "m") for line in range(1, MOST_SHOWN + 1))
    assert shortened(some) == some
    more = (*some, *(Diagnostic("f", position, code, "p", "m") for position in (Position(200, 3), Position(201))))
    assert len(shortened(more)) == MOST_SHOWN + 1
    assert str(shortened(more)[-1]) == "f:200:3: error E0001: 2 more follow from here; fix the others first"


def test_a_process_substitution_is_read(path: Path) -> None:
    path.write_text(INTENT, encoding="utf-8")
    command = ["bash", "-c", '"$0" -m farshore check <(cat "$1")', sys.executable, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert ": valid: 1 tenant, 1 service" in done.stdout


def test_an_open_device_is_refused() -> None:
    command = ["bash", "-c", '"$0" -m farshore check /dev/fd/3 3</dev/zero', sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == EXIT_BAD_INPUT
    assert "this is a device, not a file; name a regular file, or - for standard input" in done.stderr
