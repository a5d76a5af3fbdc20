"""The intent file as plain values with positions: mappings, lists and scalars still untyped.

The mappings and lists are ``dict`` and ``list`` for reading. A scalar is its
text: its meaning depends on its key, so that a host may be called ``on`` or ``123``.
"""

from __future__ import annotations

from collections.abc import Set

import yaml

from farshore.errors import Position

Path = tuple[str | int, ...]
# A position as one number, line above column, both from 0. There are as many as values: small matters.
Mark = int
COLUMN_BITS = 32


class Quoted(str):
    """A scalar that was written in quotes or as a block, and so is a string whatever it looks like."""

    __slots__ = ()


class Hole:
    """Stands for a value that is rejected already, so that it causes no second diagnostic."""

    __slots__ = ()


class Table(dict[str, "Node"]):
    """A mapping with the positions of its keys and values."""

    __slots__ = ("mark", "marks")

    def __init__(self, mark: Mark) -> None:
        """Begin empty at a position."""
        super().__init__()
        self.mark = mark
        self.marks: dict[str, tuple[Mark, Mark]] = {}

    def key_position(self, key: str) -> Position:
        """Return the position of a key."""
        return position(self.marks[key][0])

    def value_position(self, key: str) -> Position:
        """Return the position of a key's value."""
        return position(self.marks[key][1])


class Listing(list["Node"]):
    """A list with the positions of its items."""

    __slots__ = ("mark", "marks")

    def __init__(self, mark: Mark) -> None:
        """Begin empty at a position."""
        super().__init__()
        self.mark = mark
        self.marks: list[Mark] = []

    def item_position(self, index: int) -> Position:
        """Return the position of an item."""
        return position(self.marks[index])


Node = str | Hole | Table | Listing


def mark_of(position: yaml.Mark) -> Mark:
    """Return a position of the YAML parser as one number."""
    mark: int = position.line << COLUMN_BITS | position.column
    return mark


def position(mark: Mark) -> Position:
    """Return a position counted from 1."""
    return Position((mark >> COLUMN_BITS) + 1, (mark & ((1 << COLUMN_BITS) - 1)) + 1)


def clean(root: Node, location: Path, markers: Set[str]) -> Path:
    """Return a location without the markers in it. A key of the file is no marker, whatever it looks like."""
    parts: list[str | int] = []
    node: Node | None = root
    for part in location:
        below = None if node is None else _child(node, part)
        if below is None and part in markers:
            continue
        parts.append(part)
        node = below
    return tuple(parts)


def find(root: Node, location: Path) -> Node | None:
    """Return the node at a location, None where there is none."""
    node: Node = root
    for part in location:
        below = _child(node, part)
        if below is None:
            return None
        node = below
    return node


def _child(node: Node, part: str | int) -> Node | None:
    if isinstance(node, Table):
        return node.get(part) if isinstance(part, str) else None
    if isinstance(node, Listing) and isinstance(part, int) and part < len(node):
        return node[part]
    return None


def value_position(root: Table, location: Path) -> Position:
    """Return the position of the value at a location."""
    if not location:
        return position(root.mark)
    parent, last = find(root, location[:-1]), location[-1]
    if isinstance(parent, Table) and isinstance(last, str) and last in parent:
        return parent.value_position(last)
    if isinstance(parent, Listing) and isinstance(last, int) and last < len(parent):
        return parent.item_position(last)
    return key_position(root, location[:-1])


def key_position(root: Table, location: Path) -> Position:
    """Return the position of the key at a location, of the item itself in a list."""
    if not location:
        return position(root.mark)
    parent, last = find(root, location[:-1]), location[-1]
    if isinstance(parent, Table) and isinstance(last, str) and last in parent:
        return parent.key_position(last)
    return value_position(root, location)


def place(root: Table, location: Path) -> tuple[str | Position, ...]:
    """Return a location with each item of a list by its position, by which it is found when others have gone."""
    parts: list[str | Position] = []
    node: Node | None = root
    for part in location:
        parts.append(node.item_position(part) if isinstance(node, Listing) and isinstance(part, int) else str(part))
        node = None if node is None else _child(node, part)
    return tuple(parts)


def remove(root: Table, location: Path) -> None:
    """Remove the value at a location from the tree, with its key."""
    parent, last = find(root, location[:-1]), location[-1]
    if isinstance(parent, Table) and isinstance(last, str):
        parent.pop(last, None)
        parent.marks.pop(last, None)
    if isinstance(parent, Listing) and isinstance(last, int) and last < len(parent):
        del parent[last]
        del parent.marks[last]
