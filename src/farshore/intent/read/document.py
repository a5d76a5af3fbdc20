"""From text to a tree with positions, in one pass over the YAML parser's events.

Everything that could grow without bound is refused on the way: anchors and aliases (a page of them
expands to gigabytes), depth, and the number of values. The parser itself never recurses, and its complaints
are translated into diagnostics.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, Position, shown
from farshore.intent.read.scalars import is_null
from farshore.intent.read.tree import COLUMN_BITS, Hole, Listing, Mark, Node, Quoted, Table, mark_of, position

# libyaml where PyYAML was built with it: twenty times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# provider → services → portal → ports → one port is as deep as an intent goes.
_DEEPEST = 16
# The largest file that is planned for, 10,000 tenants with 8 services each, has 300,000.
_MOST_VALUES = 1_000_000
# YAML itself allows no more for a key without a '?' before it.
_LONGEST_KEY = 1024
# More of them are of no use, and each costs memory.
_MOST_FAULTS = 1_000
_WRITE_OUT = "write the values out"
_EXAMPLE = "write an intent that begins with version: 1, as docs/intent.md shows"
# What YAML does not allow in a text, and the line ends that only YAML 1.1 counts as such.
_UNFIT = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


# The parser's message → what is wrong, and what to write. {start} is the line where the construct began.
_WORDS = {
    "did not find expected ',' or ']'": (
        "the list that starts in line {start} is not closed",
        "write ',' between its items and ']' at its end",
    ),
    "did not find expected ',' or '}'": (
        "the mapping that starts in line {start} is not closed",
        "write ',' between its keys and '}' at its end",
    ),
    "mapping values are not allowed in this context": (
        "a key is not allowed here, so ':' has no meaning",
        "indent keys of one mapping alike, or put a value that contains ': ' in quotes",
    ),
    "did not find expected '-' indicator": (
        "expected an item of the list that starts in line {start}",
        "begin it with '- ', or indent it like the mapping that it belongs to",
    ),
    "did not find expected key": (
        "expected a key of the mapping that starts in line {start}",
        "indent keys of one mapping alike, and put a value with special characters in quotes",
    ),
    "did not find expected node content": ("expected a value", "write one, or delete the stray character"),
    "did not find expected <document start>": (
        "expected the end of the document",
        "indent all keys of the file alike, and delete an unmatched bracket",
    ),
    "found unexpected end of stream": ("the quote that opens here is not closed", "write the closing quote"),
    "found unexpected document indicator": ("the quote that opens here is not closed", "write the closing quote"),
    "found unknown escape character": (
        "the string that starts in line {start} contains an unknown escape sequence",
        "write the string in single quotes",
    ),
    "could not find expected ':'": ("expected ':' after the key", "write it as 'key: value'"),
    "block sequence entries are not allowed in this context": (
        "a list item is not allowed here",
        "begin the list in a line of its own, or write it as [a, b]",
    ),
    "found incompatible YAML document": ("this version of YAML is not supported", "delete the line"),
}
# The start is more useful than the end here: the end may be the end of the file.
_POINT_AT_START = frozenset(
    {
        "found unexpected end of stream",
        "found unexpected document indicator",
        "could not find expected ':'",
    }
)


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a text, and what was refused on the way. ``root`` is None where nothing can be used."""

    root: Table | None
    diagnostics: tuple[Diagnostic, ...]


class _StopReading(Exception):  # noqa: N818 - no error: the reading ends here, for a reason that diagnostics give
    """Ends the reading of a text that cannot become an intent."""


def compose(text: str, file: str) -> Document:
    """Return the tree of a YAML text, with every fault that does not depend on the keys."""
    text = text.removeprefix("\ufeff")
    unfit = _UNFIT.search(text)
    if unfit:
        return Document(None, (_unfit_character(unfit, text, file),))
    composer = _Composer(file)
    try:
        _feed(composer, text)
    except yaml.YAMLError as error:
        return Document(None, (*composer.diagnostics, _syntax_fault(error, text, file)))
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
    problem = f"character U+{ord(unfit.group()):04X} is not allowed in YAML"
    return Diagnostic(file, where, DiagnosticCode.UNFIT_CHARACTER, problem, "delete it")


