"""Provider and tenants out of a file's tree: all of a good file, and what is good of a faulty one.

A faulty file is read as far as it can be, so that its collisions are told in the same run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from ipaddress import IPv4Network
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from farshore.errors import Diagnostic, Position
from farshore.intent import convert, schema_models, tree
from farshore.intent.fault import FaultError
from farshore.intent.model import DesignName, Provider, Tenant
from farshore.intent.schema_models import FaultBudget
from farshore.intent.tree import Path, Table
from farshore.realm import LAKE, PROVIDER, Prefix

Model = TypeVar("Model", bound=BaseModel)
# Each round can uncover what only the removal made wrong, one level further up.
_MOST_ROUNDS = 6
MOST_STRAYS = 1_000
# Stands for a lake that nobody could read: no network may hold this address, so nothing collides with it.
_NO_LAKE = Prefix(LAKE, IPv4Network("0.0.0.0/32"))
_ALL_KEYS = frozenset({*schema_models.keys(schema_models.Provider), *schema_models.keys(schema_models.Tenant)})


class _SomeProvider(schema_models.Provider):
    """A provider of which much may be missing."""

    name: str = "unnamed"
    networks: list[schema_models.Prefix] = Field(default=[])
    services: dict[schema_models.ServiceName, schema_models.Service] = Field(default={})


class _SomeTenant(schema_models.Tenant):
    """A tenant whose networks may be missing."""

    networks: list[schema_models.Prefix] = Field(default=[])


@dataclass(frozen=True, slots=True)
class Salvage:
    """What could be read.

    ``services`` and ``tenant_names`` are the names of all that the file has, good or not, None where nobody knows.
    ``damage`` gives, for a tenant's name and for ``provider``, the keys of which something was refused
    and taken out, so that nothing may be concluded from what is not there. ``stray_sources`` are faults
    that the values of the intent have no room for: source modes of networks that are not the tenant's.
    ``design`` is None where the one that the file asks for is no design.
    """

    provider: Provider | None
    services: Collection[str] | None
    tenants: Mapping[str, Tenant]
    tenant_names: Collection[str] | None
    damage: Mapping[str, Set[str]]
    stray_sources: tuple[Diagnostic, ...]
    design: DesignName | None = DesignName.LAKE
    design_position: Position = field(default=Position())


def whole(file: str, read: schema_models.IntentFile, root: Table, *, doubtful: bool) -> Salvage:
    """Return the parts of a file in which every value is good.

    Args:
        file: The name of the file.
        read: What it says.
        root: Where it says it.
        doubtful: Keys stood there twice, and nobody knows which was meant, so that all is damaged.
    """
    tables = convert.table_at(root, "tenants")
    tenants = {name: _tenant(name, each, tables) for name, each in read.tenants.items()}
    provider = convert.provider(read.provider, convert.table_at(root, "provider"), root.key_position("provider"))
    damage = dict.fromkeys((PROVIDER.name, *tenants), _ALL_KEYS) if doubtful else {}
    services, names = (None, None) if doubtful else (provider.services, tenants)
    strays = () if doubtful else tuple(islice(_stray_sources(file, read.tenants, tables), MOST_STRAYS))
    return Salvage(provider, services, tenants, names, damage, strays, read.design, _design_position(root))


def salvaged(file: str, root: Table, *, doubtful: bool) -> Salvage:
    """Return the parts of a faulty file that can be read. Takes what is faulty out of the tree."""
    damage: dict[str, Set[str]] = {}
    provider_table, tables = root.get("provider"), root.get("tenants")
    services = None if doubtful else _names(provider_table, "services")
    names = None if doubtful else _names(root, "tenants")
    provider = None
    if isinstance(provider_table, Table):
        provider_model, damage[PROVIDER.name] = _salvage(_SomeProvider, provider_table)
        if provider_model is not None:
            provider = convert.provider(provider_model, provider_table, root.key_position("provider"))
            if "lake" in damage[PROVIDER.name]:
                provider = replace(provider, lake=_NO_LAKE)
    tenants: dict[str, Tenant] = {}
    strays: list[Diagnostic] = []
    for name, table in _tenant_tables(tables):
        model, damage[name] = _salvage(_SomeTenant, table)
        if model is not None and isinstance(tables, Table):
            tenants[name] = _tenant(name, model, tables)
            if not doubtful and "networks" not in damage[name]:
                strays.extend(_stray_sources(file, {name: model}, tables))
    if doubtful:
        damage = dict.fromkeys(damage, _ALL_KEYS)
    return Salvage(provider, services, tenants, names, damage, tuple(strays), _design(root), _design_position(root))


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
    # Copied, for the faulty ones will be taken out.
    return dict.fromkeys(named) if isinstance(named, Table) else None


def _tenant(name: str, read: schema_models.Tenant, tables: Table) -> Tenant:
    return convert.tenant(name, read, convert.table_at(tables, name), tables.key_position(name))


def _stray_sources(file: str, tenants: Mapping[str, schema_models.Tenant], tables: Table) -> Iterator[Diagnostic]:
    for name, read in tenants.items():
        if isinstance(read.sources, dict):
            yield from convert.stray_sources(file, name, read, convert.table_at(tables, name))


def _tenant_tables(tables: tree.Node | None) -> Iterator[tuple[str, Table]]:
    """Yield the tenants that have a good name and are mappings."""
    if not isinstance(tables, Table):
        return
    for name, table in tables.items():
        try:
            schema_models.tenant_name(name)
        except FaultError:
            continue
        if isinstance(table, Table):
            yield name, table


def _salvage(model: type[Model], table: Table) -> tuple[Model | None, Set[str]]:
    """Return a mapping as a model, None if too little of it is good, and the keys that were damaged.

    What taking out itself makes wrong is not said, for it would mislead.
    """
    # The models that are salvaged do without networks, and so say nothing where there are none.
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
    """Yield the keys that faults are in; of an unknown key also the one that may have been meant."""
    for location in faulty:
        key = str(location[0])
        yield key
        known = schema_models.keys(model)
        if key not in known:
            yield from get_close_matches(key, known, n=1)


def _removable(kind: str, location: Path) -> Path:
    """Return what to take out: the value itself, or the mapping that lacks one."""
    return location[:-1] if kind == "missing" else location
