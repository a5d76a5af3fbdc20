from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from farshore.plan.lake_layout import Share, service_addresses, services_share, tenants_share


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
