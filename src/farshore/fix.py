"""A fix: the edits of a document that it offers, and the sentence that is written from them.

Whoever follows a fix (a person, a program, a test) follows the very values that its sentence shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from farshore.errors import Position

# Keys of mappings from the top down; an item of a list goes by its place in the file.
Path = tuple[str | Position, ...]
# A value as the document has it: a scalar, a list or a mapping.
Value = str | int | bool | tuple["Value", ...] | Mapping[str, "Value"]


@dataclass(frozen=True, slots=True)
class Write:
    """A value is written at a path, whether one is there or not."""

    path: Path
    value: Value


@dataclass(frozen=True, slots=True)
class Append:
    """A value is added at the end of the list at a path."""

    path: Path
    value: Value


@dataclass(frozen=True, slots=True)
class Rename:
    """The key at a path becomes another; its value stays."""

    path: Path
    value: str


@dataclass(frozen=True, slots=True)
class Remove:
    """The key or item at a path is taken out. ``value`` is how it is called."""

    path: Path
    value: Value


Edit = Write | Append | Rename | Remove


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to fix a fault: all of these edits. Without any, only a person can do it.

    ``words`` contain ``{}`` wherever the value of an edit is shown, in their order; further edits are not shown.
    """

    words: str
    edits: tuple[Edit, ...] = ()

    def __str__(self) -> str:
        """Return the words with the values in them."""
        return self.words.format(*(written(each.value) for each in self.edits)) if self.edits else self.words


class Fix(str):
    """The sentence that says what to write instead, with the ``choices`` that it is made of, the best first."""

    __slots__ = ("choices",)

    choices: tuple[Choice, ...]

    def __new__(cls, choices: Sequence[Choice]) -> Self:
        """Write the sentence: the choices, one after the other."""
        fix = super().__new__(cls, ", or ".join(map(str, choices)))
        fix.choices = tuple(choices)
        return fix

    def __reduce__(self) -> tuple[type[_Kept], tuple[str, tuple[Choice, ...]]]:
        """Return what a copy is made of."""
        return _Kept, (str(self), self.choices)

    def at(self, path: Path) -> Fix:
        """Return the same fix of the value at a path, given one of a value by itself."""
        return _Kept(str(self), tuple(_placed(choice, path) for choice in self.choices))

    def agreeing(self, values: Mapping[Path, Value]) -> Fix:
        """Return the same fix with these values wherever it writes to their paths, so that two fixes agree."""
        return Fix(
            [replace(each, edits=tuple(_agreeing(edit, values) for edit in each.edits)) for each in self.choices]
        )

    def and_also(self, *edits: Edit) -> Fix:
        """Return the same fix, every choice with further edits, which its sentence does not show."""
        return _Kept(str(self), tuple(replace(each, edits=(*each.edits, *edits)) for each in self.choices))

    def at_key(self, path: Path) -> Fix:
        """Return the same fix of the key at a path, given one of a value by itself."""
        return _Kept(str(self), tuple(_placed(choice, path, as_key=True) for choice in self.choices))


class _Kept(Fix):
    """A fix whose sentence is written already."""

    __slots__ = ()

    def __new__(cls, sentence: str, choices: tuple[Choice, ...]) -> Self:
        """Keep sentence and choices."""
        fix = str.__new__(cls, sentence)
        fix.choices = choices
        return fix


def write(value: Value, words: str = "write {}", path: Path = ()) -> Fix:
    """Return the fix that writes one value, by default in place of the one that is at fault."""
    return Fix((Choice(words, (Write(path, value),)),))


def choices_of(fix: str) -> tuple[Choice, ...]:
    """Return the choices of a fix, none for plain words: those only a person can follow."""
    return fix.choices if isinstance(fix, Fix) else ()


def first_edits(fix: str) -> tuple[Edit, ...]:
    """Return the edits of the best choice that has any, none where only a person can follow."""
    return next((choice.edits for choice in choices_of(fix) if choice.edits), ())


def written(value: Value) -> str:
    """Return a value as a line of YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {written(each)}' for key, each in value.items())}}}"
    return str(value)


def _agreeing(edit: Edit, values: Mapping[Path, Value]) -> Edit:
    return replace(edit, value=values[edit.path]) if isinstance(edit, Write) and edit.path in values else edit


def _placed(choice: Choice, path: Path, *, as_key: bool = False) -> Choice:
    return replace(choice, edits=tuple(_edits_at(choice.edits, path, as_key=as_key)))


def _edits_at(edits: tuple[Edit, ...], path: Path, *, as_key: bool) -> Iterator[Edit]:
    for edit in edits:
        if as_key and isinstance(edit, Write) and not edit.path:
            yield Rename(path, written(edit.value))
        else:
            yield replace(edit, path=(*path, *edit.path))
