"""The house as its own imports show it: rooms and floors, who imports whom, and the ways of three travellers."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grimp

import farshore

REPOSITORY = Path(__file__).parents[1]
SOURCE = Path(farshore.__file__).parent
PACKAGE = SOURCE.name


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a traveller: a function or class, and the sentence that says what it does there."""

    module: str
    name: str
    says: str


def graph() -> grimp.ImportGraph:
    """Return who imports whom, imports inside functions and for type checking included."""
    return grimp.build_graph(PACKAGE, cache_dir=None)


def contracts() -> list[dict[str, Any]]:
    """Return what is held of who imports whom, as ``pyproject.toml`` has it."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    held: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return held


def packages() -> set[str]:
    """Return the packages of the house by their dotted names, the house itself among them."""
    return {".".join((PACKAGE, *path.parent.relative_to(SOURCE).parts)) for path in SOURCE.rglob("__init__.py")}


def floors() -> list[list[str]]:
    """Return the rooms by floor, from the top down, as the import contract has them."""
    layers = next(each["layers"] for each in contracts() if each.get("containers") == [PACKAGE])
    return [[room.strip() for room in layer.split("|")] for layer in layers]


def rooms() -> list[str]:
    """Return the rooms from the top of the house down."""
    return [room for floor in floors() for room in floor]


def picture() -> str:
    """Draw the house: a row for each room, and in it a dot below the number of every room that it imports from.

    Where every arrow goes down, all dots stand right of the diagonal.
    """
    imports, names = graph(), rooms()
    arrows = {
        (_room(module), _room(below))
        for module in imports.modules
        for below in imports.find_modules_directly_imported_by(module)
    }
    width = max(map(len, names))
    lines = [" " * (width + 4) + "".join(f"{number:>3}" for number in range(1, len(names) + 1))]
    for number, name in enumerate(names, 1):
        cells = ("■" if name == other else "●" if (name, other) in arrows else "·" for other in names)
        lines.append(f"{number:>2}  {name:<{width}}" + "".join(f"{cell:>3}" for cell in cells))
    return "\n".join(lines) + "\n"


def circles() -> list[list[str]]:
    """Return the groups of modules that import each other in a circle (Tarjan's strongly connected components)."""
    imports = graph()
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in imports.find_modules_directly_imported_by(module):
            if other not in order:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], order[other])
        if lowest[module] == order[module]:
            group = [stack.pop()]
            while group[-1] != module:
                group.append(stack.pop())
            found.append(sorted(group))

    for module in sorted(imports.modules):
        if module not in order:
            visit(module)
    return [group for group in found if len(group) > 1]


def lengths() -> dict[str, int]:
    """Return how many lines each module has; packages' own files, which hold a sentence, are left out."""
    paths = [path for path in SOURCE.rglob("*.py") if path.name not in {"__init__.py", "__main__.py"}]
    return {_module(path): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}


def stop(dotted: str) -> Stop:
    """Return a stop by its dotted name, such as ``pipeline.planned``. Fails where there is no such definition."""
    module, _, name = f"{PACKAGE}.{dotted}".rpartition(".")
    path = SOURCE.joinpath(*module.split(".")[1:]).with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {
        each.name: each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    docstring = ast.get_docstring(defined[name])
    assert docstring is not None, dotted
    return Stop(module.removeprefix(f"{PACKAGE}."), name, " ".join(docstring.split("\n\n")[0].split()))


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def _module(path: Path) -> str:
    return ".".join((PACKAGE, *path.relative_to(SOURCE).with_suffix("").parts))
