"""What must and must not be possible is worked out in full, for any intent."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from farshore.conformance.check import Check, Exchange, Injection, Outcome
from farshore.conformance.expectations import expectations
from farshore.conformance.topology import SHARED_SOURCE_PORT, Topology
from farshore.design.catalogue import build
from farshore.fabric import names
from farshore.fabric.model import EndSystem, Fabric
from farshore.intent.load import load, load_text
from farshore.intent.model import Intent, Mode
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from lab_intents import MIXED
from strategies import intents

EXAMPLES_FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(EXAMPLES_FOLDER.glob("*.yaml"))


def worked_out(intent: Intent, plan: Plan | None) -> tuple[Intent, Plan, Fabric, tuple[Check, ...]]:
    assert plan is not None
    fabric = build(intent, plan, "lake")
    return intent, plan, fabric, expectations(intent, plan, fabric)


def complete(intent: Intent, plan: Plan, fabric: Fabric, checks: tuple[Check, ...]) -> None:
    """Hold the laws of the checks of a lab."""
    assert len({check.name for check in checks}) == len(checks)
    outcomes = [check.expected for check in checks]
    assert outcomes == sorted(outcomes, key=lambda outcome: outcome is Outcome.BLOCK)
    exchanges = [check.attempt for check in checks if isinstance(check.attempt, Exchange)]
    injections = [check.attempt for check in checks if isinstance(check.attempt, Injection)]
    topology = Topology.of(intent, plan, fabric)
    tried = {(exchange.node, exchange.destination, exchange.port) for exchange in exchanges}
    for tenant, hosts in topology.hosts.items():
        wanted = {
            (host.name, plan.tenants[tenant].presents[subscription.service].ip, port)
            for host in hosts
            for subscription in intent.tenants[tenant].subscriptions
            for port in topology.ports(subscription.service)
        }
        sessions = intent.tenants[tenant].sessions
        # Two of a tenant's sessions are for the made-up packets that must arrive.
        room = len(wanted) if sessions is None else max(1, sessions - 2)
        assert len(wanted & tried) == min(len(wanted), room)
    assert {exchange.source_port for exchange in exchanges} <= {SHARED_SOURCE_PORT}
    services = intent.provider.services.values()
    answering = {names.service(s.name) for s in services if s.ports[0].number == SHARED_SOURCE_PORT}
    for injection in injections:
        interfaces = {interface.name for interface in fabric.nodes[injection.node].interfaces}
        assert injection.interface in interfaces
        # Or it would be part of an exchange. A service may well offer that port, and answer from it.
        assert injection.packet.source_port != SHARED_SOURCE_PORT or injection.node in answering
        assert injection.target is None or isinstance(fabric.nodes[injection.target], EndSystem)
    assert all(
        (check.expected is Outcome.REACH) == (check.attempt.target is not None)
        for check in checks
        if isinstance(check.attempt, Injection)
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    intent = load(path).intent
    assert intent is not None
    complete(*worked_out(intent, allocate(intent).plan))


def test_a_service_on_the_port_that_hosts_connect_from() -> None:
    text = (
        (EXAMPLES_FOLDER / "article.yaml").read_text(encoding="utf-8").replace("tcp/443", f"tcp/{SHARED_SOURCE_PORT}")
    )
    intent = load_text(text, "article.yaml").intent
    assert intent is not None
    complete(*worked_out(intent, allocate(intent).plan))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
@given(intents(most_tenants=4))
def test_any_intent(intent: Intent) -> None:
    plan = allocate(intent).plan
    # A network in mode host without a listed host is carried nowhere; the intent's own check refuses it.
    listed = all(
        network.mode is not Mode.HOST or any(host.address in network.prefix for host in tenant.hosts)
        for tenant in intent.tenants.values()
        for network in tenant.networks
    )
    assume(plan is not None and listed)
    complete(*worked_out(intent, plan))


def test_nobody_is_forbidden_what_is_its_right() -> None:
    """No packet that must be blocked is one that an exchange of the same host would send."""
    intent = load(EXAMPLES[0]).intent
    assert intent is not None
    _, plan, fabric, checks = worked_out(intent, allocate(intent).plan)
    allowed = {
        (check.attempt.node, check.attempt.destination, check.attempt.port)
        for check in checks
        if isinstance(check.attempt, Exchange)
    }
    for check in checks:
        if isinstance(check.attempt, Injection) and check.expected is Outcome.BLOCK and check.attempt.cut is None:
            packet, node = check.attempt.packet, fabric.nodes[check.attempt.node]
            honest = isinstance(node, EndSystem) and packet.source == node.address.ip
            same = [p for n, d, p in allowed if (n, d) == (check.attempt.node, packet.destination)]
            if honest:
                assert not any((p.protocol, p.number) == (packet.protocol, packet.destination_port) for p in same)
    assert plan.lake.network == IPv4Network("100.64.0.0/10")


def test_no_more_talks_than_a_tenant_may_have_sessions() -> None:
    intent = load(EXAMPLES[0]).intent
    assert intent is not None
    name, tenant = next(iter(intent.tenants.items()))
    limited = replace(intent, tenants={**intent.tenants, name: replace(tenant, sessions=4)})
    *_, checks = worked_out(limited, allocate(limited).plan)
    (first, last) = (
        c.name for c in checks if isinstance(c.attempt, Exchange) and c.attempt.node.startswith(f"{name}/")
    )
    assert "beyond" not in first
    assert last.endswith("(1 more exceed its limit of 4 sessions)")


# --- several designs, and calls from the provider -----------------------------------------------------


def mixed(text: str = MIXED) -> dict[str, Check]:
    intent = load_text(text, "mixed.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return {check.name: check for check in expectations(intent, plan, build(intent, plan))}


def exchange(checks: dict[str, Check], name: str) -> Exchange:
    attempt = checks[name].attempt
    assert isinstance(attempt, Exchange)
    return attempt


@pytest.mark.parametrize(
    ("name", "seen_as", "ports", "identified_as"),
    [
        ("customer-a/alice reaches portal tcp/443 at 10.2.2.1", "100.65.0.1", None, None),
        ("customer-b/bill reaches portal tcp/443 at 10.2.2.1", "100.65.1.1", None, None),
        ("customer-c/cy reaches portal tcp/443 at 10.2.2.1", "100.64.0.1", (1, 65535), None),
        ("customer-a/alice reaches news tcp/80 at 10.2.2.3", "100.64.0.3", (1, 65535), "customer-a"),
        ("customer-c/cy reaches news tcp/80 at 10.2.2.2", "100.64.0.3", (1, 65535), "customer-c"),
        ("provider/monitor reaches customer-a/alice tcp/22 at 100.65.0.1", "10.2.2.14", None, None),
        ("internet/host reaches portal tcp/443 at 203.0.113.10", "198.51.100.10", None, None),
    ],
)
def test_everybody_is_seen_as_the_design_of_the_service_has_it(
    name: str, seen_as: str, ports: tuple[int, int] | None, identified_as: str | None
) -> None:
    expected = exchange(mixed(), name)
    assert (str(expected.seen_as), expected.seen_ports, expected.identified_as) == (seen_as, ports, identified_as)


def test_one_box_ignores_into_what_the_far_shore_translates() -> None:
    checks = mixed(MIXED.replace("networks: [10.1.1.0/24]\n", "networks: [10.1.1.0/24]\n  source: [10.8.0.0/16]\n", 1))
    alice = exchange(checks, "customer-a/alice reaches portal tcp/443 at 10.2.2.1")
    assert alice.seen_as in IPv4Network("10.8.0.0/16")
    assert str(exchange(checks, "customer-b/bill reaches portal tcp/443 at 10.2.2.1").seen_as) == "100.65.1.1"
    assert f"provider/monitor reaches customer-a/alice tcp/22 at {alice.seen_as}" in checks


def test_a_proxy_answers_what_may_be_sent_and_nothing_else_does() -> None:
    """Of each way on from a host and from its router one good packet: no two of a proxy's are one connection."""
    good = [
        c.attempt for n, c in mixed().items() if " sends an allowed packet: " in n and isinstance(c.attempt, Injection)
    ]
    targets = {
        (injection.node, injection.interface): injection.target
        for injection in good
        if injection.node.startswith("customer-a/")
    }
    assert targets == {
        ("customer-a/alice", "wan"): "provider/portal",
        ("customer-a/ce", "nat"): "provider/portal",
        ("customer-a/ce", "proxy"): "provider/proxy",
    }
    answered = [injection for injection in good if injection.target == "provider/proxy"]
    assert len({(injection.packet, injection.node.owner) for injection in answered}) == len(answered) == 4


