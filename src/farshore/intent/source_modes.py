"""The source modes of a tenant's networks as the file writes them: one for all, or one for each."""

from __future__ import annotations

from collections.abc import Sequence

from farshore.fix import Path, Value, Write
from farshore.intent.model import Mode, Network, Tenant


def write_sources(tenant: Tenant, networks: Sequence[Network]) -> Write:
    """Return the edit that gives a tenant's networks the modes that they have here."""
    return Write(sources_path(tenant), sources_value(networks))


def sources_path(tenant: Tenant) -> Path:
    """Return the place of a tenant's source modes."""
    return ("tenants", tenant.name, "sources")


def sources_value(networks: Sequence[Network]) -> Value:
    """Return the value of ``sources`` for these networks: a mode for all or, where they differ, for each."""
    modes = {str(network.prefix.network): _value(network) for network in networks}
    first = next(iter(modes.values()))
    if all(mode == first for mode in modes.values()):
        return first
    return {network: mode for network, mode in modes.items() if mode != str(Mode.PREFIX)}


def _value(network: Network) -> Value:
    return {"pool": network.pool_size} if network.mode is Mode.POOL else str(network.mode)
