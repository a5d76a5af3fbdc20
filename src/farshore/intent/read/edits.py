"""The edits of a fix, made in the tree of a file: what is left keeps its position, what is new takes another's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from farshore.errors import Position
from farshore.fix import Append, Edit, Path, Remove, Rename, Value, Write, written
from farshore.intent.read.tree import Listing, Mark, Node, Table
from farshore.intent.read.tree import position as position_of


def edited(root: Table, edits: Iterable[Edit]) -> Table:
    """Return a tree with these edits made. The tree given stays as it is.

    Their paths are those of the tree given, where a key that one of the edits renames may go by its new name as well:
    values are written first, then, from the bottom up, keys are renamed and removed. An edit whose place is gone is
    left out.
    """
    copy = _copied(root)
    assert isinstance(copy, Table)  # noqa: S101 - of a table
    edits = tuple(edits)
    renamed = {(*each.path[:-1], each.value): each.path[-1] for each in edits if isinstance(each, Rename)}
    for each in sorted(edits, key=_turn):
        _make(copy, replace(each, path=_given(copy, each.path, renamed)))
    return copy


def _given(root: Table, path: Path, renamed: Mapping[Path, str | Position]) -> Path:
    """Return a path with the names that keys have in the tree given."""
    found: Path = ()
    for part in path:
        old = renamed.get((*found, part))
        found = (*found, part) if old is None or _find(root, (*found, part)) is not None else (*found, old)
    return found


def _turn(edit: Edit) -> tuple[int, int]:
    return (0, 0) if isinstance(edit, Write | Append) else (1, -len(edit.path))


def _make(root: Table, edit: Edit) -> None:
    if isinstance(edit, Append):
        listing = _find(root, edit.path)
        if isinstance(listing, Listing):
            listing.append(_node(edit.value, listing.mark))
            listing.marks.append(listing.mark)
        return
    parent = _find(root, edit.path[:-1])
    last = edit.path[-1]
    if isinstance(parent, Table) and isinstance(last, str):
        _at_key(parent, last, edit)
    elif isinstance(parent, Listing) and isinstance(last, Position):
        index = _index(parent, last)
        if index is not None:
            _at_item(parent, index, edit)


def _at_key(table: Table, key: str, edit: Edit) -> None:
    match edit:
        case Write():
            marks = table.marks.setdefault(key, (table.mark, table.mark))
            table[key] = _node(edit.value, marks[1])
        case Rename() if key in table:
            items = [(edit.value if each == key else each, table[each], table.marks[each]) for each in table]
            table.clear()
            table.marks.clear()
            for name, node, marks in items:
                table[name], table.marks[name] = node, marks
        case Remove():
            table.pop(key, None)
            table.marks.pop(key, None)


def _at_item(listing: Listing, index: int, edit: Edit) -> None:
    if isinstance(edit, Remove):
        del listing[index]
        del listing.marks[index]
    elif isinstance(edit, Write):
        listing[index] = _node(edit.value, listing.marks[index])


def _find(root: Table, path: Path) -> Node | None:
    node: Node | None = root
    for part in path:
        if isinstance(node, Table) and isinstance(part, str):
            node = node.get(part)
        elif isinstance(node, Listing) and isinstance(part, Position):
            index = _index(node, part)
            node = None if index is None else node[index]
        else:
            return None
    return node


def _index(listing: Listing, position: Position) -> int | None:
    return next((n for n, mark in enumerate(listing.marks) if position_of(mark) == position), None)


def _copied(node: Node) -> Node:
    if isinstance(node, Table):
        table = Table(node.mark)
        table.update((key, _copied(each)) for key, each in node.items())
        table.marks.update(node.marks)
        return table
    if isinstance(node, Listing):
        listing = Listing(node.mark)
        listing.extend(map(_copied, node))
        listing.marks.extend(node.marks)
        return listing
    return node


def _node(value: Value, mark: Mark) -> Node:
    """Return a value as a part of the tree; all of it stands at one place."""
    if isinstance(value, tuple):
        listing = Listing(mark)
        listing.extend(_node(each, mark) for each in value)
        listing.marks.extend([mark] * len(value))
        return listing
    if isinstance(value, Mapping):
        table = Table(mark)
        table.update((key, _node(each, mark)) for key, each in value.items())
        table.marks.update((key, (mark, mark)) for key in value)
        return table
    return written(value)
