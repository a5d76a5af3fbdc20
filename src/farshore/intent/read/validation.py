"""The faults that pydantic finds, as diagnostics with their position in the file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, shown
from farshore.fix import Fix, Rename, choices_of, write
from farshore.fix import Path as PlaceInFile
from farshore.intent.read import schema_models, tree
from farshore.intent.read.scalars import FaultError, is_null, kind_of
from farshore.intent.read.tree import Path, Table
from farshore.lookup import Nearest

# More of them are of no use, and each costs memory.
MOST_FAULTS = 10_000


def diagnose(error: ValidationError, root: Table, file: str) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for every fault that pydantic found, except for values that were refused before."""
    nearest, names = Nearest(), _NewNames(root, set())
    faults = error.errors(include_url=False, include_input=False)
    diagnostics = (_diagnostic(fault, root, file, nearest, names) for fault in islice(faults, MOST_FAULTS))
    return tuple(each for each in diagnostics if each is not None)


@dataclass(frozen=True, slots=True)
class _NewNames:
    """Sees that no key is renamed to one that its mapping has, or that another of its keys is renamed to."""

    root: Table
    given: set[tuple[PlaceInFile, str]]

    def fix(self, fix: str, location: Path, taken: str = "write another name than '{}', which is there already") -> str:
        """Return a fix of the key at a location: one that would write a key twice says so in words alone."""
        path = tree.place(self.root, location)
        placed = fix.at_key(path) if isinstance(fix, Fix) else fix
        mapping = tree.find(self.root, location[:-1])
        for edit in (edit for choice in choices_of(placed) for edit in choice.edits if isinstance(edit, Rename)):
            new = (path[:-1], edit.value)
            if new in self.given or (isinstance(mapping, Table) and edit.value in mapping):
                return taken.format(edit.value)
            self.given.add(new)
        return placed


def _diagnostic(fault: Any, root: Table, file: str, nearest: Nearest, names: _NewNames) -> Diagnostic | None:
    kind: str = fault["type"]
    at_key = fault["loc"][-1:] == (schema_models.KEY_MARKER,)
    location = tree.clean(root, fault["loc"], schema_models.MARKERS)
    node = tree.find(root, location)
    if isinstance(node, tree.Hole) and not at_key:
        return None
    if kind == "missing":
        where, code = tree.key_position(root, location[:-1]), DiagnosticCode.MISSING_KEY
        problem, fix = _missing(location)
    elif kind == "extra_forbidden":
        where, code = tree.key_position(root, location), DiagnosticCode.UNKNOWN_KEY
        problem, fix = _unknown(location, nearest)
        fix = names.fix(fix, location, "put its value at '{}', which is there already")
    else:
        # A value that is absent has no position of its own.
        where = tree.key_position(root, location) if at_key or node == "" else tree.value_position(root, location)
        code, wrong, fix = _wrong(fault, kind, location, node)
        if at_key:
            fix = names.fix(fix, location)
        elif isinstance(fix, Fix):
            fix = fix.at(tree.place(root, location))
        problem = _about(_subject(location[:-1] if at_key else location), wrong)
    return Diagnostic(file, where, code, problem, fix)


def _about(subject: str, wrong: str) -> str:
    if wrong.startswith(("is ", "has ")):
        return f"{subject} {wrong}"
    return f"{subject}: {wrong}" if subject else wrong


def _wrong(fault: Any, kind: str, location: Path, node: tree.Node | None) -> tuple[DiagnosticCode, str, str]:
    """Return the code of a fault, what is wrong with the value, and the fix."""
    if kind == "value_error":
        cause = fault["ctx"]["error"]
        if isinstance(cause, FaultError):
            return cause.code, cause.problem, cause.fix
    if kind == "too_short":
        return DiagnosticCode.EMPTY, "is empty", f"write at least one, such as {_example(location)}"
    if node is None or is_null(node):
        return DiagnosticCode.MISSING_VALUE, "has no value", f"write one, such as {_example(location)}"
    expected = "a list" if kind == "list_type" else "a mapping"
    problem = f"expected {expected}, found {kind_of(node)}"
    fix: str = f"write one such as {_example(location)}"
    if kind == "list_type" and isinstance(node, str) and shown(node) == node and "{" not in node:
        fix = write((str(node),), f"write {location[-1]}: {{}}")
    return DiagnosticCode.WRONG_TYPE, problem, fix


