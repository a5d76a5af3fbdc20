from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from plan_builders import FILE, LAKE_PLACE, intent

from farshore.errors import Diagnostic
from farshore.plan.services import allocate_services, services_fit
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
        ("100.64.0.0/20", 255, "255 services and 254 addresses", 17),
        ("100.64.0.0/24", 200, "200 services and 126 addresses", 23),
        ("100.64.0.0/32", 1, "1 service and 0 addresses", 31),
    ],
)
def test_a_full_share_says_which_lake_would_do(lake: str, services: int, counts: str, length: int) -> None:
    (diagnostic,) = allocate_services(intent(services=services, lake=lake)).diagnostics
    problem = f"the services' share of the lake {lake} is full: {counts} for them"
    assert diagnostic == Diagnostic(FILE, LAKE_PLACE, problem, f"widen the lake to /{length}")
    assert services_fit(1 << (32 - length), services)
    assert not services_fit(1 << (32 - length - 1), services)
