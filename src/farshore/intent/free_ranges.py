"""Ranges of addresses that an intent leaves free, for a lake or for the provider's source. Pure.

Advice names a range only from space that is not public and that the file does not use.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from farshore.intent.model import Provider, Tenant
from farshore.realm import ADDRESS_BITS
from farshore.special_purpose import BENCHMARKING, PRIVATE, SHARED

# Where a lake can be, the least used first.
_LAKE_SPACE = (SHARED.block, BENCHMARKING.block, *(entry.block for entry in PRIVATE))
_SOURCE_SPACE = tuple(entry.block for entry in PRIVATE)


@dataclass(frozen=True, slots=True)
class UsedRanges:
    """Addresses that are in use, as sorted ranges, both ends included, none of which overlaps another."""

    firsts: tuple[int, ...]
    lasts: tuple[int, ...]

    @classmethod
    def of(cls, networks: Iterable[IPv4Network]) -> UsedRanges:
        """Return the ranges of some networks, which may overlap."""
        firsts: list[int] = []
        lasts: list[int] = []
        for first, last in sorted((int(each.network_address), int(each.broadcast_address)) for each in networks):
            if firsts and first <= lasts[-1] + 1:
                lasts[-1] = max(lasts[-1], last)
            else:
                firsts.append(first)
                lasts.append(last)
        return cls(tuple(firsts), tuple(lasts))

    def hit(self, first: int, last: int) -> int | None:
        """Return the last address of a range that is in use between two addresses, None where all are free."""
        number = bisect_right(self.firsts, last) - 1
        return self.lasts[number] if number >= 0 and self.lasts[number] >= first else None

    def free(self, length: int, spaces: Iterable[IPv4Network]) -> IPv4Network | None:
        """Return the first free network of a length in one of the spaces, None where there is none."""
        size = 1 << (ADDRESS_BITS - length)
        for space in spaces:
            start, end = int(space.network_address), int(space.broadcast_address)
            while space.prefixlen <= length and start + size - 1 <= end:
                hit = self.hit(start, start + size - 1)
                if hit is None:
                    return IPv4Network((start, length))
                start = -(-(hit + 1) // size) * size
        return None


def free_lake(provider: Provider, tenants: Iterable[Tenant], length: int) -> IPv4Network | None:
    """Return a lake of a length, None where there is none: the present one widened, if that is free, else another."""
    used = UsedRanges.of(_lake_neighbours(provider, tenants))
    present = provider.lake.network
    if length <= present.prefixlen:
        wider = present.supernet(new_prefix=length)
        if any(wider.subnet_of(space) for space in _LAKE_SPACE) and used.free(length, (wider,)) is not None:
            return wider
    return used.free(length, _LAKE_SPACE)


def free_source(provider: Provider, length: int) -> IPv4Network | None:
    """Return private addresses that the provider does not use, for its source; None where there are none."""
    inside = (*provider.networks, *provider.source, provider.lake)
    return UsedRanges.of((*(prefix.network for prefix in inside), *_single(provider))).free(length, _SOURCE_SPACE)


def _lake_neighbours(provider: Provider, tenants: Iterable[Tenant]) -> Iterator[IPv4Network]:
    yield from (prefix.network for prefix in (*provider.networks, *provider.source))
    yield from _single(provider)
    for tenant in tenants:
        yield from (network.prefix.network for network in tenant.networks)
        if tenant.presents is not None:
            yield tenant.presents.network


def _single(provider: Provider) -> Iterator[IPv4Network]:
    for service in provider.services.values():
        yield _alone(service.address.ip)
        if service.internet is not None:
            yield _alone(service.internet.ip)
    for host in provider.hosts:
        yield _alone(host.address.ip)


def _alone(address: IPv4Address) -> IPv4Network:
    return IPv4Network((int(address), ADDRESS_BITS))