def _missing(location: Path) -> tuple[str, str]:
    where = _mapping(location[:-1])
    problem = f"{where} has no key '{location[-1]}'"
    if location == ("version",):
        return problem, write(1, "write version: {}", ("version",))
    return problem, f"add one, such as {_example(location)}"


def _unknown(location: Path, nearest: Nearest) -> tuple[str, str]:
    unknown = str(location[-1])
    fix = nearest.fix(unknown, schema_models.keys(_model(location[:-1])), "known keys: {known}")
    return f"unknown key '{shown(unknown)}' in {_mapping(location[:-1])}", fix


def _subject(location: Path) -> str:
    """Return the owner and key of a value: ``tenant customer-a: hosts alice``."""
    match location:
        case ("tenants", str(name), *rest):
            return _join(f"tenant {shown(name)}", rest)
        case ("provider", "services", str(name), *rest):
            return _join(f"service {shown(name)}", rest)
        case ("provider", *rest):
            return _join("provider", rest)
    return _join("", list(location))


def _join(owner: str, rest: list[str | int]) -> str:
    words = " ".join(shown(part) for part in rest if isinstance(part, str))
    return f"{owner}: {words}" if owner and words else owner or words


def _mapping(location: Path) -> str:
    """Return the name of a mapping: ``limits of tenant customer-a``."""
    if not location:
        return "the file"
    owner, _, rest = _subject(location).partition(": ")
    return f"{rest} of {owner}" if rest else owner


def _model(location: Path) -> type[BaseModel]:
    """Return the model of the mapping at a location."""
    found: type[BaseModel] = schema_models.Pool
    match location:
        case ():
            found = schema_models.IntentFile
        case ("provider",):
            found = schema_models.Provider
        case ("provider", "services", str()):
            found = schema_models.Service
        case ("provider", "reaches", _):
            found = schema_models.Reach
        case ("tenants", str()):
            found = schema_models.Tenant
        case ("tenants", str(), "limits"):
            found = schema_models.Limits
    return found


def _example(location: Path) -> str:
    """Return how a key is written, in one line: ``networks: [10.1.1.0/24]``."""
    match location:
        case ():
            return "version: 1, and so on"
        case ("provider", "services", str(key)):
            return f"{shown(key)}: {_flow('provider', 'services', 'portal')}"
        case ("tenants", str(key)):
            return f"{shown(key)}: {_flow('tenants', 'customer-a')}"
        case (*_, str(key)):
            return f"{key}: {_flow(*_field(location))}"
        case ("provider", "reaches", int()):
            return _flow("provider", "reaches", "0")
    return "a value"


def _field(location: Path) -> tuple[str, ...]:
    """Return the location of an example in the models, whatever the tenant or service is called."""
    match location:
        case ("provider", "services", str(), *rest):
            return ("provider", "services", "portal", *map(str, rest))
        case ("tenants", str(), *rest):
            return ("tenants", "customer-a", *map(str, rest))
    return tuple(map(str, location))


@lru_cache(maxsize=64)
def _flow(*location: str) -> str:
    """Return the example for a value as YAML in one line."""
    value = _example_value(location)
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("...\n").strip()


def _example_value(location: tuple[str, ...]) -> Any:
    if location in {("provider", "services", "portal"), ("tenants", "customer-a")}:
        return _example_value(location[:-1])[location[-1]]
    if location == ("provider", "reaches", "0"):
        return _example_value(location[:-1])[0]
    field = schema_models.keys(_model(location[:-1])).get(location[-1])
    return field.examples[0] if field is not None and field.examples else None
