"""Every design in a lab of its own: what it carries reaches, all at one moment, and what it does not is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from farshore.conformance.check import Check, Exchange, Outcome, Result
from farshore.conformance.expectations import expectations
from farshore.conformance.run_checks import run_checks
from farshore.design.catalogue import build
from farshore.errors import EXIT_BAD_INPUT, EXIT_NO, EXIT_YES, MachineError
from farshore.fabric.model import Device, Fabric, Node, Proxy
from farshore.intent.load import load_text
from farshore.intent.model import Intent
from farshore.lab.lifecycle import passing
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.port import Port, Protocol
from farshore.realm import Prefix
from lab_intents import MIXED
from lab_proof import differences, disagreeing, verdicts

pytestmark = pytest.mark.kernel

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
SECONDS = 120


def run(folder: Path, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "farshore", "lab", "run", str(file), "--json", *options]
    environment = os.environ | {"FARSHORE_LABS": str(folder / "labs")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False)
    if "is not installed" in done.stderr or "does not let a lab" in done.stderr:
        pytest.skip(done.stderr.strip())
    return done


def failed(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [check["name"] for check in json.loads(done.stdout)["checks"] if not check["ok"]]


def differs(file: Path, design: str | None, done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    """Return where the proof says something else of a packet than what was observed of it."""
    return disagreeing(file, design, json.loads(done.stdout))


# The article by the lake is a test of the command line.
@pytest.mark.parametrize(
    ("example", "design"),
    [
        ("article", "last-hop"),
        ("several-networks", "last-hop"),
        ("ten-tenants", "last-hop"),
        ("several-networks", "lake"),
        ("ten-tenants", "lake"),
    ],
)
def test_every_example(example: str, design: str, tmp_path: Path) -> None:
    file = EXAMPLES / f"{example}.yaml"
    done = run(tmp_path, file, "--design", design)
    assert (done.returncode, failed(done)) == (EXIT_YES, []), done.stderr
    assert differs(file, design, done) == {}


def test_several_designs_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mixed.yaml"
    file.write_text(MIXED)
    done = run(tmp_path, file)
    assert (done.returncode, failed(done)) == (EXIT_YES, []), done.stderr
    names = [check["name"] for check in json.loads(done.stdout)["checks"]]
    assert any(name.startswith("provider/monitor reaches customer-a/alice udp/161") for name in names)
    assert any(name.startswith("internet/host reaches portal") for name in names)
    assert differs(file, None, done) == {}


def test_the_example_of_the_appliance(tmp_path: Path) -> None:
    file = tmp_path / "intent.yaml"
    file.write_text((EXAMPLES / "appliance" / "intent.yaml").read_text())
    (tmp_path / "news.key").touch(mode=0o600)
    (tmp_path / "news.key").write_bytes(os.urandom(32))
    done = run(tmp_path, file)
    assert (done.returncode, failed(done)) == (EXIT_YES, []), done.stderr
    assert differs(file, None, done) == {}


def test_what_the_appliance_cannot_carry_is_refused_by_name(tmp_path: Path) -> None:
    done = run(tmp_path, EXAMPLES / "article.yaml", "--design", "appliance")
    assert done.returncode == EXIT_BAD_INPUT
    assert "service portal: design appliance carries TCP only, not icmp; use design lake or last-hop" in done.stderr


@pytest.mark.parametrize("design", ["single-nat", "last-hop-plain"])
def test_without_sources_of_their_own_equal_addresses_fail(design: str, tmp_path: Path) -> None:
    done = run(tmp_path, EXAMPLES / "article.yaml", "--design", design)
    assert done.returncode == EXIT_NO
    assert "customer-a/alice reaches portal tcp/443 at 10.2.2.1" in failed(done)
    assert differs(EXAMPLES / "article.yaml", design, done) == {}
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
    assert differs(distinct, design, done) == {}


@pytest.mark.parametrize("example", ["several-networks", "ten-tenants"])
def test_what_single_nat_cannot_route_is_what_the_proof_says_that_it_cannot(example: str, tmp_path: Path) -> None:
    file = EXAMPLES / f"{example}.yaml"
    done = run(tmp_path, file, "--design", "single-nat")
    assert done.returncode == EXIT_NO
    assert differs(file, "single-nat", done) == {}
    intent, plan = planned(file.read_text())
    fabric = build(intent, plan, "single-nat")
    judged = verdicts(plan, fabric, expectations(intent, plan, fabric))
    # Of two equal routes a table holds the first, which is the wrong one here each time.
    assert set(failed(done)) == {name for name, each in judged.items() if each.verdict != each.check.expected}


@pytest.mark.parametrize("design", ["lake", "last-hop", "appliance"])
def test_a_hundred_tenants_with_the_very_same_headers(
    design: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARSHORE_LABS", str(tmp_path / "labs"))
    identity = ", proxy-protocol: v2" if design == "appliance" else ""
    tenant = "{networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal], hosts: {pc: 10.1.1.1}}"
    text = f"""\
version: 1
design: {design}
provider:
  name: acme
  networks: [10.1.1.0/24]
  services: {{portal: {{address: 10.1.1.1, ports: [tcp/443]{identity}}}}}