def _no_mapping(root: Node | None, file: str) -> tuple[Diagnostic, ...]:
    if isinstance(root, Hole):
        return ()
    if root is None or is_null(root):
        where, problem = Position(), "the file is empty"
    elif isinstance(root, Listing):
        where, problem = position(root.mark), "expected a mapping at the top level, found a list"
    else:
        where, problem = Position(), f"expected a mapping at the top level, found the text '{shown(str(root))}'"
    return (Diagnostic(file, where, DiagnosticCode.NO_MAPPING, problem, _EXAMPLE),)


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
            self._refuse(mark, DiagnosticCode.REFERENCE, f"alias '*{shown(event.anchor)}' is not supported", _WRITE_OUT)
            self._add(Hole(), mark)
        elif kind is yaml.DocumentStartEvent:
            self._begin_document(mark)

    def _begin_document(self, mark: Mark) -> None:
        self._documents += 1
        if self._documents > 1:
            fix = "keep one intent in a file and delete the '---'"
            self._refuse(mark, DiagnosticCode.SECOND_DOCUMENT, "a second YAML document starts here", fix)
            raise _StopReading

    def _refuse_decoration(self, event: Any, mark: Mark) -> None:
        if event.anchor is not None:
            problem = f"anchor '&{shown(event.anchor)}' is not supported"
            self._refuse(mark, DiagnosticCode.REFERENCE, problem, _WRITE_OUT)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!", 1)
            self._refuse(mark, DiagnosticCode.TAG, f"tag '{shown(tag)}' is not supported", "delete the tag")

    def _begin(self, container: Table | Listing, event: Any, mark: Mark) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_decoration(event, mark)
        self._add(container, mark)
        if len(self._open) == _DEEPEST:
            problem = f"values are nested more than {_DEEPEST} levels deep"
            self._refuse(mark, DiagnosticCode.TOO_DEEP, problem, "write the keys as docs/intent.md shows")
            raise _StopReading
        self._open.append(container)
        self._keys.append(None)

    def _add(self, node: Node, mark: Mark) -> None:
        """Put a node where it belongs: into the open list or mapping, or make it the root."""
        self._values += 1
        if self._values > _MOST_VALUES:
            problem = f"the file contains more than {_MOST_VALUES:,} values"
            self._refuse(mark, DiagnosticCode.TOO_MANY_VALUES, problem, "split the intent")
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
        """Return a key, or a placeholder where it is refused."""
        if not isinstance(node, str):
            if not isinstance(node, Hole):
                kind = "a list" if isinstance(node, Listing) else "a mapping"
                problem, fix = f"{kind} cannot be a key", "write a word before the ':'"
                self._refuse(mark, DiagnosticCode.KEY_NOT_A_WORD, problem, fix)
            return _SKIP
        if node == "<<" and not isinstance(node, Quoted):
            self._refuse(mark, DiagnosticCode.REFERENCE, "merge key '<<' is not supported", _WRITE_OUT)
            return _SKIP
        if len(node) > _LONGEST_KEY:
            problem = f"key '{shown(node)}' has {len(node):,} characters"
            self._refuse(mark, DiagnosticCode.KEY_TOO_LONG, problem, f"use at most {_LONGEST_KEY}")
            return _SKIP
        if node in parent:
            first = position(parent.marks[node][0]).line
            problem = f"duplicate key '{shown(node)}' (first in line {first})"
            self._refuse(mark, DiagnosticCode.DUPLICATE_KEY, problem, "keep one of them")
            return _SKIP
        return node

    def _refuse(self, mark: Mark, code: DiagnosticCode, problem: str, fix: str) -> None:
        self.diagnostics.append(Diagnostic(self._file, position(mark), code, problem, fix))
        if len(self.diagnostics) >= _MOST_FAULTS:
            raise _StopReading


def _syntax_fault(error: yaml.YAMLError, text: str, file: str) -> Diagnostic:
    """Return what the parser refuses as a diagnostic whose position is inside the text."""
    problem = getattr(error, "problem", None) or "not readable"
    at: yaml.Mark | None = getattr(error, "problem_mark", None)
    start: yaml.Mark | None = getattr(error, "context_mark", None)
    if start is not None and problem in _POINT_AT_START:
        at = start
    where = _inside(position(mark_of(at)), text) if at is not None else Position()
    if problem == "found character that cannot start any token":
        return Diagnostic(file, where, DiagnosticCode.SYNTAX, *_bad_start(text, where))
    wrong, fix = _WORDS.get(problem, (f"invalid YAML: {shown(problem)}", "put the value in quotes"))
    begun = str(position(mark_of(start)).line if start is not None else where.line)
    return Diagnostic(file, where, DiagnosticCode.SYNTAX, wrong.replace("{start}", begun), fix)


def _bad_start(text: str, where: Position) -> tuple[str, str]:
    line = text.split("\n")[where.line - 1]
    character = line[where.column - 1 : where.column]
    if character == "\t":
        return "a tab is not allowed here", "indent with spaces"
    return f"a value cannot start with '{shown(character)}'", "put the value in quotes"


def _inside(where: Position, text: str) -> Position:
    """Return a position, or the last character of the text where the position is behind it."""
    lines = text.splitlines()
    if where.line <= len(lines):
        return where
    return Position(max(len(lines), 1), max(len(lines[-1]) if lines else 1, 1))
