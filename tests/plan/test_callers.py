"""The provider's hosts that may call tenants: their addresses in the lake and at each tenant."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import assume, given

from farshore.diagnostic_codes import DiagnosticCode
from farshore.intent.load import load_text
from farshore.intent.model import Host, Intent, Subscription
from farshore.plan.allocate import Allocated, allocate
from farshore.plan.model import Plan
from farshore.plan.services import services_share
from farshore.realm import PROVIDER, Address, usable_addresses
from strategies import mixed_intents

TEXT = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
{hosts}  reaches: [{{tenant: customer-a, ports: [tcp/22]}}]
  services:
    portal: {{address: 10.1.1.1, ports: [tcp/443]}}
    dns: {{address: 10.1.1.53, ports: [udp/53]}}
tenants:
  customer-a: {{networks: [10.1.1.0/24], presents: {presents}, services: [dns]}}
  customer-b: {{networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal]}}
"""


def allocated(hosts: str = "", presents: str = "10.2.2.0/28") -> Allocated:
    return of(TEXT, hosts, presents)


def of(text: str, hosts: str = "", presents: str = "10.2.2.0/28") -> Allocated:
    intent = load_text(text.format(hosts=f"  hosts: {hosts}\n" if hosts else "", presents=presents), "i.yaml").intent
    assert intent is not None
    return allocate(intent)


def planned(wanted: Intent) -> Plan:
    plan = allocate(wanted).plan
    assert plan is not None
    return plan


def test_without_named_hosts_the_services_call_by_the_addresses_that_they_have() -> None:
    plan = allocated().plan
    assert plan is not None
    assert {name: caller.lake for name, caller in plan.callers.items()} == {
        name: service.lake for name, service in plan.services.items()
    }
    own = plan.tenants["customer-a"]
    assert own.callers["dns"] == own.presents["dns"]
    assert str(own.callers["portal"].ip) == "10.2.2.14"
    assert plan.tenants["customer-b"].callers == {}


def test_a_service_that_a_proxy_answers_for_calls_by_an_address_of_its_own() -> None:
    plan = of(TEXT.replace("ports: [tcp/443]", "ports: [tcp/443], design: appliance").replace("[dns]", "[portal]")).plan
    assert plan is not None
    own = plan.tenants["customer-a"]
    # On the way to the address by which it uses the portal stands the proxy, which knows of no call.
    assert str(own.presents["portal"].ip) == "10.2.2.1"
    assert {name: str(a.ip) for name, a in own.callers.items()} == {"portal": "10.2.2.14", "dns": "10.2.2.13"}


def test_named_hosts_have_the_services_share_from_its_end() -> None:
    plan = allocated("{monitor: 10.1.1.50, backup: 10.1.1.51}").plan
    assert plan is not None
    assert {name: str(caller.lake.ip) for name, caller in plan.callers.items()} == {
        "monitor": "100.64.255.254",
        "backup": "100.64.255.253",
    }
    assert {name: str(a.ip) for name, a in plan.tenants["customer-a"].callers.items()} == {
        "monitor": "10.2.2.14",
        "backup": "10.2.2.13",
    }


@given(mixed_intents())
def test_a_host_that_is_added_at_the_end_moves_nothing(wanted: Intent) -> None:
    assume(wanted.provider.hosts)
    newcomer = Host("newcomer", Address(PROVIDER, IPv4Address("10.1.1.200")))
    before = planned(wanted)
    after = planned(replace(wanted, provider=replace(wanted.provider, hosts=(*wanted.provider.hosts, newcomer))))
    assert after.services == before.services
    assert {name: after.callers[name] for name in before.callers} == before.callers
    for name, tenant in before.tenants.items():
        callers = {each: after.tenants[name].callers[each] for each in tenant.callers}
        assert replace(after.tenants[name], callers=callers) == tenant


@given(mixed_intents())
def test_a_service_that_a_tenant_comes_to_use_moves_no_other_caller(wanted: Intent) -> None:
    before = planned(wanted)
    for name, tenant in wanted.tenants.items():
        used = {each.service for each in tenant.subscriptions}
        new = next((each for each in wanted.provider.services if each not in used), None)
        if new is None or not wanted.provider.hosts:
            continue
        more = replace(tenant, subscriptions=(*tenant.subscriptions, Subscription(new, None)))
        after = planned(replace(wanted, tenants={**wanted.tenants, name: more}))
        assert after.callers == before.callers
        assert after.tenants[name].callers == before.tenants[name].callers
        assert {each: after.tenants[name].presents[each] for each in used} == before.tenants[name].presents


