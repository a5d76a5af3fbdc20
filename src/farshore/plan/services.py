"""A unique lake address for every service, in the order of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from farshore.errors import Diagnostic
from farshore.intent.model import Host, Intent
from farshore.plan.blocks import ADDRESS_BITS
from farshore.plan.lake_layout import Share, service_addresses, services_share, services_size
from farshore.plan.model import ServicePlan
from farshore.plan.wording import counted
from farshore.realm import LAKE, Address


@dataclass(frozen=True, slots=True)
class AllocatedServices:
    """The services that have a lake address, and a diagnostic where not all have one."""

    services: Mapping[str, ServicePlan]
    diagnostics: tuple[Diagnostic, ...]


def allocate_services(intent: Intent) -> AllocatedServices:
    """Give consecutive lake addresses to the services; a service added at the end moves no other."""
    provider = intent.provider
    there = service_addresses(services_share(provider.lake.network))
    services = {
        service.name: ServicePlan(service.name, service.address, Address(LAKE, IPv4Address(number)))
        for service, number in zip(provider.services.values(), there, strict=False)
    }
    asked = len(provider.services)
    if asked <= len(there):
        return AllocatedServices(services, ())
    problem = (
        f"the services' share of the lake {provider.lake.network} is full: "
        f"{counted(asked, 'service')} and {counted(len(there), 'address')} for them"
    )
    fix = f"widen the lake to /{lake_length_for(asked + len(calling_hosts(intent)))}"
    return AllocatedServices(services, (Diagnostic(intent.file, provider.lake_position, problem, fix),))


def calling_hosts(intent: Intent) -> tuple[Host, ...]:
    """Return the provider's hosts that have an address of the services' share: those that may call tenants."""
    return intent.provider.hosts if intent.provider.reaches else ()


def services_fit(lake_size: int, count: int) -> bool:
    """Tell whether a lake of this size has addresses for so many services, and hosts beside them."""
    return count <= len(service_addresses(Share(0, services_size(lake_size))))


def lake_length_for(count: int) -> int:
    """Return the longest prefix of a lake that has addresses for so many."""
    lengths = range(ADDRESS_BITS, -1, -1)
    return next(length for length in lengths if services_fit(1 << (ADDRESS_BITS - length), count))
