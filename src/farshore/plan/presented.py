"""The addresses by which a tenant knows services and callers, from the range that its admins assigned."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import islice

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, counted
from farshore.intent.model import Intent, Tenant
from farshore.realm import Address, length_for, usable_addresses


@dataclass(frozen=True, slots=True)
class AllocatedPresented:
    """The presented address of each service and caller that has one, and a diagnostic where not all have one."""

    presents: Mapping[str, Address]
    callers: Mapping[str, Address]
    diagnostics: tuple[Diagnostic, ...]


def allocate_presented(
    file: str, tenant: Tenant, callers: Collection[str] = (), known: Set[str] = frozenset()
) -> AllocatedPresented:
    """Keep the pinned addresses; assign the lowest free ones to the rest, in the order of the file.

    Args:
        file: The name of the intent file.
        tenant: The tenant that knows the services by these addresses.
        callers: The provider's hosts that may call it. Its own hosts see these by presented addresses too, from
            the end of the range, so that a service that it comes to use moves none of them.
        known: The services that have one address, whether the tenant uses them or they call it.
    """
    pinned = {
        int(subscription.presented.ip) for subscription in tenant.subscriptions if subscription.presented is not None
    }
    usable = usable_addresses(tenant.presents.network) if tenant.presents is not None else range(0)
    free = (Address(tenant.realm, IPv4Address(number)) for number in usable if number not in pinned)
    presents: dict[str, Address] = {}
    for subscription in tenant.subscriptions:
        presented = subscription.presented or next(free, None)
        if presented is not None:
            presents[subscription.service] = presented
    taken = pinned | {int(address.ip) for address in presents.values()}
    others = [caller for caller in callers if caller not in known]
    left = islice((number for number in reversed(usable) if number not in taken), len(others))
    seen = {caller: presents[caller] for caller in callers if caller in known and caller in presents}
    seen |= {caller: Address(tenant.realm, IPv4Address(number)) for caller, number in zip(others, left, strict=False)}
    in_order = {caller: seen[caller] for caller in callers if caller in seen}
    if len(presents) == len(tenant.subscriptions) and len(in_order) == len(callers):
        return AllocatedPresented(presents, in_order, ())
    return AllocatedPresented(presents, in_order, (_full(file, tenant, usable, len(others)),))


def services_of_its_design(intent: Intent, tenant: Tenant) -> Set[str]:
    """Return the services that a tenant uses by its own design, which also carries calls.

    Such a service has one presented address, whichever side opens the connection. A service of another design
    has another path, on which no reply to a call would return.
    """
    own = intent.design_of(tenant.name)
    used = (subscription.service for subscription in tenant.subscriptions)
    return {name for name in used if intent.design_of(tenant.name, name) is own}


def _full(file: str, tenant: Tenant, usable: range, callers: int) -> Diagnostic:
    length = length_for(len(tenant.subscriptions) + callers)
    needs = counted(len(tenant.subscriptions), "service")
    if callers:
        needs += f" and {counted(callers, 'calling host')} of the provider"
    if tenant.presents is None:
        problem = f"tenant {tenant.name}: {needs} need addresses, and there is no presented range"
        fix = f"write presents: with the range that its admins assigned, a /{length} or larger"
        return Diagnostic(file, tenant.position, DiagnosticCode.PRESENTED_FULL, problem, fix)
    available = counted(len(usable), "usable address")
    problem = f"tenant {tenant.name}: presents {tenant.presents.network} has {available} for {needs}"
    fix = f"ask its admins for a /{length}"
    return Diagnostic(file, tenant.presents_position, DiagnosticCode.PRESENTED_FULL, problem, fix)
