"""From a file to the intent, or to all errors of the file: read, then checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from farshore.errors import Diagnostic, Position, Severity
from farshore.gc_pause import without_collector
from farshore.intent.check.calling_collisions import calling_collisions
from farshore.intent.check.capabilities import uncarried_parts
from farshore.intent.check.provider_collisions import provider_collisions
from farshore.intent.check.scope import Scope
from farshore.intent.check.tenant_collisions import stray_sources, tenant_collisions
from farshore.intent.model import DesignName, Intent, Salvage
from farshore.intent.read import source
from farshore.intent.read.salvage import read_text
from farshore.intent.read.scalars import FaultError

# More of them are of no use, and each costs memory.
MOST_FOUND = 10_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """The intent, None where there is an error, and everything that was found, sorted by position."""

    intent: Intent | None
    diagnostics: tuple[Diagnostic, ...]


def load(path: Path) -> Loaded:
    """Read and check an intent file, standard input for ``-``. Every fault, of the file itself too, is a diagnostic."""
    file = source.shown_name(path)
    try:
        text = source.read(path)
    except FaultError as fault:
        return Loaded(None, (Diagnostic(file, Position(), fault.code, fault.problem, fault.fix),))
    return load_text(text, file)


def load_text(text: str, file: str) -> Loaded:
    """Read and check the text of an intent file. ``file`` is the name that diagnostics show."""
    with without_collector():
        return _load(text, file)


def collisions(intent: Intent) -> tuple[Diagnostic, ...]:
    """Return everything in a whole intent that would break a packet, and warnings."""
    return tuple(islice(_checked(Salvage.of(intent)), MOST_FOUND))


def _load(text: str, file: str) -> Loaded:
    found, parts = read_text(text, file)
    if parts is not None:
        found = (*found, *islice(_checked(parts), MOST_FOUND))
    found = tuple(sorted(found, key=lambda each: each.position))
    refused = any(each.severity is Severity.ERROR for each in found)
    if refused or parts is None or parts.provider is None:
        return Loaded(None, found)
    design = parts.design or DesignName.LAKE
    return Loaded(Intent(file, parts.provider, parts.tenants, design, parts.design_position), found)


def _checked(parts: Salvage) -> Iterator[Diagnostic]:
    """Yield what collides, and what no design carries, but nothing that only unreadable parts would cause."""
    scope = Scope.of(parts)
    yield from stray_sources(scope)
    if scope.provider is not None:
        yield from provider_collisions(scope, scope.provider)
        yield from calling_collisions(scope, scope.provider)
        yield from uncarried_parts(parts, scope.provider)
    for tenant in parts.tenants.values():
        yield from tenant_collisions(scope, tenant)
