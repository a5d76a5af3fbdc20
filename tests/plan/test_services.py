from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from plan_builders import FILE, LAKE_POSITION, intent

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic
from farshore.plan.allocate import allocate
from farshore.plan.services import (
    Share,
    allocate_services,
    service_addresses,
    services_fit,
    services_share,
    tenants_share,
)
from farshore.realm import LAKE, PROVIDER, Address


def test_services_follow_each_other_from_the_second_address_on() -> None:
    services = allocate_services(intent(services=3)).services
    assert [str(service.lake) for service in services.values()] == [
        "100.64.0.1 (lake)",
        "100.64.0.2 (lake)",
        "100.64.0.3 (lake)",
    ]
    assert services["service-2"].address == Address(PROVIDER, IPv4Address("10.1.1.2"))


def test_the_last_address_of_the_share_is_left_out() -> None:
    services = allocate_services(intent(services=254, lake="100.64.0.0/20")).services
    assert services["service-254"].lake == Address(LAKE, IPv4Address("100.64.0.254"))


@pytest.mark.parametrize(
    ("lake", "services", "counts", "length"),
    [
        ("100.64.0.0/20", 255, ("255 services", "254 addresses"), 17),
        ("100.64.0.0/24", 200, ("200 services", "126 addresses"), 23),
        ("100.64.0.0/32", 1, ("1 service", "0 addresses"), 31),
    ],
)
def test_a_full_share_names_a_sufficient_lake(lake: str, services: int, counts: tuple[str, str], length: int) -> None:
    (diagnostic,) = allocate(intent(services=services, lake=lake)).diagnostics
    problem = f"lake {lake} has {counts[1]} reserved for services, too few for {counts[0]}"
    fix = f"widen the lake to 100.64.0.0/{length}"
    assert diagnostic == Diagnostic(FILE, LAKE_POSITION, DiagnosticCode.SERVICES_FULL, problem, fix)
    assert services_fit(1 << (32 - length), services)
    assert not services_fit(1 << (32 - length - 1), services)


@pytest.mark.parametrize(
    ("lake", "services", "tenants"),
    [
        ("100.64.0.0/10", 65536, "100.65.0.0"),
        ("100.64.0.0/18", 256, "100.64.1.0"),
        ("100.64.0.0/20", 256, "100.64.1.0"),
        ("100.64.0.0/24", 128, "100.64.0.128"),
        ("100.64.0.0/30", 2, "100.64.0.2"),
        ("100.64.0.0/32", 0, "100.64.0.0"),
    ],
)
def test_shares(lake: str, services: int, tenants: str) -> None:
    network = IPv4Network(lake)
    assert services_share(network) == Share(int(network.network_address), services)
    assert tenants_share(network) == Share(int(IPv4Address(tenants)), network.num_addresses - services)


@pytest.mark.parametrize(
    ("share", "addresses"),
    [
        (Share(100, 128), range(101, 227)),
        (Share(100, 4), range(101, 103)),
        (Share(100, 2), range(100, 102)),
        (Share(100, 1), range(100, 101)),
        (Share(100, 0), range(100, 100)),
    ],
)
def test_services_get_neither_end_unless_there_is_nothing_else(share: Share, addresses: range) -> None:
    assert service_addresses(share) == addresses
