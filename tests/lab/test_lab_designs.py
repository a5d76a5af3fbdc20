"""Every design in a lab of its own: what it carries reaches, all at one moment, and what it does not is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from farshore.design.catalogue import build
from farshore.errors import EXIT_BAD_INPUT, EXIT_NO, EXIT_YES
from farshore.intent.load import load_text
from farshore.lab.check import Talk
from farshore.lab.expectations import expectations
from farshore.lab.lifecycle import passing
from farshore.lab.visit import visit
from farshore.plan.allocate import allocate

pytestmark = pytest.mark.kernel

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
SECONDS = 120
MIXED = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  hosts: {monitor: 10.1.1.50}
  reaches: [{tenant: customer-a, ports: [tcp/22, udp/161, icmp]}]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443, tcp/80], internet: 203.0.113.10}
    dns: {address: 10.1.1.53, ports: [udp/53, icmp]}
    news: {address: 10.1.1.2, ports: [tcp/80], proxy-protocol: v2, design: appliance}
tenants:
  customer-a:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, dns, news], hosts: {alice: 10.1.1.1}}
  customer-b:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, dns], hosts: {bill: 10.1.1.1}, design: last-hop}
  customer-c:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, news], hosts: {cy: 10.1.1.1}, design: appliance}
  customer-d:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, sources: {pool: 1}, services: [portal, news], hosts: {d: 10.1.1.1}}
"""


def run(folder: Path, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "farshore", "lab", "run", str(file), "--json", *options]
    environment = os.environ | {"FARSHORE_LABS": str(folder / "labs")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False)
    if "is not installed" in done.stderr or "does not let a lab" in done.stderr:
        pytest.skip(done.stderr.strip())
    return done


def failed(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [check["name"] for check in json.loads(done.stdout)["checks"] if not check["ok"]]


@pytest.mark.parametrize("example", ["article", "several-networks", "ten-tenants"])
def test_the_last_hop_carries_every_example(example: str, tmp_path: Path) -> None:
    done = run(tmp_path, EXAMPLES / f"{example}.yaml", "--design", "last-hop")
    assert (done.returncode, failed(done)) == (EXIT_YES, []), done.stderr


def test_several_designs_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mixed.yaml"
    file.write_text(MIXED)
    done = run(tmp_path, file)
    assert (done.returncode, failed(done)) == (EXIT_YES, []), done.stderr
    names = [check["name"] for check in json.loads(done.stdout)["checks"]]
    assert any(name.startswith("provider/monitor reaches customer-a/alice udp/161") for name in names)
    assert any(name.startswith("internet/host reaches portal") for name in names)


def test_the_example_of_the_appliance(tmp_path: Path) -> None:
    file = tmp_path / "intent.yaml"
    file.write_text((EXAMPLES / "appliance" / "intent.yaml").read_text())
    (tmp_path / "news.key").write_bytes(os.urandom(32))
    done = run(tmp_path, file)
    assert (done.returncode, failed(done)) == (EXIT_YES, []), done.stderr


def test_what_the_appliance_cannot_carry_is_refused_by_name(tmp_path: Path) -> None:
    done = run(tmp_path, EXAMPLES / "article.yaml", "--design", "appliance")
    assert done.returncode == EXIT_BAD_INPUT
    assert (
        "service portal: the appliance design carries TCP connections, and not icmp; lake and last-hop carry it"
        in done.stderr
    )


@pytest.mark.parametrize("design", ["single-nat", "last-hop-plain"])
def test_without_sources_of_their_own_equal_addresses_fail(design: str, tmp_path: Path) -> None:
    done = run(tmp_path, EXAMPLES / "article.yaml", "--design", design)
    assert done.returncode == EXIT_NO
    assert "customer-a/alice reaches portal tcp/443 at 10.2.2.1" in failed(done)
    distinct = tmp_path / "distinct.yaml"
    text = (EXAMPLES / "article.yaml").read_text().replace("networks: [10.1.1.0/24]", "networks: [10.9.9.0/24]", 1)
    distinct.write_text(text.replace("address: 10.1.1.1", "address: 10.9.9.1"))
    done = run(tmp_path, distinct, "--design", design)
    if design == "single-nat":
        assert (done.returncode, failed(done)) == (EXIT_YES, [])
    else:
        # To the portal both tenants are one source: of two live connections that collide, one has to give way.
        assert failed(done)
        assert all(" reaches portal " in name for name in failed(done))


@pytest.mark.parametrize("design", ["lake", "last-hop", "appliance"])
def test_a_hundred_tenants_with_the_very_same_headers(
    design: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARSHORE_LABS", str(tmp_path / "labs"))
    introduced = ", proxy-protocol: v2" if design == "appliance" else ""
    tenant = "{networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal], hosts: {pc: 10.1.1.1}}"
    text = f"""\
version: 1
design: {design}
provider:
  name: acme
  networks: [10.1.1.0/24]
  services: {{portal: {{address: 10.1.1.1, ports: [tcp/443]{introduced}}}}}
tenants:
"""
    text += "".join(f"  t{number}: {tenant}\n" for number in range(100))
    intent = load_text(text, "hundred.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    fabric = build(intent, plan)
    talks = [check for check in expectations(intent, plan, fabric) if isinstance(check.attempt, Talk)]
    talks = [check for check in talks if check.expected == "reach"]
    assert len(talks) == 100
    headers = {
        (t.source, t.source_port, t.destination, t.port) for t in (c.attempt for c in talks) if isinstance(t, Talk)
    }
    assert len(headers) == 1
    with passing(f"hundred-{os.getpid()}", tmp_path / "hundred.yaml", fabric, lambda *_: None) as record:
        results = tuple(visit(record, talks, fabric))
    assert [result for result in results if not result.ok] == []
