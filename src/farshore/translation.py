"""Translation between two realms: basic NAT and NAPT with port blocks (RFC 2663 section 4.1).

Both are one-to-one at every moment and computable in both directions without any state, so
"who was this lake address and port" always has one answer (RFC 7422).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from farshore.realm import Address, Prefix

FIRST_POOL_PORT = 1024
POOL_PORTS = 65536 - FIRST_POOL_PORT


@dataclass(frozen=True, slots=True)
class BasicNat:
    """Addresses only, host bits kept: the n-th address of one prefix is the n-th of the other.

    Both prefixes have the same length. Two /32 prefixes make a translation of one single address.
    """

    inside: Prefix
    outside: Prefix

    def outward(self, address: Address) -> Address:
        """Return the outside address of an inside address. Raises ValueError for any other."""
        return _same_offset(address, self.inside, self.outside)

    def inward(self, address: Address) -> Address:
        """Return the inside address of an outside address. Raises ValueError for any other."""
        return _same_offset(address, self.outside, self.inside)

    def reversed(self) -> BasicNat:
        """Return the translation of the opposite direction."""
        return BasicNat(self.outside, self.inside)


@dataclass(frozen=True, slots=True)
class PortBlock:
    """What one inside host owns in NAPT: an outside address and its ports, both ends included."""

    address: Address
    first_port: int
    last_port: int


@dataclass(frozen=True, slots=True)
class PortBlockNapt:
    """NAPT with a fixed block of ports for every inside address (deterministic NAT, RFC 7422).

    Inside address number i (counted from the network address) owns, on outside address number
    ``i // hosts_per_address`` counted from ``first``, the block of ``block_size`` ports number
    ``i % hosts_per_address`` counted from port 1024.
    """

    inside: Prefix
    first: Address
    addresses: int
    hosts_per_address: int
    block_size: int

    def block(self, address: Address) -> PortBlock:
        """Return the block that an inside address owns. Raises ValueError for any other address."""
        if address not in self.inside:
            raise ValueError(f"{address} is not in {self.inside}")
        index = int(address.ip) - int(self.inside.network.network_address)
        pool_index, block_index = divmod(index, self.hosts_per_address)
        first_port = FIRST_POOL_PORT + block_index * self.block_size
        outside = Address(self.first.realm, self.first.ip + pool_index)
        return PortBlock(outside, first_port, first_port + self.block_size - 1)

    def blocks(self) -> Iterator[tuple[Address, PortBlock]]:
        """Yield every inside address with the block that it owns, in order."""
        for ip in self.inside.network:
            inside = Address(self.inside.realm, ip)
            yield inside, self.block(inside)

    def owner(self, address: Address, port: int) -> Address | None:
        """Return the inside address that owns an outside address and port, None where none does."""
        pool_index = int(address.ip) - int(self.first.ip)
        block_index, _ = divmod(port - FIRST_POOL_PORT, self.block_size)
        if address.realm != self.first.realm or not 0 <= pool_index < self.addresses:
            return None
        if not 0 <= block_index < self.hosts_per_address:
            return None
        index = pool_index * self.hosts_per_address + block_index
        if index >= self.inside.network.num_addresses:
            return None
        return Address(self.inside.realm, self.inside.network.network_address + index)


SourceTranslation = BasicNat | PortBlockNapt


def _same_offset(address: Address, origin: Prefix, target: Prefix) -> Address:
    if address not in origin:
        raise ValueError(f"{address} is not in {origin}")
    offset = int(address.ip) - int(origin.network.network_address)
    return Address(target.realm, IPv4Address(int(target.network.network_address) + offset))
