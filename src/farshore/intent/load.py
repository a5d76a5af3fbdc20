"""From a file to the intent, or to everything that is wrong with the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from farshore.errors import Diagnostic, Position, Severity
from farshore.gc_pause import without_collector
from farshore.intent import salvage as parts
from farshore.intent import source
from farshore.intent.collisions import partial_collisions
from farshore.intent.document import Document, compose
from farshore.intent.fault import FaultError
from farshore.intent.model import DesignName, Intent
from farshore.intent.salvage import Salvage
from farshore.intent.schema_models import FaultBudget, IntentFile
from farshore.intent.tree import Table
from farshore.intent.wording import diagnose

# With more faults than these the collisions can wait: what is left of the file says little.
_MOST_SALVAGED = 1_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """The intent, None where there is an error, and everything that was found, sorted by place."""

    intent: Intent | None
    diagnostics: tuple[Diagnostic, ...]


def load(path: Path) -> Loaded:
    """Read an intent file. Whatever is wrong with it, with the file itself too, is a diagnostic."""
    try:
        text = source.read(path)
    except FaultError as fault:
        return Loaded(None, (Diagnostic(str(path), Position(), fault.problem, fault.fix),))
    return load_text(text, str(path))


def load_text(text: str, file: str) -> Loaded:
    """Read the text of an intent file. ``file`` is the name that diagnostics show."""
    with without_collector():
        return _load(text, file)


def _load(text: str, file: str) -> Loaded:
    document = compose(text, file)
    found, read = _read(document, file)
    if read is not None:
        found = (*found, *read.stray_sources, *partial_collisions(file, read))
    found = tuple(sorted(found, key=lambda each: each.position))
    refused = any(each.severity is Severity.ERROR for each in found)
    if refused or read is None or read.provider is None:
        return Loaded(None, found)
    design = read.design or DesignName.LAKE
    return Loaded(Intent(file, read.provider, read.tenants, design, read.design_position), found)


def _read(document: Document, file: str) -> tuple[tuple[Diagnostic, ...], Salvage | None]:
    """Return what is wrong with single values, and what the others say, None where that is too little."""
    root: Table | None = document.root
    if root is None:
        return document.diagnostics, None
    # After a key that stands there twice nobody knows which of the two was meant.
    doubtful = bool(document.diagnostics)
    try:
        model = IntentFile.model_validate(root, context=FaultBudget())
    except ValidationError as error:
        found = (*document.diagnostics, *diagnose(error, root, file))
        return found, parts.salvaged(file, root, doubtful=doubtful) if len(found) <= _MOST_SALVAGED else None
    return document.diagnostics, parts.whole(file, model, root, doubtful=doubtful)
