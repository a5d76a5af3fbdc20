"""The source modes of a tenant with all of their faults repaired at once, so that no fix undoes another."""

from __future__ import annotations

from dataclasses import replace

from farshore.fix import Choice, Fix
from farshore.intent.check.network_table import NetworkTable, Placed
from farshore.intent.check.scope import Scope
from farshore.intent.model import Mode, Network, Tenant
from farshore.intent.source_modes import write_sources
from farshore.realm import ADDRESS_BITS

LARGEST_POOLED_LENGTH = 16


def modes_fix(scope: Scope, tenant: Tenant, network: Network, words: str, *, also: bool = False, at: str = "") -> str:
    """Return the fix of one network's mode: all modes of its tenant as they may be, or ``words`` where none is known.

    With ``also`` the words are another choice, beside the edit. ``at`` tells where it is, if not at the fault.
    """
    repaired = repaired_modes(scope, tenant)
    there = tenant.networks.index(network)
    if repaired is None or (repaired[there].mode, repaired[there].pool_size) == (network.mode, network.pool_size):
        return words
    edit = Choice(f"write sources: {{}}{at}", (write_sources(tenant, repaired),))
    return Fix((edit, Choice(words)) if also else (edit,))


def repaired_modes(scope: Scope, tenant: Tenant) -> tuple[Network, ...] | None:
    """Return a tenant's networks with modes that they may have; None where the file does not tell all of them."""
    if not all(scope.whole(tenant.name, key) for key in ("networks", "sources", "hosts")) or not tenant.networks:
        return None
    table = NetworkTable(Placed(each.prefix.network, each.position) for each in tenant.networks)
    inhabited = {found.network for host in tenant.hosts if (found := table.holding(host.address.ip)) is not None}
    provider = scope.provider
    called = provider is not None and any(reach.tenant == tenant.name for reach in provider.reaches)
    return tuple(
        _repaired(network, called=called, inhabited=network.prefix.network in inhabited) for network in tenant.networks
    )


def _repaired(network: Network, *, called: bool, inhabited: bool) -> Network:
    length = network.prefix.network.prefixlen
    if network.mode is Mode.HOST and not inhabited:
        return replace(network, mode=Mode.PREFIX)
    if network.mode is not Mode.POOL:
        return network
    if called or length < LARGEST_POOLED_LENGTH:
        # Of a network too large for a pool only the listed hosts are few enough.
        mode = Mode.HOST if inhabited else Mode.PREFIX if called else Mode.POOL
        return replace(network, mode=mode, pool_size=network.pool_size if mode is Mode.POOL else 0)
    return replace(network, pool_size=min(network.pool_size, 1 << (ADDRESS_BITS - length)))
