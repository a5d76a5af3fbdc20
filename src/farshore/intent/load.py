"""From a file to the intent, or to all errors of the file: read, then checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, Position, Severity
from farshore.fix import first_edits
from farshore.gc_pause import without_collector
from farshore.intent.check.calling_collisions import calling_collisions
from farshore.intent.check.capabilities import uncarried_parts
from farshore.intent.check.protocols import demanding_protocols
from farshore.intent.check.provider_collisions import provider_collisions
from farshore.intent.check.scope import Scope
from farshore.intent.check.tenant_collisions import stray_sources, tenant_collisions
from farshore.intent.model import DesignName, Intent, Salvage
from farshore.intent.read import source
from farshore.intent.read.document import compose
from farshore.intent.read.edits import edited
from farshore.intent.read.salvage import read_text, read_tree
from farshore.intent.read.scalars import FaultError

# More of them are of no use, and each costs memory.
MOST_FOUND = 10_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """The intent, None where there is an error, and everything that was found, sorted by position.

    After errors ``repaired`` is the intent with their fixes followed, as far as they can be: what else is wrong with
    that is wrong with the file. It is None where too little is known.
    """

    intent: Intent | None
    diagnostics: tuple[Diagnostic, ...]
    repaired: Intent | None = None


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
    intent = None if parts is None else _intent(parts)
    if refused or intent is None:
        return Loaded(None, found, _repaired(text, file, found))
    return Loaded(intent, found)


def _intent(parts: Salvage) -> Intent | None:
    if parts.provider is None:
        return None
    design = parts.design or DesignName.LAKE
    return Intent(parts.file, parts.provider, parts.tenants, design, parts.design_position)


# Errors that a plan does not depend on: what it finds wrong is wrong whatever becomes of these.
_OF_NO_MATTER = frozenset(
    {
        DiagnosticCode.LAKE_OVERLAP,
        DiagnosticCode.OUTSIDE_NETWORKS,
        DiagnosticCode.END_OF_NETWORK,
        DiagnosticCode.DUPLICATE_ADDRESS,
        DiagnosticCode.DUPLICATE_NAME,
        DiagnosticCode.INSIDE_SOURCE,
        DiagnosticCode.INTERNET_ADDRESS_IN_USE,
        DiagnosticCode.CALLER_UNKNOWN_TO_INTERNET,
        DiagnosticCode.UNKNOWN_TENANT,
        DiagnosticCode.STRAY_SOURCE,
        DiagnosticCode.NO_PRESENTED_RANGE,
        DiagnosticCode.PRESENTED_OVERLAP,
        DiagnosticCode.PRESENTED_TOO_SMALL,
        DiagnosticCode.PINNED_OUTSIDE,
        DiagnosticCode.PORTS_NOT_CARRIED,
        DiagnosticCode.CALLER_IDENTITY_LOST,
        DiagnosticCode.CALLS_NOT_CARRIED,
    }
)
# As many as are shown at once. Of a file with more of them a plan has time.
_MOST_REPAIRED = 100


def _repaired(text: str, file: str, found: tuple[Diagnostic, ...]) -> Intent | None:
    """Return the intent of a faulty file with every error fixed that has a fix, None where others are in the way."""
    errors = [each for each in found if each.severity is Severity.ERROR]
    root = compose(text, file).root if len(errors) <= _MOST_REPAIRED else None
    if root is None:
        return None
    edits = [edit for each in errors for edit in first_edits(each.fix)]
    parts = read_tree(edited(root, edits), file)
    if parts is None:
        return None
    left = (each for each in _checked(parts) if each.severity is Severity.ERROR)
    return None if any(each.code not in _OF_NO_MATTER for each in left) else _intent(parts)


def _checked(parts: Salvage) -> Iterator[Diagnostic]:
    """Yield what collides, and what no design carries, but nothing that only unreadable parts would cause."""
    scope = Scope.of(parts)
    yield from stray_sources(scope)
    if scope.provider is not None:
        yield from provider_collisions(scope, scope.provider)
        yield from calling_collisions(scope, scope.provider)
        yield from uncarried_parts(parts, scope.provider)
        yield from demanding_protocols(parts.file, scope.provider)
    for tenant in parts.tenants.values():
        yield from tenant_collisions(scope, tenant)
