"""The YAML parser's complaints in farshore's words."""

from __future__ import annotations

import yaml

from farshore.errors import Diagnostic, Position
from farshore.intent.fault import shown
from farshore.intent.tree import mark_of, position

# What the parser says → what is wrong, and what to write. {start} is the line where the thing began.
_WORDS = {
    "did not find expected ',' or ']'": (
        "the list that starts in line {start} is not closed here",
        "write ',' between its items and ']' at its end",
    ),
    "did not find expected ',' or '}'": (
        "the mapping that starts in line {start} is not closed here",
        "write ',' between its keys and '}' at its end",
    ),
    "mapping values are not allowed in this context": (
        "no key can stand here, so ':' has no meaning",
        "indent keys of one mapping alike, or put a value that holds ': ' in quotes",
    ),
    "did not find expected '-' indicator": (
        "this is not an item of the list that starts in line {start}",
        "begin it with '- ', or indent it as the mapping that it belongs to",
    ),
    "did not find expected key": (
        "this is not a key of the mapping that starts in line {start}",
        "indent keys of one mapping alike, and put a value with special characters in quotes",
    ),
    "did not find expected node content": ("a value is missing here", "write one, or delete the stray sign"),
    "did not find expected <document start>": (
        "this stands outside the document",
        "indent all keys of the file alike, and delete a bracket that closes nothing",
    ),
    "found unexpected end of stream": ("the quote that opens here is never closed", "write the closing quote"),
    "found unexpected document indicator": (
        "the quote that opens here is never closed",
        "write the closing quote",
    ),
    "found unknown escape character": (
        "the string that starts in line {start} holds an unknown escape",
        "write the string in single quotes",
    ),
    "could not find expected ':'": ("this has no ':' after it", "write it as 'key: value'"),
    "block sequence entries are not allowed in this context": (
        "no list item can start here",
        "begin the list in a line of its own, or write it as [a, b]",
    ),
    "found incompatible YAML document": ("this version of YAML is not known", "delete the line"),
}
# The start says more than the end here: the end may be the end of the file.
_POINT_AT_START = frozenset(
    {
        "found unexpected end of stream",
        "found unexpected document indicator",
        "could not find expected ':'",
    }
)


def complaint(error: yaml.YAMLError, text: str, file: str) -> Diagnostic:
    """Return what the parser refuses as a diagnostic whose place is inside the text."""
    problem = getattr(error, "problem", None) or "it cannot be read"
    at: yaml.Mark | None = getattr(error, "problem_mark", None)
    start: yaml.Mark | None = getattr(error, "context_mark", None)
    if start is not None and problem in _POINT_AT_START:
        at = start
    where = _inside(position(mark_of(at)), text) if at is not None else Position()
    if problem == "found character that cannot start any token":
        return Diagnostic(file, where, *_bad_start(text, where))
    wrong, fix = _WORDS.get(problem, (f"this is not YAML: {shown(problem)}", "put the value in quotes"))
    begun = str(position(mark_of(start)).line if start is not None else where.line)
    return Diagnostic(file, where, wrong.replace("{start}", begun), fix)


def _bad_start(text: str, where: Position) -> tuple[str, str]:
    line = text.split("\n")[where.line - 1]
    character = line[where.column - 1 : where.column]
    if character == "\t":
        return "a tab stands where only spaces may", "indent with spaces"
    return f"a value cannot start with '{shown(character)}'", "put the value in quotes"


def _inside(where: Position, text: str) -> Position:
    """Return a place, or the last character of the text where the place is behind it."""
    lines = text.splitlines()
    if where.line <= len(lines):
        return where
    return Position(max(len(lines), 1), max(len(lines[-1]) if lines else 1, 1))
