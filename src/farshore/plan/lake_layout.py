"""How the lake is shared out: its first part is for services, the rest for tenants' hosts."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

SERVICES_PART = 64
LEAST_SERVICES_SHARE = 256
SMALLEST_SHARE_WITH_ENDS = 4


@dataclass(frozen=True, slots=True)
class Share:
    """A range of the lake, as whole numbers."""

    start: int
    size: int


def services_size(lake_size: int) -> int:
    """Return how many addresses of a lake are set aside for services."""
    return min(max(lake_size // SERVICES_PART, LEAST_SERVICES_SHARE), lake_size // 2)


def services_share(lake: IPv4Network) -> Share:
    """Return the part of the lake that is set aside for services, which is its first."""
    return Share(int(lake.network_address), services_size(lake.num_addresses))


def tenants_share(lake: IPv4Network) -> Share:
    """Return the part of the lake that is for tenants' hosts, which is all but the services' share."""
    services = services_share(lake)
    return Share(services.start + services.size, lake.num_addresses - services.size)


def service_addresses(share: Share) -> range:
    """Return the addresses that services may have, in the order in which they are given.

    The first and the last address of the share are left out, as in any network, unless the lake is
    so small (/30 and longer) that there would be nothing left.
    """
    if share.size < SMALLEST_SHARE_WITH_ENDS:
        return range(share.start, share.start + share.size)
    return range(share.start + 1, share.start + share.size - 1)
