from __future__ import annotations

from ipaddress import IPv4Address

from plan_builders import intent, tenant

from farshore.plan.allocate import allocate
from farshore.plan.model import Appearance, SourcePlan, appearance
from farshore.realm import LAKE, PROVIDER, Address, tenant_realm
from farshore.translation import PortBlock

INSIDE = "10.1.1.7"


def planned(mode: str | int, source: tuple[str, ...] = ()) -> SourcePlan:
    plan = allocate(intent(tenant("a", {"10.1.1.0/24": mode}, (INSIDE,)), source=source)).plan
    assert plan is not None
    return plan.tenants["a"].sources[0]


def host(ip: str = INSIDE, name: str = "a") -> Address:
    return Address(tenant_realm(name), IPv4Address(ip))


def lake(ip: str) -> Address:
    return Address(LAKE, IPv4Address(ip))


def test_in_the_lake_alone() -> None:
    assert appearance(planned("prefix"), host()) == Appearance(lake("100.65.0.7"), None, None)
    assert appearance(planned("host"), host()) == Appearance(lake("100.65.0.0"), None, None)


def test_with_ports_and_translated_again() -> None:
    ports = PortBlock(lake("100.65.0.0"), 2788, 3039)
    provider = Address(PROVIDER, IPv4Address("10.250.0.0"))
    assert appearance(planned(1, ("10.250.0.0/24",)), host()) == Appearance(ports.address, ports, provider)


def test_who_does_not_appear() -> None:
    assert appearance(planned("host"), host("10.1.1.8")) is None
    assert appearance(planned("prefix"), host("10.1.2.7")) is None
    assert appearance(planned("prefix"), host(name="b")) is None
