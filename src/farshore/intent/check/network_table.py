"""Find the network that contains an address, and networks that overlap, among many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from farshore.errors import Position
from farshore.realm import ADDRESS_BITS, usable_addresses

_ALL_BITS = (1 << ADDRESS_BITS) - 1


@dataclass(frozen=True, slots=True)
class Placed:
    """A network and its position in the file."""

    network: IPv4Network
    position: Position

    def __str__(self) -> str:
        """Return ``10.1.1.0/24 (line 5)``."""
        return f"{self.network} (line {self.position.line})"


class NetworkTable:
    """Networks by length and bits: one lookup for each prefix length that occurs, however many there are."""

    __slots__ = ("_by_length", "_lengths")

    def __init__(self, networks: Iterable[Placed]) -> None:
        """Take the networks in order; of equal ones the first counts."""
        self._by_length: dict[int, dict[int, Placed]] = {}
        for each in networks:
            bits = int(each.network.network_address)
            self._by_length.setdefault(each.network.prefixlen, {}).setdefault(bits, each)
        self._lengths = sorted(self._by_length)

    def holding(self, address: IPv4Address) -> Placed | None:
        """Return the largest network that contains an address."""
        bits = int(address)
        for length in self._lengths:
            found = self._by_length[length].get(bits & mask(length))
            if found is not None:
                return found
        return None


def mask(length: int) -> int:
    """Return the netmask of a prefix length as a number."""
    return _ALL_BITS << (ADDRESS_BITS - length) & _ALL_BITS


def overlap(one: IPv4Network, other: IPv4Network) -> bool:
    """Tell whether two networks have an address in common: one then contains the other."""
    shorter = mask(min(one.prefixlen, other.prefixlen))
    return int(one.network_address) & shorter == int(other.network_address) & shorter


def relation(one: IPv4Network, other: IPv4Network) -> str:
    """Return how one network overlaps another, in words."""
    if one == other:
        return "equals"
    return "is inside" if one.prefixlen > other.prefixlen else "contains"


def overlapping_pairs(networks: Iterable[Placed]) -> list[tuple[Placed, Placed]]:
    """Return for each network the one that it overlaps, the one that the file names later first."""
    # Shorter prefixes first: whatever contains a network is then in the table before it.
    in_order = sorted(networks, key=lambda each: (each.network.prefixlen, each.position))
    seen: dict[tuple[int, int], Placed] = {}
    lengths: list[int] = []
    pairs = []
    for each in in_order:
        length, bits = each.network.prefixlen, int(each.network.network_address)
        if length not in lengths:
            lengths.append(length)
        keys = ((short, bits & mask(short)) for short in lengths)
        around = next((seen[key] for key in keys if key in seen), None)
        if around is not None:
            pairs.append((each, around) if around.position <= each.position else (around, each))
        seen.setdefault((length, bits), each)
    return pairs


def end_of(network: IPv4Network, address: IPv4Address) -> str | None:
    """Return ``network`` or ``broadcast`` where an address is that of this network, else None."""
    number = int(address)
    if number in usable_addresses(network) or address not in network:
        return None
    return "network" if number == int(network.network_address) else "broadcast"
