from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farshore.realm import LAKE, PROVIDER, Address, Prefix, tenant_realm
from farshore.translation import FIRST_POOL_PORT, BasicNat, PortBlock, PortBlockNapt
from strategies import addresses_in, basic_nats, port_block_napts

A = tenant_realm("a")
OFFICE = Prefix(A, IPv4Network("10.1.1.0/24"))
BLOCK = Prefix(LAKE, IPv4Network("100.65.7.0/24"))


def at(ip: str) -> Address:
    return Address(A, IPv4Address(ip))


def lake(ip: str) -> Address:
    return Address(LAKE, IPv4Address(ip))


def test_basic_nat_keeps_the_host_bits() -> None:
    nat = BasicNat(OFFICE, BLOCK)
    assert nat.outward(at("10.1.1.77")) == lake("100.65.7.77")
    assert nat.inward(lake("100.65.7.255")) == at("10.1.1.255")


@pytest.mark.parametrize("address", [at("10.1.2.1"), Address(PROVIDER, IPv4Address("10.1.1.1")), lake("100.65.7.1")])
def test_basic_nat_knows_only_the_inside_of_its_own_realm(address: Address) -> None:
    with pytest.raises(ValueError, match=r"is not in 10.1.1.0/24"):
        BasicNat(OFFICE, BLOCK).outward(address)


@given(basic_nats(), st.data())
def test_basic_nat_there_and_back(nat: BasicNat, data: st.DataObject) -> None:
    address = data.draw(addresses_in(nat.inside))
    assert nat.outward(address) in nat.outside
    assert nat.inward(nat.outward(address)) == address


@pytest.mark.parametrize(
    ("ip", "shown", "first", "last"),
    [
        ("10.1.1.0", "100.65.0.0", 1024, 1535),
        ("10.1.1.1", "100.65.0.0", 1536, 2047),
        ("10.1.1.125", "100.65.0.0", 65024, 65535),
        ("10.1.1.126", "100.65.0.1", 1024, 1535),
        ("10.1.1.255", "100.65.0.2", 2560, 3071),
    ],
)
def test_port_blocks_follow_each_other(ip: str, shown: str, first: int, last: int) -> None:
    napt = PortBlockNapt(OFFICE, lake("100.65.0.0"), 3, hosts_per_address=126, block_size=512)
    assert napt.block(at(ip)) == PortBlock(lake(shown), first, last)


@pytest.mark.parametrize(
    ("address", "port"),
    [
        (lake("100.65.0.0"), 1023),
        (lake("100.65.0.0"), 2024),
        (lake("100.65.0.2"), 1024),
        (lake("100.64.255.255"), 1024),
        (lake("100.65.0.1"), 1624),
        (Address(PROVIDER, IPv4Address("100.65.0.0")), 1024),
    ],
    ids=["below the blocks", "above them", "above the pool", "below the pool", "no such host", "realm"],
)
def test_what_no_host_owns(address: Address, port: int) -> None:
    inside = Prefix(A, IPv4Network("10.0.0.0/28"))
    napt = PortBlockNapt(inside, lake("100.65.0.0"), 2, hosts_per_address=10, block_size=100)
    assert napt.owner(lake("100.65.0.0"), 1024) == at("10.0.0.0")
    assert napt.owner(lake("100.65.0.0"), 2023) == at("10.0.0.9")
    assert napt.owner(lake("100.65.0.1"), 1623) == at("10.0.0.15")
    assert napt.owner(address, port) is None


def test_napt_knows_only_the_inside_of_its_own_realm() -> None:
    napt = PortBlockNapt(OFFICE, lake("100.65.0.0"), 1, hosts_per_address=256, block_size=252)
    with pytest.raises(ValueError, match=r"10.1.1.1 \(provider\) is not in 10.1.1.0/24 \(a\)"):
        napt.block(Address(PROVIDER, IPv4Address("10.1.1.1")))


@given(port_block_napts(), st.data())
def test_the_owner_of_each_port_of_a_block(napt: PortBlockNapt, data: st.DataObject) -> None:
    address = data.draw(addresses_in(napt.inside))
    block = napt.block(address)
    assert FIRST_POOL_PORT <= block.first_port <= block.last_port <= 65535
    assert 0 <= int(block.address.ip) - int(napt.first.ip) < napt.addresses
    port = data.draw(st.integers(block.first_port, block.last_port))
    assert napt.owner(block.address, port) == address


@given(port_block_napts(), st.data())
def test_whoever_owns_a_port_has_it_in_the_block(napt: PortBlockNapt, data: st.DataObject) -> None:
    address = Address(LAKE, napt.first.ip + data.draw(st.integers(0, napt.addresses - 1)))
    port = data.draw(st.integers(0, 65535))
    owner = napt.owner(address, port)
    if owner is not None:
        block = napt.block(owner)
        assert block.address == address
        assert block.first_port <= port <= block.last_port
