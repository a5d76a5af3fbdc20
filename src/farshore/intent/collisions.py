"""The collision checker: refuses every overlap that would break a packet, by name and line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from farshore.errors import Diagnostic
from farshore.intent.calling_collisions import calling_collisions
from farshore.intent.capabilities import uncarried_parts
from farshore.intent.model import Intent
from farshore.intent.nearest import Nearest
from farshore.intent.provider_collisions import provider_collisions
from farshore.intent.salvage import Salvage
from farshore.intent.tenant_collisions import Surroundings, tenant_collisions
from farshore.realm import PROVIDER

# Nobody reads more of them, and each costs memory.
MOST_FOUND = 10_000


def collisions(intent: Intent) -> tuple[Diagnostic, ...]:
    """Return everything in a whole intent that would break a packet, and warnings."""
    services, tenants = intent.provider.services, intent.tenants
    parts = Salvage(intent.provider, services, tenants, tenants, {}, (), intent.design, intent.design_position)
    return partial_collisions(intent.file, parts)


def partial_collisions(file: str, parts: Salvage) -> tuple[Diagnostic, ...]:
    """Return what collides in the parts of an intent that could be read, and at most ``MOST_FOUND`` of it."""
    return tuple(islice(_all(file, parts), MOST_FOUND))


def _all(file: str, parts: Salvage) -> Iterator[Diagnostic]:
    around = Surroundings(file, parts.provider, parts.services, Nearest())
    if parts.provider is not None:
        damaged = parts.damage.get(PROVIDER.name, frozenset())
        yield from provider_collisions(file, parts.provider, damaged=damaged)
        yield from calling_collisions(file, parts, parts.provider, Nearest())
        yield from uncarried_parts(file, parts, parts.provider)
    for name, tenant in parts.tenants.items():
        yield from tenant_collisions(around, tenant, damaged=parts.damage.get(name, frozenset()))
