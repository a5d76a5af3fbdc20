"""The IANA IPv4 Special-Purpose Address Registry (RFC 6890, updated by RFC 8190), and what it keeps off the Internet.

Designs filter by it at the provider's edge and the proof judges them by it, so it stands below both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses


@dataclass(frozen=True, slots=True)
class SpecialPurpose:
    """One entry of the registry. ``globally_reachable`` is None where the registry says "N/A"."""

    block: IPv4Network
    name: str
    rfc: str
    globally_reachable: bool | None


def _entry(block: str, name: str, rfc: str, *, globally_reachable: bool | None) -> SpecialPurpose:
    return SpecialPurpose(IPv4Network(block), name, rfc, globally_reachable)


REGISTRY = (
    _entry("0.0.0.0/8", "This network", "RFC 791", globally_reachable=False),
    _entry("0.0.0.0/32", "This host on this network", "RFC 1122", globally_reachable=False),
    _entry("10.0.0.0/8", "Private-Use", "RFC 1918", globally_reachable=False),
    _entry("100.64.0.0/10", "Shared Address Space", "RFC 6598", globally_reachable=False),
    _entry("127.0.0.0/8", "Loopback", "RFC 1122", globally_reachable=False),
    _entry("169.254.0.0/16", "Link Local", "RFC 3927", globally_reachable=False),
    _entry("172.16.0.0/12", "Private-Use", "RFC 1918", globally_reachable=False),
    _entry("192.0.0.0/24", "IETF Protocol Assignments", "RFC 6890", globally_reachable=False),
    _entry("192.0.0.0/29", "IPv4 Service Continuity Prefix", "RFC 7335", globally_reachable=False),
    _entry("192.0.0.8/32", "IPv4 dummy address", "RFC 7600", globally_reachable=False),
    _entry("192.0.0.9/32", "Port Control Protocol Anycast", "RFC 7723", globally_reachable=True),
    _entry("192.0.0.10/32", "Traversal Using Relays around NAT Anycast", "RFC 8155", globally_reachable=True),
    _entry("192.0.0.170/32", "NAT64/DNS64 Discovery", "RFC 8880", globally_reachable=False),
    _entry("192.0.0.171/32", "NAT64/DNS64 Discovery", "RFC 8880", globally_reachable=False),
    _entry("192.0.2.0/24", "Documentation (TEST-NET-1)", "RFC 5737", globally_reachable=False),
    _entry("192.31.196.0/24", "AS112-v4", "RFC 7535", globally_reachable=True),
    _entry("192.52.193.0/24", "AMT", "RFC 7450", globally_reachable=True),
    _entry("192.88.99.0/24", "Deprecated (6to4 Relay Anycast)", "RFC 7526", globally_reachable=None),
    _entry("192.88.99.2/32", "6a44-relay anycast address", "RFC 6751", globally_reachable=False),
    _entry("192.168.0.0/16", "Private-Use", "RFC 1918", globally_reachable=False),
    _entry("192.175.48.0/24", "Direct Delegation AS112 Service", "RFC 7534", globally_reachable=True),
    _entry("198.18.0.0/15", "Benchmarking", "RFC 2544", globally_reachable=False),
    _entry("198.51.100.0/24", "Documentation (TEST-NET-2)", "RFC 5737", globally_reachable=False),
    _entry("203.0.113.0/24", "Documentation (TEST-NET-3)", "RFC 5737", globally_reachable=False),
    _entry("240.0.0.0/4", "Reserved", "RFC 1112", globally_reachable=False),
    _entry("255.255.255.255/32", "Limited Broadcast", "RFC 919", globally_reachable=False),
)
# Never a source (RFC 1122 section 3.2.1.3); it has a registry of its own.
MULTICAST = IPv4Network("224.0.0.0/4")
# Tenants and providers use these inside, carriers between themselves and their customers.
PRIVATE = tuple(entry for entry in REGISTRY if entry.rfc == "RFC 1918")
SHARED = next(entry for entry in REGISTRY if entry.rfc == "RFC 6598")
BENCHMARKING = next(entry for entry in REGISTRY if entry.rfc == "RFC 2544")
# Examples and labs use these in place of the Internet's addresses, farshore's own lab too.
STAND_FOR_THE_INTERNET = tuple(entry.block for entry in REGISTRY if entry.rfc in ("RFC 5737", "RFC 2544"))


def without(networks: Iterable[IPv4Network], holes: Iterable[IPv4Network]) -> tuple[IPv4Network, ...]:
    """Return the addresses of networks that are in none of the holes, as few prefixes as can be, in order."""
    remaining = list(networks)
    for hole in holes:
        kept: list[IPv4Network] = []
        for network in remaining:
            if hole.subnet_of(network):
                kept.extend(network.address_exclude(hole))
            elif not network.subnet_of(hole):
                kept.append(network)
        remaining = kept
    return tuple(sorted(collapse_addresses(remaining)))


def _never_on_the_internet() -> tuple[IPv4Network, ...]:
    unreachable = [entry.block for entry in REGISTRY if entry.globally_reachable is False]
    # The registry's longer entries are exceptions to the shorter ones that hold them.
    reachable = [entry.block for entry in REGISTRY if entry.globally_reachable]
    return without(collapse_addresses([*unreachable, MULTICAST]), [*reachable, *STAND_FOR_THE_INTERNET])


NEVER_ON_THE_INTERNET = _never_on_the_internet()
"""Source addresses that no packet from the Internet may have, besides the addresses of its destination."""


PUBLIC = without([IPv4Network("0.0.0.0/0")], [*NEVER_ON_THE_INTERNET, *STAND_FOR_THE_INTERNET])
"""Addresses that hosts on the Internet have. A network that uses others' of them inside hides these from itself."""
