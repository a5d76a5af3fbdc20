"""The provider's hosts that may open connections to tenants: each has an address of its own in the lake."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from ipaddress import IPv4Address

from farshore.errors import Diagnostic
from farshore.intent.model import Intent, Tenant
from farshore.plan.lake_layout import service_addresses, services_share
from farshore.plan.model import Caller, ServicePlan
from farshore.plan.services import lake_length_for, services_fit
from farshore.plan.wording import counted
from farshore.realm import LAKE, Address


@dataclass(frozen=True, slots=True)
class AllocatedCallers:
    """The callers by name, and a diagnostic where not all have a lake address."""

    callers: Mapping[str, Caller]
    diagnostics: tuple[Diagnostic, ...]


def allocate_callers(intent: Intent, services: Mapping[str, ServicePlan]) -> AllocatedCallers:
    """Give lake addresses to the provider's named hosts; without any, the services call by their own.

    Hosts have the services' share from its end, so that neither moves the other.
    """
    provider = intent.provider
    if not provider.reaches:
        return AllocatedCallers({}, ())
    if not provider.hosts:
        return AllocatedCallers({s.name: Caller(s.name, s.address, s.lake) for s in services.values()}, ())
    there = service_addresses(services_share(provider.lake.network))
    free = there[len(provider.services) :][::-1]
    callers = {
        host.name: Caller(host.name, host.address, Address(LAKE, IPv4Address(number)))
        for host, number in zip(provider.hosts, free, strict=False)
    }
    # Where the services alone are too many, that has been said already.
    alone = services_fit(provider.lake.network.num_addresses, len(provider.services))
    if len(callers) == len(provider.hosts) or not alone:
        return AllocatedCallers(callers, ())
    problem = (
        f"the services' share of the lake {provider.lake.network} is full: {counted(len(provider.services), 'service')}"
        f" and {counted(len(provider.hosts), 'host')} of the provider, and {counted(len(there), 'address')} for them"
    )
    fix = f"widen the lake to /{lake_length_for(len(provider.services) + len(provider.hosts))}"
    return AllocatedCallers(callers, (Diagnostic(intent.file, provider.lake_position, problem, fix),))


def services_of_its_design(intent: Intent, tenant: Tenant) -> Set[str]:
    """Return the services that a tenant uses by its own design, by which calls come too.

    Such a service has one presented address, whoever opens the connection. What is answered by another design
    has another way, on which no reply to a call would come back.
    """
    own = intent.design_of(tenant.name)
    used = (subscription.service for subscription in tenant.subscriptions)
    return {name for name in used if intent.design_of(tenant.name, name) is own}