@pytest.mark.parametrize(
    "refused",
    [
        # The way of a call is not a way back, nor anybody else's.
        "customer-a/alice sends to monitor, which accepts no calls: tcp 10.1.1.1:41642 > 10.2.2.14:22",
        "customer-a/ce at nat sends to monitor, which accepts no calls: tcp 10.1.1.1:41642 > 10.2.2.14:9",
        "customer-a/ce at nat sends directly to the lake address of monitor: tcp 10.1.1.1:41642 > 100.64.255.254:9",
        "customer-d/d sends to the lake address of customer-a: tcp 10.1.1.1:41642 > 100.65.0.1:22",
        "internet/host sends to the lake address of customer-a: tcp 198.51.100.10:41642 > 100.65.0.1:22",
        "provider/portal calls customer-a/alice without a permit: tcp 10.1.1.1:41642 > 100.65.0.1:22",
        "provider/monitor calls customer-a/alice from a forged source: tcp 198.51.100.77:41642 > 100.65.0.1:22",
        "provider/monitor calls customer-a/alice on tcp/9, which is not permitted: tcp 10.1.1.50:41642 > 100.65.0.1:9",
        # Only the lake carries calls, and only to whom they are asked for.
        "provider/monitor sends an unsolicited packet to customer-b: tcp 10.1.1.50:41642 > 100.65.1.1:9",
        "provider/monitor sends an unsolicited packet to customer-c: tcp 10.1.1.50:41642 > 100.65.2.1:9",
        "provider/monitor sends an unsolicited packet to customer-d: tcp 10.1.1.50:41642 > 100.65.3.0:9",
        # The Internet is no way to anything but what is published, and nobody's way on.
        "internet/host sends directly to the lake address of news: tcp 198.51.100.10:41642 > 100.64.0.3:80",
        "customer-c/cy sends to the Internet through the provider: tcp 10.1.1.1:41642 > 198.51.100.10:9",
        "customer-c/ce sends to the Internet through the provider: tcp 10.1.1.1:41642 > 198.51.100.10:9",
        # A proxy opens connections: real ones are tried, and forged ones must not be answered.
        "customer-c/cy connects to tcp/9, which news does not offer, 10.2.2.2",
        "customer-c/cy connects to the proxy's own address toward news, 100.64.0.3",
        "customer-c/ce sends from a forged source, an unassigned address: tcp 198.51.100.77:41642 > 10.2.2.1:443",
    ],
)
def test_what_must_be_refused(refused: str) -> None:
    assert mixed()[refused].expected is Outcome.BLOCK


