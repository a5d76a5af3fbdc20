"""Several designs in one fabric, for any intent: one way to everything, and each tenant by itself."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from farshore.design.catalogue import build
from farshore.engine.nftables.ruleset import device_ruleset
from farshore.fabric.model import Device, EndSystem, Fabric, Node, Proxy
from farshore.fabric.names import (
    PROVIDER_LAST_HOP,
    PROVIDER_NAT,
    PROVIDER_PROXY,
    PROVIDER_ROUTER,
    LinkEnd,
    ce,
    tenant_nat,
)
from farshore.intent.model import DesignName, Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan, appearance
from farshore.realm import LAKE, PROVIDER, Address, Prefix
from strategies import intents, mixed_intents

anything = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
BOXES_FOR_ALL = {PROVIDER_NAT, PROVIDER_LAST_HOP, PROVIDER_PROXY, PROVIDER_ROUTER}


def planned(intent: Intent) -> Plan:
    plan = allocate(intent).plan
    assert plan is not None
    return plan


def next_node(fabric: Fabric, name: str, address: Address) -> Node | None:
    """Return what is behind the longest route to an address, None where there is none; never two ways."""
    router = fabric.nodes[name]
    assert isinstance(router, Device)
    holding = [route for route in router.routes if address.ip in route.destination.network]
    longest = max((route.destination.network.prefixlen for route in holding), default=0)
    ways = {route.interface for route in holding if route.destination.network.prefixlen == longest}
    assert len(ways) <= 1, (name, address, ways)
    interface = next(iter(ways), None)
    return None if interface is None else fabric.nodes[fabric.far_ends[LinkEnd(name, interface)].node]


def answers(box: Node, address: Address) -> bool:
    """Tell whether a box has something behind a presented address."""
    if isinstance(box, Proxy):
        return any(front.presented == address for front in box.fronts)
    return isinstance(box, Device) and any(address in translation.inside for translation in box.destination_nat)


@anything
@given(mixed_intents())
def test_every_interface_is_linked_once_and_every_box_can_be_run(intent: Intent) -> None:
    fabric = build(intent, planned(intent))
    ends = [end for link in fabric.links for end in (link.left, link.right)]
    there = {LinkEnd(node.name, interface.name) for node in fabric.nodes.values() for interface in node.interfaces}
    assert sorted(ends, key=str) == sorted(there, key=str)
    for box in fabric.devices:
        assert (device_ruleset(box) is not None) is (box.policy is not None)


@anything
@given(mixed_intents())
def test_every_presented_address_has_one_way_to_a_box_that_answers(intent: Intent) -> None:
    plan = planned(intent)
    fabric = build(intent, plan)
    boxes = {DesignName.LAST_HOP: {PROVIDER_LAST_HOP}, DesignName.APPLIANCE: {PROVIDER_PROXY}}
    for name, tenant in plan.tenants.items():
        for service, address in tenant.presents.items():
            box = next_node(fabric, ce(name), address)
            assert box is not None
            assert box.name in boxes.get(intent.design_of(name, service), {tenant_nat(name)})
            assert answers(box, address)
        for address in tenant.callers.values():
            # Replies to calls go where the calls come from.
            box = next_node(fabric, ce(name), address)
            assert box is not None
            assert box.name == tenant_nat(name)


@anything
@given(mixed_intents())
def test_the_providers_router_has_one_way_back_to_every_host(intent: Intent) -> None:
    plan = planned(intent)
    fabric = build(intent, plan)
    for name, tenant in plan.tenants.items():
        used = {intent.design_of(name, service) for service in tenant.presents}
        for host in intent.tenants[name].hosts:
            for source in tenant.sources:
                appears = appearance(source, host.address)
                if appears is None:
                    continue
                known = appears.provider or Address(PROVIDER, appears.lake.ip)
                if DesignName.LAKE in used:
                    back = next_node(fabric, PROVIDER_ROUTER, known)
                    assert back is not None
                    assert back.name == PROVIDER_NAT
                if DesignName.LAST_HOP in used:
                    back = next_node(fabric, PROVIDER_ROUTER, Address(PROVIDER, appears.lake.ip))
                    assert back is not None
                    assert back.name == PROVIDER_LAST_HOP
    for node in fabric.nodes.values():
        if isinstance(node, Proxy):
            assert all(next_node(fabric, PROVIDER_ROUTER, front.own) == node for front in node.fronts)


@anything
@given(mixed_intents())
def test_a_service_of_the_appliance_is_not_even_known_to_the_others(intent: Intent) -> None:
    fabric = build(intent, planned(intent))
    own = {Prefix.of(each.address) for each in intent.provider.services.values() if each.design is not None}
    for name in (PROVIDER_NAT, PROVIDER_LAST_HOP):
        box = fabric.nodes.get(name)
        if isinstance(box, Device) and not box.last_hop:
            assert not own & {each.outside for each in box.destination_nat}
            assert box.policy is not None
            assert not own & {permit.translated for permit in box.policy.permits}


@anything
@given(mixed_intents())
def test_two_designs_share_no_source_at_the_providers_router(intent: Intent) -> None:
    router = build(intent, planned(intent)).nodes[PROVIDER_ROUTER]
    assert isinstance(router, Device)
    ways: dict[str, set[str | None]] = {}
    for route in router.routes:
        ways.setdefault(str(route.destination.network), set()).add(route.interface)
    assert all(len(interfaces) == 1 for interfaces in ways.values())


@anything
@given(mixed_intents())
def test_a_caller_reaches_every_host_that_it_may_call_and_no_other_tenant(intent: Intent) -> None:
    plan = planned(intent)
    fabric = build(intent, plan)
    far = fabric.nodes.get(PROVIDER_NAT)
    calls = far.policy.permits if isinstance(far, Device) and far.policy is not None and not far.last_hop else ()
    calls = tuple(permit for permit in calls if permit.ingress == PROVIDER and permit.egress == LAKE)
    for name, tenant in plan.tenants.items():
        reached = intent.reached(name)
        systems = [node for node in fabric.nodes.values() if node.name.startswith(f"{name}/")]
        assert all(node.listens == reached for node in systems if isinstance(node, EndSystem))
        blocks = [block for source in tenant.sources for block in source.lake]
        to_it = {p.port for p in calls if any(p.translated.network.overlaps(block.network) for block in blocks)}
        assert to_it == (set(reached) if blocks else set())


def without(intent: Intent, plan: Plan, name: str) -> Fabric:
    """Return the fabric without one tenant; everybody else keeps what the plan gave, and may be called as before."""
    provider = intent.provider
    left = replace(provider, reaches=tuple(reach for reach in provider.reaches if reach.tenant != name))
    return build(
        replace(intent, provider=left, tenants={n: t for n, t in intent.tenants.items() if n != name}),
        replace(plan, tenants={n: t for n, t in plan.tenants.items() if n != name}),
    )


@anything
@given(mixed_intents(), st.data())
def test_a_tenant_that_goes_leaves_all_others_as_they_are(intent: Intent, data: st.DataObject) -> None:
    assume(len(intent.tenants) > 1)
    plan = planned(intent)
    name = data.draw(st.sampled_from(sorted(intent.tenants)))
    before, after = build(intent, plan), without(intent, plan, name)
    # A design that carries nobody any more goes too.
    gone = {node for node in before.nodes.keys() - after.nodes.keys() if not node.startswith(f"{name}/")}
    assert gone <= BOXES_FOR_ALL
    for node, there in after.nodes.items():
        if node not in BOXES_FOR_ALL:
            assert before.nodes[node] == there, node


@anything
@given(intents())
def test_who_asks_for_no_design_has_the_lake(intent: Intent) -> None:
    assume(intent.tenants)
    plan = planned(intent)
    assert build(intent, plan) == build(intent, plan, "lake")


@anything
@given(intents(), st.sampled_from(DesignName))
def test_one_design_for_the_file_is_that_design(intent: Intent, design: DesignName) -> None:
    assume(intent.tenants)
    plan = planned(intent)
    assert build(replace(intent, design=design), plan) == build(intent, plan, design)
