"""From text to a tree with places, in one pass over the YAML parser's events.

Everything that could grow without bound is refused on the way: anchors and aliases (a page of them
expands to gigabytes), depth, and the number of values. The parser itself never recurses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from farshore.errors import Diagnostic, Position
from farshore.intent.fault import shown
from farshore.intent.scalars import is_null
from farshore.intent.syntax import complaint
from farshore.intent.tree import COLUMN_BITS, Hole, Listing, Mark, Node, Quoted, Table, position

# libyaml where PyYAML was built with it: twenty times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# provider → services → portal → ports → one port is as deep as an intent goes.
_DEEPEST = 16
# The largest file that is planned for, 10,000 tenants with 8 services each, has 300,000.
_MOST_VALUES = 1_000_000
# YAML itself allows no more for a key without a '?' before it.
_LONGEST_KEY = 1024
# Nobody reads more of these, and each costs memory.
_MOST_FAULTS = 1_000
_EXAMPLE = "write an intent that begins with version: 1, as docs/intent.md shows"
# What YAML does not allow in a text, and the line ends that only YAML 1.1 counts as such.
_UNFIT = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Document:
    """What a text says, and what was refused on the way. ``root`` is None where nothing can be used."""

    root: Table | None
    diagnostics: tuple[Diagnostic, ...]


class _StopReading(Exception):  # noqa: N818 - no error: the reading ends here, and diagnostics say why
    """Ends the reading of a text that cannot become an intent."""


def compose(text: str, file: str) -> Document:
    """Return the tree of a YAML text, with every fault that can be found without knowing the keys."""
    text = text.removeprefix("\ufeff")
    unfit = _UNFIT.search(text)
    if unfit:
        return Document(None, (_unfit_character(unfit, text, file),))
    composer = _Composer(file)
    try:
        _feed(composer, text)
    except yaml.YAMLError as error:
        return Document(None, (*composer.diagnostics, complaint(error, text, file)))
    except _StopReading:
        return Document(None, tuple(composer.diagnostics))
    if isinstance(composer.root, Table):
        return Document(composer.root, tuple(composer.diagnostics))
    return Document(None, (*composer.diagnostics, *_no_mapping(composer.root, file)))


def _feed(composer: _Composer, text: str) -> None:
    parser = _LOADER(text)
    try:
        event = None
        while type(event) is not yaml.StreamEndEvent:
            event = parser.get_event()
            composer.take(event)
    finally:
        parser.dispose()


def _unfit_character(unfit: re.Match[str], text: str, file: str) -> Diagnostic:
    before = text[: unfit.start()].replace("\r\n", "\n").replace("\r", "\n")
    where = Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    return Diagnostic(file, where, f"the character U+{ord(unfit.group()):04X} cannot stand in YAML", "delete it")


def _no_mapping(root: Node | None, file: str) -> tuple[Diagnostic, ...]:
    if root is None or is_null(root):
        return (Diagnostic(file, Position(), "the file is empty", _EXAMPLE),)
    if isinstance(root, Listing):
        return (Diagnostic(file, position(root.mark), "the file holds a list", _EXAMPLE),)
    if isinstance(root, str):
        return (Diagnostic(file, Position(), f"the file holds only the text '{shown(root)}'", _EXAMPLE),)
    return ()


class _Skip:
    """Takes the place of a key whose value is of no use."""


_SKIP = _Skip()


class _Composer:
    """Builds the tree. Works without recursion, so depth costs nothing but the stack it counts."""

    def __init__(self, file: str) -> None:
        self.root: Node | None = None
        self.diagnostics: list[Diagnostic] = []
        self._file = file
        self._documents = 0
        self._values = 0
        self._open: list[Table | Listing] = []
        # For each open mapping the key that waits for its value, None where a key comes next.
        self._keys: list[tuple[str | _Skip, Mark] | None] = []

    def take(self, event: Any) -> None:
        """Take the next event of the parser."""
        kind = type(event)
        start = event.start_mark
        mark: Mark = start.line << COLUMN_BITS | start.column
        if kind is yaml.ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                self._refuse_decoration(event, mark)
            text: str = event.value
            self._add(text if event.implicit[0] else Quoted(text), mark)
        elif kind is yaml.MappingStartEvent:
            self._begin(Table(mark), event, mark)
        elif kind is yaml.SequenceStartEvent:
            self._begin(Listing(mark), event, mark)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._open.pop()
            self._keys.pop()
        elif kind is yaml.AliasEvent:
            self._refuse(mark, f"the alias '*{shown(event.anchor)}' is not read here", _WRITE_OUT)
            self._add(Hole(), mark)
        elif kind is yaml.DocumentStartEvent:
            self._begin_document(mark)

    def _begin_document(self, mark: Mark) -> None:
        self._documents += 1
        if self._documents > 1:
            self._refuse(mark, "a second document starts here", "keep one intent in a file and delete the '---'")
            raise _StopReading

    def _refuse_decoration(self, event: Any, mark: Mark) -> None:
        if event.anchor is not None:
            self._refuse(mark, f"the anchor '&{shown(event.anchor)}' is not read here", _WRITE_OUT)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!", 1)
            self._refuse(mark, f"the tag '{shown(tag)}' is not read here", "delete the tag")

    def _begin(self, container: Table | Listing, event: Any, mark: Mark) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_decoration(event, mark)
        self._add(container, mark)
        if len(self._open) == _DEEPEST:
            self._refuse(mark, f"this is nested more than {_DEEPEST} deep", "an intent never is; see docs/intent.md")
            raise _StopReading
        self._open.append(container)
        self._keys.append(None)

    def _add(self, node: Node, mark: Mark) -> None:
        """Put a node where it belongs: into the open list or mapping, or make it the root."""
        self._values += 1
        if self._values > _MOST_VALUES:
            self._refuse(mark, f"the file holds more than {_MOST_VALUES:,} values", "split the intent")
            raise _StopReading
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Listing):
            parent.append(node)
            parent.marks.append(mark)
            return
        waiting = self._keys[-1]
        if waiting is None:
            self._keys[-1] = (self._key(parent, node, mark), mark)
            return
        key, key_mark = waiting
        self._keys[-1] = None
        if not isinstance(key, _Skip):
            parent[key] = node
            parent.marks[key] = (key_mark, mark)

    def _key(self, parent: Table, node: Node, mark: Mark) -> str | _Skip:
        """Return a key, or what stands for it where it is refused."""
        if not isinstance(node, str):
            if not isinstance(node, Hole):
                kind = "a list" if isinstance(node, Listing) else "a mapping"
                self._refuse(mark, f"{kind} cannot be a key", "write a word before the ':'")
            return _SKIP
        if node == "<<" and not isinstance(node, Quoted):
            self._refuse(mark, "the merge key '<<' is not read here", _WRITE_OUT)
            return _SKIP
        if len(node) > _LONGEST_KEY:
            self._refuse(mark, f"the key '{shown(node)}' has {len(node):,} characters", f"use at most {_LONGEST_KEY}")
            return _SKIP
        if node in parent:
            first = position(parent.marks[node][0]).line
            self._refuse(
                mark, f"the key '{shown(node)}' stands here a second time (first in line {first})", "keep one of them"
            )
            return _SKIP
        return node

    def _refuse(self, mark: Mark, problem: str, fix: str) -> None:
        self.diagnostics.append(Diagnostic(self._file, position(mark), problem, fix))
        if len(self.diagnostics) >= _MOST_FAULTS:
            raise _StopReading


_WRITE_OUT = "write the values out"