def test_what_is_permitted_is_not_called_unsolicited() -> None:
    checks = mixed(MIXED.replace("ports: [tcp/22, udp/161, icmp]", "ports: [tcp/9, icmp]"))
    called = "provider/monitor sends an unsolicited packet to customer-a: "
    assert [name.removeprefix(called) for name in checks if name.startswith(called)] == [
        "udp 10.1.1.50:41642 > 100.65.0.1:9"
    ]


@pytest.mark.parametrize(
    ("limits", "exchanges", "injections"),
    [
        ("sessions: 1", 1, 0),
        ("sessions: 2", 1, 1),
        ("rate: 3, sessions: 9", 1, 2),
        ("rate: 4", 1, 3),
        ("rate: 9", 5, 4),
    ],
)
def test_no_tenant_does_more_than_its_limits_allow(limits: str, exchanges: int, injections: int) -> None:
    alice = "hosts: {alice: 10.1.1.1}"
    text = MIXED.replace(alice, f"{alice}, limits: {{{limits}}}")
    good = [c for n, c in mixed(text).items() if n.startswith("customer-a/") and c.expected is Outcome.REACH]
    assert sum(isinstance(check.attempt, Exchange) for check in good) == exchanges
    assert sum(isinstance(check.attempt, Injection) for check in good) == injections
