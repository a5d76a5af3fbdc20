"""The laws of the plan, for any intent."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from plan_builders import intent, tenant

from farshore.intent.model import Intent, Service, Tenant
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan, SourcePlan
from farshore.plan.services import services_share
from farshore.port import Port, Protocol
from farshore.realm import LAKE, PROVIDER, Address, usable_addresses
from farshore.translation import BasicNat, PortBlockNapt
from strategies import addresses_in, intents, tenants


def planned(wanted: Intent) -> Plan:
    allocated = allocate(wanted)
    assert allocated.diagnostics == ()
    assert allocated.plan is not None
    return allocated.plan


def sources(plan: Plan) -> list[SourcePlan]:
    return [source for tenant_plan in plan.tenants.values() for source in tenant_plan.sources]


def disjoint(networks: list[IPv4Network]) -> bool:
    ordered = sorted(networks)
    return all(left.broadcast_address < right.network_address for left, right in pairwise(ordered))


def test_the_article() -> None:
    tenants_with_alice_and_bill = [
        tenant(name, {"10.1.1.0/24": "prefix"}, (host,), {"service-1": None})
        for name, host in (("customer-a", "10.1.1.1"), ("customer-b", "10.1.1.1"))
    ]
    plan = planned(intent(*tenants_with_alice_and_bill))
    assert str(plan.services["service-1"].lake) == "100.64.0.1 (lake)"
    assert str(plan.tenants["customer-a"].presents["service-1"]) == "10.2.2.1 (customer-a)"
    assert str(plan.tenants["customer-b"].presents["service-1"]) == "10.2.2.1 (customer-b)"
    assert [str(source.lake[0]) for source in sources(plan)] == [
        "100.65.0.0/24 (lake)",
        "100.65.1.0/24 (lake)",
    ]


def test_every_fault_is_reported_at_once() -> None:
    faulty = intent(
        tenant("a", {"10.0.0.0/16": 1}, presents="10.2.2.0/32", services={"service-1": None, "service-2": None}),
        tenant("b", {"10.0.0.0/16": "prefix"}, presents=None, services={"service-1": None}),
        lake="100.64.0.0/24",
        source=("10.250.0.0/24",),
        services=200,
    )
    allocated = allocate(faulty)
    assert allocated.plan is None
    assert [diagnostic.problem.split(" ")[:4] for diagnostic in allocated.diagnostics] == [
        ["lake", "100.64.0.0/24", "has", "126"],
        ["tenant", "a:", "pool", "of"],
        ["lake", "100.64.0.0/24", "is", "full:"],
        ["provider's", "source", "10.250.0.0/24", "is"],
        ["tenant", "a:", "presents", "10.2.2.0/32"],
        ["tenant", "b:", "1", "service"],
    ]


@given(intents())
def test_planning_twice_is_planning_once(wanted: Intent) -> None:
    assert allocate(wanted) == allocate(wanted)


@given(intents(), st.data())
def test_another_tenant_moves_no_other(wanted: Intent, data: st.DataObject) -> None:
    before = planned(wanted)
    more: Tenant = data.draw(tenants("newcomer", list(wanted.provider.services)))
    after = planned(replace(wanted, tenants={**wanted.tenants, "newcomer": more}))
    assert after.services == before.services
    assert {name: after.tenants[name] for name in before.tenants} == before.tenants


@given(intents())
def test_another_service_moves_no_other(wanted: Intent) -> None:
    before = planned(wanted)
    more = Service("newcomer", Address(PROVIDER, IPv4Address("10.1.1.200")), (Port(Protocol.TCP, 1),))
    services = {**wanted.provider.services, "newcomer": more}
    after = planned(replace(wanted, provider=replace(wanted.provider, services=services)))
    assert after.tenants == before.tenants
    assert {name: after.services[name] for name in before.services} == before.services


@given(intents())
def test_lake_blocks_are_disjoint_and_in_the_tenants_share(wanted: Intent) -> None:
    plan = planned(wanted)
    blocks = [prefix.network for source in sources(plan) for prefix in source.lake]
    reserved = services_share(plan.lake.network)
    assert all(prefix.realm == LAKE for source in sources(plan) for prefix in source.lake)
    assert all(block.subnet_of(plan.lake.network) for block in blocks)
    assert all(int(block.network_address) >= reserved.start + reserved.size for block in blocks)
    assert disjoint(blocks)


@given(intents())
def test_services_have_lake_addresses_of_their_own_in_the_services_share(wanted: Intent) -> None:
    plan = planned(wanted)
    reserved = services_share(plan.lake.network)
    numbers = [int(service.lake.ip) for service in plan.services.values()]
    assert len(set(numbers)) == len(wanted.provider.services)
    assert all(reserved.start < number < reserved.start + reserved.size - 1 for number in numbers)


@given(intents())
def test_provider_blocks_are_disjoint_and_stand_for_every_lake_block(wanted: Intent) -> None:
    translated = [(source.lake, source.provider_translations) for source in sources(planned(wanted))]
    if not wanted.provider.source:
        assert all(translations == () for _, translations in translated)
        return
    assert all(tuple(each.inside for each in translations) == lake for lake, translations in translated)
    blocks = [each.outside for _, translations in translated for each in translations]
    lengths = [each.inside.network.prefixlen for _, translations in translated for each in translations]
    assert [block.network.prefixlen for block in blocks] == lengths
    assert all(any(block.network.subnet_of(source.network) for source in wanted.provider.source) for block in blocks)
    assert disjoint([block.network for block in blocks])


@given(intents())
def test_presented_addresses_are_distinct_usable_and_as_pinned(wanted: Intent) -> None:
    plan = planned(wanted)
    for name, tenant_plan in plan.tenants.items():
        customer = wanted.tenants[name]
        assert customer.presents is not None
        assert list(tenant_plan.presents) == [each.service for each in customer.subscriptions]
        assert len(set(tenant_plan.presents.values())) == len(customer.subscriptions)
        for each in customer.subscriptions:
            address = tenant_plan.presents[each.service]
            assert address.realm == customer.realm
            assert int(address.ip) in usable_addresses(customer.presents.network)
            assert each.presented in {None, address}


@given(intents(), st.data())
def test_there_and_back_is_where_it_began(wanted: Intent, data: st.DataObject) -> None:
    for source in sources(planned(wanted)):
        for translation in source.translations:
            address = data.draw(addresses_in(translation.inside))
            if isinstance(translation, PortBlockNapt):
                block = translation.block(address)
                shown = block.address
                assert translation.owner(shown, block.first_port) == address
                assert translation.owner(shown, block.last_port) == address
            else:
                shown = translation.outward(address)
                assert translation.inward(shown) == address
            assert sum(shown in prefix for prefix in source.lake) == 1
            onward = [each for each in source.provider_translations if shown in each.inside]
            assert len(onward) == (1 if wanted.provider.source else 0)
            assert all(each.inward(each.outward(shown)) == shown for each in onward)


@given(intents())
def test_no_two_hosts_share_a_lake_address_and_port(wanted: Intent) -> None:
    owned: set[tuple[Address, int]] = set()
    for tenant_plan, customer in zip(planned(wanted).tenants.values(), wanted.tenants.values(), strict=True):
        for host in customer.hosts:
            for source in tenant_plan.sources:
                for translation in source.translations:
                    if host.address not in translation.inside:
                        continue
                    if isinstance(translation, BasicNat):
                        identity = (translation.outward(host.address), 0)
                    else:
                        block = translation.block(host.address)
                        identity = (block.address, block.first_port)
                    assert identity not in owned
                    owned.add(identity)
