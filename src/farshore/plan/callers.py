"""The provider's hosts that may open connections to tenants: each has an address of its own in the lake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from farshore.errors import Diagnostic
from farshore.intent.model import Intent
from farshore.plan.model import Caller, ServicePlan
from farshore.plan.share import service_addresses, services_share
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
    if len(callers) == len(provider.hosts):
        return AllocatedCallers(callers, ())
    problem = (
        f"the services' share of the lake {provider.lake.network} is full: {counted(len(provider.services), 'service')}"
        f" and {counted(len(provider.hosts), 'host')} of the provider for {counted(len(there), 'address')}"
    )
    return AllocatedCallers(callers, (Diagnostic(intent.file, provider.lake_place, problem, "widen the lake"),))
