"""The services' share of the lake: a lake address for every service, and for every calling host of the provider.

The first part of the lake is for services, the rest for tenants' hosts. Services have the share from its beginning,
calling hosts from its end, so that neither moves the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from farshore.errors import counted
from farshore.intent.model import Host, Intent
from farshore.plan.model import Caller, ServicePlan
from farshore.realm import LAKE, Address

SERVICES_PART = 64
LEAST_SERVICES_SHARE = 256
SMALLEST_SHARE_WITH_ENDS = 4


@dataclass(frozen=True, slots=True)
class Share:
    """A range of the lake, as whole numbers."""

    start: int
    size: int


def services_size(lake_size: int) -> int:
    """Return how many addresses of a lake are reserved for services."""
    return min(max(lake_size // SERVICES_PART, LEAST_SERVICES_SHARE), lake_size // 2)


def services_share(lake: IPv4Network) -> Share:
    """Return the part of the lake that is reserved for services, which is its first."""
    return Share(int(lake.network_address), services_size(lake.num_addresses))


def tenants_share(lake: IPv4Network) -> Share:
    """Return the part of the lake that is for tenants' hosts, which is all but the services' share."""
    services = services_share(lake)
    return Share(services.start + services.size, lake.num_addresses - services.size)


def service_addresses(share: Share) -> range:
    """Return the addresses that services may have, in the order in which they are assigned.

    The first and the last address of the share are left out, as in any network, unless the lake is
    so small (/30 and longer) that there would be nothing left.
    """
    if share.size < SMALLEST_SHARE_WITH_ENDS:
        return range(share.start, share.start + share.size)
    return range(share.start + 1, share.start + share.size - 1)


@dataclass(frozen=True, slots=True)
class AllocatedServices:
    """The services that have a lake address, and the problem where not all have one."""

    services: Mapping[str, ServicePlan]
    problem: str | None = None


def allocate_services(intent: Intent) -> AllocatedServices:
    """Assign consecutive lake addresses to the services; a service added at the end moves no other."""
    provider = intent.provider
    there = service_addresses(services_share(provider.lake.network))
    services = {
        service.name: ServicePlan(service.name, service.address, Address(LAKE, IPv4Address(number)))
        for service, number in zip(provider.services.values(), there, strict=False)
    }
    needed = len(provider.services)
    if needed <= len(there):
        return AllocatedServices(services)
    return AllocatedServices(services, _full(provider.lake.network, counted(needed, "service"), len(there)))


@dataclass(frozen=True, slots=True)
class AllocatedCallers:
    """The callers by name, and the problem where not all have a lake address."""

    callers: Mapping[str, Caller]
    problem: str | None = None


def allocate_callers(intent: Intent, services: Mapping[str, ServicePlan]) -> AllocatedCallers:
    """Assign lake addresses to the provider's named hosts; without any, the services call from their own."""
    provider = intent.provider
    if not provider.reaches:
        return AllocatedCallers({})
    if not provider.hosts:
        return AllocatedCallers({s.name: Caller(s.name, s.address, s.lake) for s in services.values()})
    there = service_addresses(services_share(provider.lake.network))
    free = there[len(provider.services) :][::-1]
    callers = {
        host.name: Caller(host.name, host.address, Address(LAKE, IPv4Address(number)))
        for host, number in zip(provider.hosts, free, strict=False)
    }
    # Where the services alone are too many, that has been reported already.
    alone = services_fit(provider.lake.network.num_addresses, len(provider.services))
    if len(callers) == len(provider.hosts) or not alone:
        return AllocatedCallers(callers)
    needed = f"{counted(len(provider.services), 'service')} and {counted(len(provider.hosts), 'host')} of the provider"
    return AllocatedCallers(callers, _full(provider.lake.network, needed, len(there)))


def calling_hosts(intent: Intent) -> tuple[Host, ...]:
    """Return the provider's hosts that have an address of the services' share: those that may call tenants."""
    return intent.provider.hosts if intent.provider.reaches else ()


def services_fit(lake_size: int, count: int) -> bool:
    """Tell whether a lake of this size has addresses for so many services, and hosts beside them."""
    return count <= len(service_addresses(Share(0, services_size(lake_size))))


def _full(lake: IPv4Network, needed: str, reserved: int) -> str:
    """Return that the services' share is full, with what needs addresses there."""
    return f"lake {lake} has {counted(reserved, 'address')} reserved for services, too few for {needed}"
