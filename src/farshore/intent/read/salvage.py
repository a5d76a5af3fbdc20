"""From the text of a file to provider and tenants: the whole of a valid file, the valid part of any other.

A faulty file is read as far as possible, so that its collisions are reported in the same run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import replace
from difflib import get_close_matches
from ipaddress import IPv4Network
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from farshore.errors import Diagnostic, Position
from farshore.fix import first_edits
from farshore.intent.model import DesignName, Salvage, StraySource, Tenant
from farshore.intent.read import convert, scalar_types, scalars, schema_models, tree
from farshore.intent.read.document import compose
from farshore.intent.read.scalar_types import FaultBudget
from farshore.intent.read.scalars import FaultError
from farshore.intent.read.tree import Path, Table
from farshore.intent.read.validation import diagnose
from farshore.realm import LAKE, PROVIDER, Prefix

Model = TypeVar("Model", bound=BaseModel)
# Each round can uncover a fault that only the removal caused, one level further up.
_MOST_ROUNDS = 6
_MOST_STRAYS = 1_000
# With more faults than these the collisions can wait: what is left of the file proves little.
_MOST_SALVAGED = 1_000
# Stands for a lake that could not be read: no network may contain this address, so nothing collides with it.
_NO_LAKE = Prefix(LAKE, IPv4Network("0.0.0.0/32"))
_ALL_KEYS = frozenset({*schema_models.keys(schema_models.Provider), *schema_models.keys(schema_models.Tenant)})


class _PartialProvider(schema_models.Provider):
    """A provider with parts missing."""

    name: str = "unnamed"
    networks: list[scalar_types.Prefix] = Field(default=[])
    services: dict[scalar_types.ServiceName, schema_models.Service] = Field(default={})


class _PartialTenant(schema_models.Tenant):
    """A tenant without networks, perhaps."""

    networks: list[scalar_types.Prefix] = Field(default=[])


def read_text(text: str, file: str) -> tuple[tuple[Diagnostic, ...], Salvage | None]:
    """Read the text of an intent file.

    Args:
        text: The content of the file.
        file: The name by which diagnostics call it.

    Returns:
        Everything that is wrong with single values, and the parts that are good, None where these are too few.
    """
    document = compose(text, file)
    root: Table | None = document.root
    if root is None:
        return document.diagnostics, None
    # After a duplicate key it is unknown which of the two was intended.
    doubtful = bool(document.diagnostics)
    try:
        model = schema_models.IntentFile.model_validate(root, context=FaultBudget())
    except ValidationError as error:
        found = (*document.diagnostics, *diagnose(error, root, file))
        return found, _salvaged(file, root, doubtful=doubtful) if len(found) <= _MOST_SALVAGED else None
    return document.diagnostics, _whole(file, model, root, doubtful=doubtful)


def read_tree(root: Table, file: str) -> Salvage | None:
    """Return the parts of a tree in which every value is good, None for any other."""
    try:
        model = schema_models.IntentFile.model_validate(root, context=FaultBudget())
    except ValidationError:
        return None
    return _whole(file, model, root, doubtful=False)


def _whole(file: str, read: schema_models.IntentFile, root: Table, *, doubtful: bool) -> Salvage:
    """Return the parts of a file in which every value is good. After a duplicate key all are ``doubtful``: damaged."""
    tables = convert.table_at(root, "tenants")
    tenants = {name: _tenant(name, each, tables) for name, each in read.tenants.items()}
    provider = convert.provider(read.provider, convert.table_at(root, "provider"), root.key_position("provider"))
    damage = dict.fromkeys((PROVIDER.name, *tenants), _ALL_KEYS) if doubtful else {}
    services, names = (None, None) if doubtful else (provider.services, tenants)
    strays = () if doubtful else tuple(islice(_stray_sources(read.tenants, tables), _MOST_STRAYS))
    return Salvage(file, provider, services, tenants, names, damage, strays, read.design, _design_position(root))


def _salvaged(file: str, root: Table, *, doubtful: bool) -> Salvage:
    """Return the parts of a faulty file that can be read. Removes what is faulty from the tree."""
    damage: dict[str, Set[str]] = {}
    provider_table, tables = root.get("provider"), root.get("tenants")
    services = None if doubtful else _names(provider_table, "services")
    names = None if doubtful else _names(root, "tenants")
    provider = None
    if isinstance(provider_table, Table):
        provider_model, damage[PROVIDER.name] = _salvage(_PartialProvider, provider_table)
        if provider_model is not None:
            provider = convert.provider(provider_model, provider_table, root.key_position("provider"))
            if "lake" in damage[PROVIDER.name]:
                provider = replace(provider, lake=_NO_LAKE)
    tenants: dict[str, Tenant] = {}
    strays: list[StraySource] = []
    for name, table in _tenant_tables(tables):
        model, damage[name] = _salvage(_PartialTenant, table)
        if model is not None and isinstance(tables, Table):
            tenants[name] = _tenant(name, model, tables)
            if not doubtful and "networks" not in damage[name]:
                strays.extend(_stray_sources({name: model}, tables))
    if doubtful:
        damage = dict.fromkeys(damage, _ALL_KEYS)
    design, design_position = _design(root), _design_position(root)
    return Salvage(file, provider, services, tenants, names, damage, tuple(strays), design, design_position)


def _design(root: Table) -> DesignName | None:
    written = root.get("design", DesignName.LAKE)
    strangers = {(key,) for key in root if key not in schema_models.keys(schema_models.IntentFile)}
    if "design" in _keys(schema_models.IntentFile, strangers):
        return None
    return DesignName(written) if isinstance(written, str) and written in set(DesignName) else None


def _design_position(root: Table) -> Position:
    return root.value_position("design") if "design" in root else Position()


def _names(table: tree.Node | None, key: str) -> Collection[str] | None:
    named = table.get(key) if isinstance(table, Table) else None
    # Copied, because the faulty ones are removed later.
    return dict.fromkeys(map(_meant, named)) if isinstance(named, Table) else None


def _meant(name: str) -> str:
    """Return a name as its fix writes it: what refers to it may have it right."""
    try:
        return scalars.name(name)
    except FaultError as fault:
        return next((str(edit.value) for edit in first_edits(fault.fix)), name)


def _tenant(name: str, read: schema_models.Tenant, tables: Table) -> Tenant:
    return convert.tenant(name, read, convert.table_at(tables, name), tables.key_position(name))


def _stray_sources(tenants: Mapping[str, schema_models.Tenant], tables: Table) -> Iterator[StraySource]:
    for name, read in tenants.items():
        if isinstance(read.sources, dict):
            yield from convert.stray_sources(name, read, convert.table_at(tables, name))


def _tenant_tables(tables: tree.Node | None) -> Iterator[tuple[str, Table]]:
    """Yield the tenants that have a good name and are mappings."""
    if not isinstance(tables, Table):
        return
    for name, table in tables.items():
        try:
            scalar_types.tenant_name(name)
        except FaultError:
            continue
        if isinstance(table, Table):
            yield name, table


def _salvage(model: type[Model], table: Table) -> tuple[Model | None, Set[str]]:
    """Return a mapping as a model, None if too little of it is good, and the keys that were damaged.

    Faults that only a removal causes are not reported: they would mislead.
    """
    # The partial models accept missing networks, so these cause no fault by themselves.
    damaged = {key for key in ("networks",) if not table.get(key)}
    for _ in range(_MOST_ROUNDS):
        try:
            return model.model_validate(table, context=FaultBudget()), damaged
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
        faulty = {_removable(fault["type"], tree.clean(table, fault["loc"], schema_models.MARKERS)) for fault in faults}
        if () in faulty:
            break
        damaged.update(_keys(model, faulty))
        # Last first, so that the positions of items in lists stay right.
        for location in sorted(faulty, reverse=True):
            tree.remove(table, location)
    return None, damaged


def _keys(model: type[BaseModel], faulty: Set[Path]) -> Iterator[str]:
    """Yield the keys that have faults; of an unknown key also the one that was probably intended."""
    for location in faulty:
        key = str(location[0])
        yield key
        known = schema_models.keys(model)
        if key not in known:
            yield from get_close_matches(key, known, n=1)


def _removable(kind: str, location: Path) -> Path:
    """Return what to remove: the value itself, or the mapping that lacks one."""
    return location[:-1] if kind == "missing" else location
