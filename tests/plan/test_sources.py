from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from plan_builders import FILE, MODE_POSITION, intent, tenant

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic
from farshore.plan.allocate import allocate
from farshore.plan.model import SourcePlan
from farshore.realm import LAKE, PROVIDER, Address, Prefix, tenant_realm
from farshore.translation import BasicNat, PortBlockNapt

A = tenant_realm("a")


def lake(cidr: str) -> Prefix:
    return Prefix(LAKE, IPv4Network(cidr))


def inside(cidr: str) -> Prefix:
    return Prefix(A, IPv4Network(cidr))


def source(cidr: str, mode: str | int, hosts: tuple[str, ...] = (), provider: tuple[str, ...] = ()) -> SourcePlan:
    """Plan one network, after one that takes the first address of the tenants' share."""
    first = tenant("first", {"10.0.0.0/32": "prefix"})
    planned = allocate(intent(first, tenant("a", {cidr: mode}, hosts), source=provider)).plan
    assert planned is not None
    return planned.tenants["a"].sources[0]


def test_prefix_takes_a_block_as_large_as_the_network() -> None:
    planned = source("10.1.1.0/24", "prefix", ("10.1.1.1",))
    assert planned.lake == (lake("100.65.1.0/24"),)
    assert planned.translations == (BasicNat(inside("10.1.1.0/24"), lake("100.65.1.0/24")),)
    assert planned.provider_translations == ()


def test_host_takes_the_next_power_of_two_and_translates_the_listed_hosts_only() -> None:
    planned = source("10.1.1.0/24", "host", ("10.1.1.9", "10.9.9.9", "10.1.1.2", "10.1.1.3"))
    assert planned.lake == (lake("100.65.0.4/30"),)
    assert planned.translations == (
        BasicNat(inside("10.1.1.9/32"), lake("100.65.0.4/32")),
        BasicNat(inside("10.1.1.2/32"), lake("100.65.0.5/32")),
        BasicNat(inside("10.1.1.3/32"), lake("100.65.0.6/32")),
    )


def test_host_without_hosts_takes_nothing() -> None:
    planned = source("10.1.1.0/24", "host", ("10.9.9.9",), provider=("10.250.0.0/24",))
    assert (planned.lake, planned.translations, planned.provider_translations) == ((), (), ())


def test_pool_shows_its_first_addresses_and_reserves_the_next_power_of_two() -> None:
    first = tenant("a", {"192.168.0.0/22": 3})
    planned = allocate(intent(first, tenant("b", {"10.0.0.0/32": "prefix"}))).plan
    assert planned is not None
    (pool,) = planned.tenants["a"].sources
    assert pool.lake == (lake("100.65.0.0/31"), lake("100.65.0.2/32"))
    assert pool.translations == (
        PortBlockNapt(
            inside("192.168.0.0/22"),
            Address(LAKE, IPv4Address("100.65.0.0")),
            addresses=3,
            hosts_per_address=342,
            block_size=188,
        ),
    )
    assert planned.tenants["b"].sources[0].lake == (lake("100.65.0.4/32"),)


@pytest.mark.parametrize(
    ("cidr", "pool", "hosts_per_address", "block_size"),
    [
        ("10.0.0.0/16", 128, 512, 126),
        ("10.0.0.0/16", 66, 993, 64),
        ("10.0.0.0/24", 1, 256, 252),
        ("10.0.0.0/32", 1, 1, 64512),
    ],
)
def test_pool_ports(cidr: str, pool: int, hosts_per_address: int, block_size: int) -> None:
    (translation,) = source(cidr, pool).translations
    assert isinstance(translation, PortBlockNapt)
    assert (translation.hosts_per_address, translation.block_size) == (hosts_per_address, block_size)


def test_a_pool_that_is_too_small_names_a_sufficient_one() -> None:
    small = intent(tenant("a", {"10.0.0.0/16": 65}))
    message = (
        "tenant a: pool of 65 leaves 63 ports to each of the 65,536 addresses of 10.0.0.0/16, and a host needs 64",
        "write sources: {pool: 66}",
    )
    assert allocate(small).diagnostics == (Diagnostic(FILE, MODE_POSITION, DiagnosticCode.TOO_FEW_PORTS, *message),)
    assert not allocate(intent(tenant("a", {"10.0.0.0/16": 66}))).diagnostics


def test_provider_source_translates_each_lake_block_into_one_of_its_size() -> None:
    planned = source("192.168.0.0/22", 3, provider=("10.250.0.0/31", "10.251.0.0/24"))
    # The first tenant has 10.250.0.0, so the /31 goes to the second prefix and the /32 back to the first.
    assert planned.provider_translations == (
        BasicNat(lake("100.65.0.4/31"), Prefix(PROVIDER, IPv4Network("10.251.0.0/31"))),
        BasicNat(lake("100.65.0.6/32"), Prefix(PROVIDER, IPv4Network("10.250.0.1/32"))),
    )
