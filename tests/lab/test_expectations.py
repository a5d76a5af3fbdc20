"""What must and must not be possible is worked out in full, for any intent."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from farshore.design.catalogue import build
from farshore.fabric.model import EndSystem, Fabric
from farshore.intent.load import load
from farshore.intent.model import Intent, Mode
from farshore.lab.check import Check, Outcome, Talk, Throw
from farshore.lab.expectations import expectations
from farshore.lab.scene import SHARED_SOURCE_PORT, THROWN_SOURCE_PORT, Scene
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from strategies import intents

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


def worked_out(intent: Intent, plan: Plan | None) -> tuple[Intent, Plan, Fabric, tuple[Check, ...]]:
    assert plan is not None
    fabric = build(intent, plan, "lake")
    return intent, plan, fabric, expectations(intent, plan, fabric)


def complete(intent: Intent, plan: Plan, fabric: Fabric, checks: tuple[Check, ...]) -> None:
    """Hold the laws of the checks of a lab."""
    assert len({check.name for check in checks}) == len(checks)
    outcomes = [check.expected for check in checks]
    assert outcomes == sorted(outcomes, key=lambda outcome: outcome is Outcome.BLOCK)
    talks = [check.attempt for check in checks if isinstance(check.attempt, Talk)]
    throws = [check.attempt for check in checks if isinstance(check.attempt, Throw)]
    scene = Scene.of(intent, plan, fabric)
    tried = {(talk.node, talk.destination, talk.port) for talk in talks}
    for tenant, hosts in scene.hosts.items():
        wanted = {
            (host.name, plan.tenants[tenant].presents[subscription.service].ip, port)
            for host in hosts
            for subscription in intent.tenants[tenant].subscriptions
            for port in scene.ports(subscription.service)
        }
        sessions = intent.tenants[tenant].sessions
        # Two of a tenant's sessions are for the made-up packets that must arrive.
        room = len(wanted) if sessions is None else max(1, sessions - 2)
        assert len(wanted & tried) == min(len(wanted), room)
    assert {talk.source_port for talk in talks} <= {SHARED_SOURCE_PORT}
    for throw in throws:
        interfaces = {interface.name for interface in fabric.nodes[throw.node].interfaces}
        assert throw.interface in interfaces
        assert throw.packet.source_port != SHARED_SOURCE_PORT or throw.packet.source_port == THROWN_SOURCE_PORT
        assert throw.target is None or isinstance(fabric.nodes[throw.target], EndSystem)
    assert all(
        (check.expected is Outcome.REACH) == (check.attempt.target is not None)
        for check in checks
        if isinstance(check.attempt, Throw)
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    intent = load(path).intent
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
    """No packet that must be blocked is one that a talk of the same host would send."""
    intent = load(EXAMPLES[0]).intent
    assert intent is not None
    _, plan, fabric, checks = worked_out(intent, allocate(intent).plan)
    allowed = {
        (check.attempt.node, check.attempt.destination, check.attempt.port)
        for check in checks
        if isinstance(check.attempt, Talk)
    }
    for check in checks:
        if isinstance(check.attempt, Throw) and check.expected is Outcome.BLOCK:
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
    (first, last) = (c.name for c in checks if isinstance(c.attempt, Talk) and c.attempt.node.startswith(f"{name}/"))
    assert "beyond" not in first
    assert last.endswith("(1 more are beyond its limit of 4 sessions)")