@given(mixed_intents())
def test_callers_are_distinct_in_the_lake_and_by_every_tenant_that_they_may_call(wanted: Intent) -> None:
    plan = planned(wanted)
    assert plan == planned(wanted)
    reserved = services_share(plan.lake.network)
    lakes = {each.lake for each in plan.services.values()} | {each.lake for each in plan.callers.values()}
    own = plan.callers.keys() - plan.services.keys()
    assert len(lakes) == len(plan.services) + len(own)
    assert all(reserved.start < int(lake.ip) < reserved.start + reserved.size - 1 for lake in lakes)
    for name, tenant in plan.tenants.items():
        customer = wanted.tenants[name]
        assert list(tenant.callers) == (list(plan.callers) if wanted.reached(name) else [])
        assert len(set(tenant.callers.values())) == len(tenant.callers)
        for caller, address in tenant.callers.items():
            assert address.realm == customer.realm
            assert customer.presents is not None
            assert int(address.ip) in usable_addresses(customer.presents.network)
            sharing = {service for service, presented in tenant.presents.items() if presented == address}
            # Only a service by the tenant's own design answers where a call comes from.
            by_own = caller in tenant.presents and wanted.design_of(name, caller) is wanted.design_of(name)
            assert sharing == ({caller} if by_own else set())


@pytest.mark.parametrize(
    ("lake", "hosts", "counts", "length"),
    [
        ("198.18.0.0/29", 1, ("2 addresses", "2 services and 1 host"), 28),
        ("198.18.0.0/28", 5, ("6 addresses", "2 services and 5 hosts"), 27),
    ],
)
def test_a_share_of_the_lake_that_is_too_small_names_a_sufficient_one(
    lake: str, hosts: int, counts: tuple[str, str], length: int
) -> None:
    named = ", ".join(f"h{number}: 10.1.1.{100 + number}" for number in range(hosts))
    small = TEXT.replace("10.1.1.0/24], presents", "10.1.1.0/32], presents").replace(
        "  networks", f"  lake: {lake}\n  networks", 1
    )
    found = of(small, hosts=f"{{{named}}}")
    (diagnostic,) = found.diagnostics
    reserved, customer = counts
    problem = f"lake {lake} has {reserved} reserved for services, too few for {customer} of the provider"
    assert diagnostic.problem == problem
    assert diagnostic.fix == f"widen the lake to 198.18.0.0/{length}"
    assert of(small.replace(lake, f"198.18.0.0/{length}"), hosts=f"{{{named}}}").plan is not None
    assert of(small.replace(lake, f"198.18.0.0/{length + 1}"), hosts=f"{{{named}}}").plan is None


def many_hosts(lake: str, presents: str = "10.4.0.0/16") -> Allocated:
    """Return the plan for a hundred hosts that may call, beside two services and two networks of 256 addresses."""
    named = ", ".join(f"h{number}: 10.1.1.{100 + number}" for number in range(100))
    return of(TEXT.replace("  networks", f"  lake: {lake}\n  networks", 1), f"{{{named}}}", presents)


@pytest.mark.parametrize("lake", ["198.18.0.0/25", "198.18.0.0/29", "198.18.0.0/31"])
def test_the_suggested_lake_has_room_for_the_callers_too(lake: str) -> None:
    lengths = {
        int(match)
        for each in many_hosts(lake).diagnostics
        for match in re.findall(r"the lake to [\d.]+/(\d+)", each.fix)
    }
    assert many_hosts(f"198.18.0.0/{min(lengths)}").plan is not None
    assert many_hosts(f"198.18.0.0/{min(lengths) + 1}").plan is None


def test_too_many_services_are_reported_once_and_with_the_hosts() -> None:
    (share, *_) = many_hosts("198.18.0.0/31").diagnostics
    assert share.problem == "lake 198.18.0.0/31 has 1 address reserved for services, too few for 2 services"
    assert share.fix == "widen the lake to 198.18.0.0/22"
    assert (
        sum("reserved for services, too few" in each.problem for each in many_hosts("198.18.0.0/31").diagnostics) == 1
    )


def test_a_full_lake_counts_the_callers_in_its_fix() -> None:
    named = ", ".join(f"h{number}: 10.1.1.{100 + number}" for number in range(150))
    text = TEXT.replace("10.1.1.0/24], presents", "10.1.1.0/32], presents")
    found = of(text.replace("  networks", "  lake: 198.18.0.0/31\n  networks", 1), f"{{{named}}}", "10.4.0.0/16")
    assert [each.code for each in found.diagnostics] == [DiagnosticCode.SERVICES_FULL, DiagnosticCode.LAKE_FULL]
    assert all("widen the lake to 198.18.0.0/23" in each.fix for each in found.diagnostics)


@pytest.mark.parametrize(("presents", "fits"), [("10.2.2.0/29", True), ("10.2.2.0/30", False)])
def test_a_range_that_is_too_small_names_a_sufficient_one(presents: str, fits: bool) -> None:
    found = allocated("{a: 10.1.1.50, b: 10.1.1.51}", presents)
    assert (found.plan is not None) is fits
    if not fits:
        (diagnostic,) = found.diagnostics
        assert "10.2.2.0/30 has 2 usable addresses for 1 service and 2 calling hosts" in diagnostic.problem
        assert diagnostic.fix == "ask its admins for a /29"
