"""``lab run`` on a machine that lacks descriptors or drops packets: it never reports that as a fault of the network."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from farshore.errors import EXIT_MACHINE, EXIT_YES

pytestmark = pytest.mark.kernel

INTENTS = Path(__file__).parent / "intents"
FORTY, RATE_OF_FIVE = INTENTS / "forty-services.yaml", INTENTS / "rate-of-five.yaml"
SECONDS = 300


def run(folder: Path, file: Path, descriptors: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a lab, with so many descriptors for each process, as by ``ulimit -n``."""
    limit = f"ulimit -n {descriptors}; " if descriptors is not None else ""
    command = ["sh", "-c", limit + 'exec "$@"', "sh", sys.executable, "-m", "farshore", "lab", "run", str(file)]
    environment = os.environ | {"FARSHORE_LABS": str(folder / "labs"), "COLUMNS": "300"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False)
    if "is not installed" in done.stderr or "may not create namespaces" in done.stderr:
        pytest.skip(done.stderr.strip())
    return done


def test_few_descriptors_make_smaller_rounds(tmp_path: Path) -> None:
    done = run(tmp_path, FORTY, 256)
    assert done.returncode == EXIT_YES, done.stdout[-2000:] + done.stderr
    passed = re.fullmatch(
        r"([0-9,]+) of \1 allowed flows pass, ([0-9,]+) of \2 forbidden flows are blocked\n", done.stdout
    )
    assert passed is not None, done.stdout
    assert int(passed[1].replace(",", "")) >= 1082


@pytest.mark.parametrize("descriptors", [200, 100, 40])
def test_too_few_descriptors_end_with_the_reason(tmp_path: Path, descriptors: int) -> None:
    done = run(tmp_path, FORTY, descriptors)
    assert (done.returncode, done.stdout) == (EXIT_MACHINE, "")
    assert "descriptors" in done.stderr
    assert done.stderr.rstrip().endswith("raise the hard limit of open files: ulimit -Hn 65536")
    assert "Traceback" not in done.stderr


def test_the_soft_limit_is_raised_to_the_hard_one(tmp_path: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 1024:
        pytest.skip(f"the hard limit of open files is {most}, and the intent needs more")
    done = subprocess.run(
        ["sh", "-c", 'ulimit -S -n 64; exec "$@"', "sh", sys.executable, "-m", "farshore", "lab", "run", str(FORTY)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=os.environ | {"FARSHORE_LABS": str(tmp_path / "labs")},
        check=False,
    )
    if "is not installed" in done.stderr or "may not create namespaces" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == EXIT_YES, done.stdout[-2000:] + done.stderr


def test_the_last_line_counts_what_was_left_out(tmp_path: Path) -> None:
    done = run(tmp_path, RATE_OF_FIVE)
    assert done.returncode == EXIT_YES, done.stdout + done.stderr
    (last,) = done.stdout.splitlines()
    assert last.startswith("5 of 5 allowed flows pass, ")
    assert last.endswith(" are blocked; 37 allowed flows left out: more than tenants' limits permit")


def many_exchanges(hosts: int, tenants: int) -> str:
    """Return an intent with 1,024 exchanges for each host of each tenant, all tenants with the same addresses."""
    ports = ", ".join(f"tcp/{port}" for port in range(8000, 8032))
    services = [f"s{number}" for number in range(32)]
    return "\n".join(
        [
            "version: 1",
            "provider:",
            "  name: hq",
            "  networks: [10.200.0.0/16]",
            "  lake: 198.18.0.0/15",
            "  services:",
            *(f"    {name}: {{address: 10.200.0.{n}, ports: [{ports}]}}" for n, name in enumerate(services, 1)),
            "tenants:",
            *(
                f"  t{tenant}: {{networks: [10.1.0.0/24], presents: 172.16.0.0/24, services: [{', '.join(services)}], "
                f"hosts: {{{', '.join(f'h{host}: 10.1.0.{host}' for host in range(1, hosts + 1))}}}}}"
                for tenant in range(tenants)
            ),
        ]
    )


def test_thousands_of_exchanges_all_reach(tmp_path: Path) -> None:
    """8,192 in the suite; with FUZZ_SECONDS, as by ``make fuzz``, 21,504."""
    hosts, tenants = (7, 3) if "FUZZ_SECONDS" in os.environ else (4, 2)
    file = tmp_path / "many.yaml"
    file.write_text(many_exchanges(hosts, tenants), encoding="utf-8")
    done = run(tmp_path, file)
    assert done.returncode == EXIT_YES, done.stdout[-2000:] + done.stderr
    passed = re.match(r"([0-9,]+) of \1 allowed flows pass, ", done.stdout)
    assert passed is not None, done.stdout
    assert int(passed[1].replace(",", "")) >= hosts * tenants * 1024
