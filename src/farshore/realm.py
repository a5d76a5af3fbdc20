"""Realms: an address is unique only within the network that it belongs to.

RFC 2663 section 2 calls a network in which addresses are unique an address realm. Alice's indigo
10.1.1.1 and the portal's plum 10.1.1.1 are two addresses because they stand in two realms.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

ADDRESS_BITS = 32
# Longer prefixes have no network and no broadcast address (RFC 3021).
_LONGEST_WITH_ENDS = 30


class RealmKind(StrEnum):
    """What sort of network a realm is."""

    TENANT = "tenant"
    PROVIDER = "provider"
    LAKE = "lake"
    INTERNET = "internet"


@dataclass(frozen=True, slots=True, order=True)
class Realm:
    """One address space. Names are unique: no tenant may be called provider, lake or internet."""

    kind: RealmKind
    name: str

    def __str__(self) -> str:
        """Return the name by which output shows the realm."""
        return self.name


PROVIDER = Realm(RealmKind.PROVIDER, "provider")
LAKE = Realm(RealmKind.LAKE, "lake")
INTERNET = Realm(RealmKind.INTERNET, "internet")
RESERVED_TENANT_NAMES = frozenset({PROVIDER.name, LAKE.name, INTERNET.name})


def tenant_realm(name: str) -> Realm:
    """Return the realm of the tenant with this name."""
    return Realm(RealmKind.TENANT, name)


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An IPv4 address and the realm in which it means something."""

    realm: Realm
    ip: IPv4Address

    def __str__(self) -> str:
        """Return ``10.1.1.1 (customer-a)``."""
        return f"{self.ip} ({self.realm})"


@dataclass(frozen=True, slots=True, order=True)
class Prefix:
    """An IPv4 network and the realm in which it means something."""

    realm: Realm
    network: IPv4Network

    def __str__(self) -> str:
        """Return ``10.1.1.0/24 (customer-a)``."""
        return f"{self.network} ({self.realm})"

    def __contains__(self, address: Address) -> bool:
        """Tell whether the address is of this realm and inside this network."""
        return address.realm == self.realm and address.ip in self.network

    @classmethod
    def of(cls, address: Address) -> Prefix:
        """Return the prefix that contains this address alone."""
        return cls(address.realm, IPv4Network((int(address.ip), 32)))


def usable_addresses(network: IPv4Network) -> range:
    """Return the addresses of a network that a host can have, as numbers.

    They are all but the network and broadcast addresses, and all of a /31 or /32 (RFC 3021).
    """
    first, size = int(network.network_address), 1 << (ADDRESS_BITS - network.prefixlen)
    if network.prefixlen > _LONGEST_WITH_ENDS:
        return range(first, first + size)
    return range(first + 1, first + size - 1)


def length_for(count: int) -> int:
    """Return the longest prefix length with so many usable addresses, 0 where none has."""
    lengths = range(ADDRESS_BITS, 0, -1)
    return next((each for each in lengths if len(usable_addresses(IPv4Network((0, each)))) >= count), 0)