tenants:
"""
    text += "".join(f"  t{number}: {tenant}\n" for number in range(100))
    intent = load_text(text, "hundred.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    fabric = build(intent, plan)
    exchanges = [check for check in expectations(intent, plan, fabric) if isinstance(check.attempt, Exchange)]
    exchanges = [check for check in exchanges if check.expected == "reach"]
    assert len(exchanges) == 100
    headers = {
        (t.source, t.source_port, t.destination, t.port)
        for t in (c.attempt for c in exchanges)
        if isinstance(t, Exchange)
    }
    assert len(headers) == 1
    with passing(f"hundred-{os.getpid()}", tmp_path / "hundred.yaml", fabric) as record:
        results = tuple(run_checks(record.world, exchanges, fabric))
    assert [result for result in results if not result.ok] == []
    judged = verdicts(plan, fabric, exchanges)
    assert [name for name, each in judged.items() if each.alike or each.verdict != Outcome.REACH] == []


# --- the checks see what is wrong --------------------------------------------------------------------


def planned(text: str) -> tuple[Intent, Plan]:
    intent = load_text(text, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return intent, plan


def tried(folder: Path, checks: Sequence[Check], fabric: Fabric) -> dict[str, Result]:
    """Make a lab of a fabric, and the attempts that are worked out for another one."""
    try:
        with passing(f"wrong-{os.getpid()}", folder / "intent.yaml", fabric) as record:
            return {result.name: result for result in run_checks(record.world, checks, fabric)}
    except MachineError as error:
        if "is not installed" in str(error) or "does not let a lab" in str(error):
            pytest.skip(str(error))
        raise


def differing(results: Mapping[str, Result]) -> dict[str, str]:
    return {name: result.observed for name, result in results.items() if not result.ok}


def with_node(fabric: Fabric, node: Node) -> Fabric:
    return Fabric.of(fabric.design, tuple((fabric.nodes | {node.name: node}).values()), fabric.links)


def who_may_be_anybody(proxy: Proxy) -> Proxy:
    """Every source is let in, as if there were no guard."""
    everywhere = IPv4Network("0.0.0.0/0")
    return replace(proxy, fronts=tuple(replace(f, sources=(Prefix(f.ingress, everywhere),)) for f in proxy.fronts))


def one_more_port(proxy: Proxy) -> Proxy:
    """A port is answered that nobody offers."""
    return replace(proxy, fronts=(*proxy.fronts, replace(proxy.fronts[0], port=Port(Protocol.TCP, 9))))


def another_server(proxy: Proxy) -> Proxy:
    """What asks for one service comes to another."""
    portal = next(front.server for front in proxy.fronts if front.service == "portal")
    return replace(proxy, fronts=tuple(replace(front, server=portal) for front in proxy.fronts))


@pytest.mark.parametrize(
    ("meddled", "named", "observed"),
    [
        (
            who_may_be_anybody,
            (
                "customer-a/ce at proxy sends from a forged source, an unassigned address: "
                "tcp 198.51.100.77:41642 > 10.2.2.3:80"
            ),
            "reach",
        ),
        (
            one_more_port,
            "customer-a/alice connects to tcp/9, which news does not offer, 10.2.2.3",
            "unexpected reply b''",
        ),
        (
            another_server,
            "customer-a/alice reaches news tcp/80 at 10.2.2.3",
            "reply from portal, expected news",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_proxy_that_does_what_it_must_not_is_seen(
    meddled: Callable[[Proxy], Proxy],
    named: str,
    observed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FARSHORE_LABS", str(tmp_path / "labs"))
    # Without the identity of callers, so that whoever is reached by mistake answers.
    intent, plan = planned(MIXED.replace(", proxy-protocol: v2", ""))
    fabric = build(intent, plan)
    checks = [check for check in expectations(intent, plan, fabric) if check.name.startswith("customer-a/")]
    (proxy,) = fabric.proxies
    broken = with_node(fabric, meddled(proxy))
    wrong = differing(tried(tmp_path, checks, broken))
    assert wrong[named] == observed
    assert all("alice" in name or "ce at proxy" in name for name in wrong)
    # A proxy that finds no server has answered all the same, and said nothing.
    told = {name: seen for name, seen in wrong.items() if seen != "unexpected reply b''"}
    assert differences(verdicts(plan, broken, checks), told) == {}


def test_calls_that_nobody_asked_for_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One port more is let through to Alice at both shores, and the monitor calls it.

    A reply that nothing was asked for is still dropped: only a first packet opens a flow.
    """
    monkeypatch.setenv("FARSHORE_LABS", str(tmp_path / "labs"))
    intent, plan = planned(MIXED)
    fabric = build(intent, plan)
    checks = [check for check in expectations(intent, plan, fabric) if check.name.startswith("provider/monitor")]
    wide = fabric
    for name in ("provider/nat", "customer-a/nat"):
        box = fabric.nodes[name]
        assert isinstance(box, Device)
        wide = with_node(wide, permitting_more(box))
    results = tried(tmp_path, checks, wide)
    wrong = differing(results)
    lake = "10.1.1.50:41642 > 100.65.0.1:9"
    assert set(wrong) == {
        f"provider/monitor calls customer-a/alice on tcp/9, which is not permitted: tcp {lake}",
        f"provider/monitor sends an unsolicited packet to customer-a: tcp {lake}",
    }
    assert set(wrong.values()) == {"reach"}
    observed = {name: result.observed for name, result in results.items()}
    assert differences(verdicts(plan, wide, checks), observed) == {}


def permitting_more(box: Device) -> Device:
    """Let a call pass to a port that is not to be reached."""
    assert box.policy is not None
    ssh = Port(Protocol.TCP, 22)
    calls = [permit for permit in box.policy.permits if permit.port == ssh]
    more = tuple(replace(permit, port=Port(Protocol.TCP, 9)) for permit in calls)
    return replace(box, policy=replace(box.policy, permits=(*box.policy.permits, *more)))
