"""The lake design, for any intent: complete, guarded, and each tenant by itself."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from farshore.design.catalogue import build
from farshore.design.lake import provider_sources
from farshore.engine.nftables.ruleset import device_ruleset
from farshore.fabric.model import Device, Direction, Fabric, NodeKind
from farshore.fabric.names import PROVIDER_NAT, LinkEnd
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.realm import RealmKind
from strategies import intents

anything = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def planned(intent: Intent) -> Plan:
    plan = allocate(intent).plan
    assume(plan is not None)
    assert plan is not None
    return plan


@anything
@given(intents())
def test_every_link_joins_two_interfaces_of_its_realm(intent: Intent) -> None:
    fabric = build(intent, planned(intent), "lake")
    realms = {LinkEnd(node.name, i.name): i.realm for node in fabric.nodes.values() for i in node.interfaces}
    for link in fabric.links:
        assert realms[link.left] == realms[link.right] == link.realm
    assert len(fabric.links) * 2 == len(realms)


@anything
@given(intents())
def test_routes_leave_by_interfaces_that_are_there(intent: Intent) -> None:
    for box in build(intent, planned(intent), "lake").devices:
        names = {interface.name for interface in box.interfaces}
        assert {route.interface for route in box.routes if route.interface is not None} <= names
        destinations = [route.destination.network for route in box.routes]
        assert len(set(destinations)) == len(destinations), box.name


@anything
@given(intents())
def test_every_interface_of_a_nat_device_is_guarded_both_ways(intent: Intent) -> None:
    for box in build(intent, planned(intent), "lake").devices:
        if box.kind is NodeKind.NAT:
            wanted = {(i.name, direction) for i in box.interfaces for direction in Direction}
            assert sorted(wanted) == sorted((guard.interface, guard.direction) for guard in box.guards)
            assert box.policy is not None
            assert device_ruleset(box) is not None


@anything
@given(intents())
def test_no_lake_address_in_a_tenants_realm(intent: Intent) -> None:
    plan = planned(intent)
    fabric = build(intent, plan, "lake")
    for box in fabric.devices:
        tenant_side = {i.name for i in box.interfaces if i.realm.kind is RealmKind.TENANT}
        for guard in box.guards:
            if guard.interface in tenant_side:
                for prefix in (*guard.sources, *guard.destinations):
                    assert prefix.realm.kind is RealmKind.TENANT
                    assert not prefix.network.overlaps(plan.lake.network)
        for route in box.routes:
            if route.interface in tenant_side:
                assert not route.destination.network.overlaps(plan.lake.network)


@anything
@given(intents())
def test_the_provider_sees_what_it_asked_for(intent: Intent) -> None:
    plan = planned(intent)
    fabric = build(intent, plan, "lake")
    far = fabric.nodes[PROVIDER_NAT]
    assert isinstance(far, Device)
    translations = [t for tenant in plan.tenants.values() for s in tenant.sources for t in s.provider_translations]
    assert list(far.source_nat) == translations
    seen = provider_sources(plan)
    if intent.provider.source and translations:
        for prefix in seen:
            assert any(prefix.network.subnet_of(source.network) for source in intent.provider.source)
    else:
        assert seen == (plan.lake,)
    outward = next(g for g in far.guards if (g.interface, g.direction) == ("provider", Direction.OUT))
    assert outward.sources == seen


def without(intent: Intent, plan: Plan, name: str) -> Fabric:
    """Return the lake without one tenant; everybody else keeps what the plan gave."""
    return build(
        replace(intent, tenants={n: t for n, t in intent.tenants.items() if n != name}),
        replace(plan, tenants={n: t for n, t in plan.tenants.items() if n != name}),
        "lake",
    )


@anything
@given(intents(), st.data())
def test_a_tenant_that_goes_leaves_all_others_as_they_are(intent: Intent, data: st.DataObject) -> None:
    assume(len(intent.tenants) > 1)
    plan = planned(intent)
    name = data.draw(st.sampled_from(sorted(intent.tenants)))
    before, after = build(intent, plan, "lake"), without(intent, plan, name)
    gone = before.nodes.keys() - after.nodes.keys()
    assert all(node.startswith(f"{name}/") for node in gone)
    changed = {node for node in after.nodes if after.nodes[node] != before.nodes[node]}
    # The router knows tenants by where they come from only: that changes with provider sources.
    assert changed <= {PROVIDER_NAT, "provider/router"}
    far_before, far_after = before.nodes[PROVIDER_NAT], after.nodes[PROVIDER_NAT]
    assert isinstance(far_before, Device)
    assert isinstance(far_after, Device)
    its_own = {i.name for i in far_before.interfaces} - {i.name for i in far_after.interfaces}
    assert len(its_own) == 1
    assert [g for g in far_before.guards if g.interface not in its_own | {"provider"}] == [
        g for g in far_after.guards if g.interface != "provider"
    ]
    assert set(far_after.source_nat) <= set(far_before.source_nat)
    assert far_after.destination_nat == far_before.destination_nat
    assert far_after.policy == far_before.policy
    remaining = {route for route in far_before.routes if route.interface not in its_own}
    assert {route for route in far_after.routes if route.interface is not None} <= remaining
