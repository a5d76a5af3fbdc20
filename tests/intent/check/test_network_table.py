"""Look-ups among many networks, held against Python's own and slower answers."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st

from farshore.errors import Position
from farshore.intent.check.network_table import (
    NetworkTable,
    Placed,
    end_of,
    overlap,
    overlapping_pairs,
    relation,
)
from farshore.realm import length_for, usable_addresses

# Few bits, so that networks meet often.
ADDRESSES = st.integers(0, 255).map(lambda low: IPv4Address(0x0A000000 | low))
NETWORKS = st.builds(
    lambda address, length: IPv4Network((int(address), length), strict=False), ADDRESSES, st.integers(22, 32)
)
PLACED = st.lists(NETWORKS, max_size=12).map(
    lambda networks: tuple(Placed(network, Position(line)) for line, network in enumerate(networks, 1))
)


@settings(deadline=None)
@given(PLACED, ADDRESSES)
def test_holding(networks: tuple[Placed, ...], address: IPv4Address) -> None:
    found = NetworkTable(networks).holding(address)
    holding = [each for each in networks if address in each.network]
    shortest = min((each.network.prefixlen for each in holding), default=None)
    assert (found.network.prefixlen if found else None) == shortest
    assert found is None or found in holding


@settings(deadline=None)
@given(NETWORKS, NETWORKS)
def test_overlap_and_its_name(one: IPv4Network, other: IPv4Network) -> None:
    assert overlap(one, other) == one.overlaps(other)
    if one.overlaps(other):
        names = {
            "equals": one == other,
            "is inside": one.subnet_of(other),
            "contains": one.supernet_of(other),
        }
        assert names[relation(one, other)]


@settings(deadline=None)
@given(PLACED)
def test_overlapping_pairs(networks: tuple[Placed, ...]) -> None:
    pairs = overlapping_pairs(networks)
    for later, earlier in pairs:
        assert later.position > earlier.position
        assert later.network.overlaps(earlier.network)
    expected = {
        each for each in networks for other in networks if each is not other and each.network.overlaps(other.network)
    }
    assert bool(pairs) == bool(expected)
    assert {each for pair in pairs for each in pair} == expected


@settings(deadline=None)
@given(NETWORKS, ADDRESSES)
def test_ends(network: IPv4Network, address: IPv4Address) -> None:
    end = end_of(network, address) if address in network else None
    assert (end == "network") == (address == network.network_address and network.prefixlen <= 30)
    assert (end == "broadcast") == (address == network.broadcast_address and network.prefixlen <= 30)
    assert list(usable_addresses(network)) == [int(each) for each in network.hosts()]


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_length_for(count: int) -> None:
    length = length_for(count)
    assert len(usable_addresses(IPv4Network((0, length)))) >= count
    assert length == 32 or len(usable_addresses(IPv4Network((0, length + 1)))) < count
