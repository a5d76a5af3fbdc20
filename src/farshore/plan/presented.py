"""The addresses by which a tenant knows the services, out of the range that its admins gave."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import islice

from farshore.errors import Diagnostic
from farshore.intent.model import Tenant
from farshore.plan.blocks import ADDRESS_BITS
from farshore.plan.wording import counted
from farshore.realm import Address

# Up to this length a network has a network address and a broadcast address, which no service may have.
LONGEST_WITH_ENDS = 30


@dataclass(frozen=True, slots=True)
class AllocatedPresented:
    """The presented address of each service and caller that has one, and a diagnostic where not all have one."""

    presents: Mapping[str, Address]
    callers: Mapping[str, Address]
    diagnostics: tuple[Diagnostic, ...]


def allocate_presented(
    file: str, tenant: Tenant, callers: Collection[str] = (), known: Set[str] = frozenset()
) -> AllocatedPresented:
    """Keep the pinned addresses; give the lowest free ones to the rest, in the order of the file.

    Args:
        file: The name of the intent file.
        tenant: Who knows the services by these addresses.
        callers: The provider's hosts that may call it. Its own hosts see these by presented addresses too, from
            the end of the range, so that a service that it comes to use moves none of them.
        known: Those services that have one address, whether the tenant uses them or they call it.
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


def usable_addresses(network: IPv4Network) -> range:
    """Return the addresses of a network that a service may have."""
    first = int(network.network_address)
    if network.prefixlen > LONGEST_WITH_ENDS:
        return range(first, first + network.num_addresses)
    return range(first + 1, first + network.num_addresses - 1)


def _full(file: str, tenant: Tenant, usable: range, callers: int) -> Diagnostic:
    asked = len(tenant.subscriptions) + callers
    length = next(
        length for length in range(ADDRESS_BITS, -1, -1) if len(usable_addresses(IPv4Network((0, length)))) >= asked
    )
    whom = counted(len(tenant.subscriptions), "service")
    if callers:
        whom += f", {counted(callers, 'host')} of the provider that may call it"
    if tenant.presents is None:
        problem = f"{tenant.name} uses {whom} and gives no range to present them in"
        return Diagnostic(file, tenant.position, problem, f"give it a range as presents, a /{length} or shorter")
    problem = (
        f"the range {tenant.presents.network} that {tenant.name} presents services in is full: "
        f"{whom} and {counted(len(usable), 'address')} for them"
    )
    return Diagnostic(file, tenant.presents_position, problem, f"give it a /{length}")
