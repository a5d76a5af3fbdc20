"""The appliance as text, to the letter: HAProxy's configuration, and the rule sets of its routing instances."""

from __future__ import annotations

import re
from pathlib import Path

import engine_cases
import pytest

from farshore.design.catalogue import build
from farshore.engine.haproxy.configuration import configuration
from farshore.engine.nftables.desired import compile_fabric
from farshore.engine.placement import instance_name
from farshore.fabric.model import Fabric, Proxy
from farshore.intent.load import load_text
from farshore.machine.namespace import namespace_name
from farshore.plan.allocate import allocate

GOLDEN = Path(__file__).parent / "golden" / "appliance"
# Every way of passing on a caller's identity, a service of two ports, a tenant with limits, and one that uses less.
TEXT = """\
version: 1
design: appliance
provider:
  name: acme
  networks: [10.1.1.0/24]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/80, tcp/443], proxy-protocol: v2}
    late-news: {address: 10.1.1.2, ports: [tcp/80], signed-header: news.key}
    plain: {address: 10.1.1.3, ports: [tcp/22]}
tenants:
  customer-a:
    networks: [10.1.1.0/24, 10.1.3.0/29]
    presents: 10.2.2.0/28
    services: [portal, late-news, plain]
    limits: {sessions: 100, rate: 20}
  customer-b:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [plain]
"""
INSTANCES = ["customer-a/proxy", "customer-b/proxy", "provider/proxy"]


def appliance() -> tuple[Fabric, Proxy]:
    intent = load_text(TEXT, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    fabric = build(intent, plan)
    (proxy,) = fabric.proxies
    return fabric, proxy


def written() -> str:
    return configuration(appliance()[1])


def held_against(golden: Path, text: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-goldens"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_the_configuration(request: pytest.FixtureRequest) -> None:
    held_against(GOLDEN / "haproxy.cfg", written(), request)


def test_no_connection_is_worth_a_line_in_a_log() -> None:
    """HAProxy writes none without a line that says where to."""
    assert not any(
        line.split()[0] in {"log", "log-format", "capture"} for line in written().splitlines() if line.strip()
    )


@pytest.mark.parametrize("name", INSTANCES)
def test_the_rules_of_an_instance(name: str, request: pytest.FixtureRequest) -> None:
    desired = compile_fabric(appliance()[0])
    node = desired.nodes[name]
    assert [interface.addresses for interface in node.interfaces] != [()]
    held_against(GOLDEN / f"{name.replace('/', '-')}.nft", desired.configurations["nftables"][node.name], request)


def test_it_listens_in_the_instance_of_the_tenant_and_nowhere_else() -> None:
    _, proxy = appliance()
    expected = {
        f"{front.presented.ip}:{front.port.number} namespace {namespace_name(instance_name(proxy, front.ingress))}"
        for front in proxy.fronts
    }
    binds = re.findall(r"^ +bind (.*)$", written(), re.MULTILINE)
    assert set(binds) == expected
    assert len(binds) == len(proxy.fronts) == 5


def test_a_fabric_without_a_proxy_has_no_instances() -> None:
    assert not compile_fabric(engine_cases.article()).nodes.keys() & set(INSTANCES)
