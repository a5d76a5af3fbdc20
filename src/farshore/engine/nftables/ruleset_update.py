"""The update of a rule set in use, without loss of packets of other flows. Pure.

The kernel switches rule sets at one instant, and packets are on their way through the old one then. Two things
lose them. A hooked chain that is deleted has lost its rules a moment before it is unhooked, and drops by default.
And the elements of a deleted set, as of a deleted rule's braces, are gone for a packet that came to the rule in the
old rule set and looks them up an instant later in the new. So chains stay hooked, chains whose rules stay are left
alone, and sets keep the elements that both rule sets have: loading those again changes nothing.

nft hands a transaction to the kernel as one message. Root may make its buffer as large as it needs; every other user
is held to net.core.wmem_max, a few thousand elements. There a rule set goes in with its large sets empty, and their
elements follow in batches. Until a host's element is there its packets find no translation and are dropped at the
shore: fewer get through for a moment, never other ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from farshore.engine.nftables.ruleset import FILTER_TABLE, NAT_TABLE

_OWN = (FILTER_TABLE, NAT_TABLE)
_TABLE = re.compile(r"^table (?P<name>\S+ \S+) \{.*?^\}$", re.MULTILINE | re.DOTALL)
_PART = re.compile(r"^\t(?P<kind>[a-z]+(?: [a-z]+)?) (?P<name>\S+) \{\n(?P<body>.*?)^\t\}\n*", re.MULTILINE | re.DOTALL)
# What we write, and so all that may be in our tables: no counter, limit, quota, ct timeout, flowtable …
_KINDS = ("chain", "set", "map")
_ELEMENTS = re.compile(r"^\t\telements = \{ (?P<elements>.*?) \}$", re.MULTILINE | re.DOTALL)
_HOOK = re.compile(r"^\t\ttype \w+ hook .*\n", re.MULTILINE)
_BRACES = re.compile(r"\{ ([^}]*) \}")


@dataclass(frozen=True, slots=True)
class _Part:
    """A chain, set, map or whatever else is in a table, as nft lists it or as we write it."""

    table: str
    kind: str
    name: str
    body: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Return what tells it from all others."""
        return self.table, self.kind, self.name

    @property
    def elements(self) -> frozenset[str]:
        """Return the elements of a set or map."""
        found = _ELEMENTS.search(self.body)
        return frozenset(_split(found["elements"])) if found else frozenset()

    @property
    def rules(self) -> str:
        """Return the rules of a chain, what stands in braces in order: nft lists it in any."""
        return _in_order(_HOOK.sub("", self.body))


def own_tables(listing: str) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of our tables in what nft lists."""
    for table in _TABLE.finditer(listing):
        if table["name"] in _OWN:
            yield table["name"], table.group()


# What is in our tables, by table, kind and name.
Contents = Mapping[tuple[str, str, str], str]


def contents(listing: str) -> Contents:
    """Return what is in our tables, by table, kind and name: two that differ in an order alone have equal contents.

    A table's own flags and comment, which are none of ours, are of a kind of their own.
    """
    found = {part.place: _in_order(part.body) for part in _parts(listing)}
    for name, content in own_tables(listing):
        found[name, "table", ""] = _outside(content)
    return found


def strange(found: Contents) -> list[str]:
    """Return what is in our tables that is of a kind which we never write, as people call it."""
    return [
        f"{kind} {name} of table {table}".replace("  ", " ")
        for (table, kind, name), text in found.items()
        if kind not in _KINDS and (kind != "table" or text)
    ]


def update(listing: str, text: str) -> str:
    """Return the transaction that replaces the rule set in use, ``listing``, by ``text``.

    Raises ValueError where a table has flags or a comment, for those cannot be taken from it.
    """
    for name, content in own_tables(listing):
        if said := _outside(content):
            raise ValueError(f"table {name} has {said!r}")
    present = {part.place: part for part in _parts(listing)}
    wanted = {part.place: part for part in _parts(text)}
    left_alone = {
        place
        for place, part in wanted.items()
        if part.kind == "chain" and place in present and present[place].rules == part.rules
    }
    flushes, deletions, last = [], [], []
    for place, part in present.items():
        where = f"{part.table} {part.name}"
        if part.kind == "chain":
            if place not in left_alone:
                flushes.append(f"flush chain {where}")
            if place not in wanted:
                last.append(f"delete chain {where}")  # elements of maps may jump to it: they go first
        elif place not in wanted:
            deletions.append(f"delete {part.kind} {where}")
        elif gone := sorted(part.elements - wanted[place].elements):
            deletions.append(f"delete element {where} {{ {', '.join(gone)} }}")
    return "".join(f"{command}\n" for command in (*flushes, *deletions, *last)) + _without(text, left_alone)


def _in_order(text: str) -> str:
    """Return a text with what stands in braces in order."""
    return _BRACES.sub(lambda braces: f"{{ {', '.join(sorted(_split(braces[1])))} }}", text)


def _outside(content: str) -> str:
    """Return what a table says outside of all its parts."""
    lines = _PART.sub("", content).strip().splitlines()[1:-1]
    return " ".join(line.strip() for line in lines)


def _parts(tables: str) -> Iterator[_Part]:
    for name, content in own_tables(tables):
        for part in _PART.finditer(content):
            yield _Part(name, part["kind"], part["name"], part["body"])


def _without(text: str, left_alone: set[tuple[str, str, str]]) -> str:
    def kept(table: str, part: re.Match[str]) -> str:
        if (table, part["kind"], part["name"]) not in left_alone:
            return part.group()
        # Where it is hooked in, and that it drops by default, is said again: that may be what has been changed.
        hook = _HOOK.search(part["body"])
        return f"\tchain {part['name']} {{\n{hook.group()}\t}}\n" if hook else ""

    return "".join(_PART.sub(partial(kept, name), content) + "\n" for name, content in own_tables(text))


def _split(elements: str) -> list[str]:
    return re.split(r",\s+", elements)


# --- batches ------------------------------------------------------------------------------------------

ELEMENTS_AT_ONCE = 1000
RULES_AT_ONCE = 400

_TABLE_LINE = re.compile(r"table (?P<name>\S+ \S+) \{")
_PART_LINE = re.compile(r"\t(?P<kind>chain|set|map) (?P<name>\S+) \{")
_ELEMENTS_LINE = re.compile(r"\t\telements = \{ (?P<elements>.*) \}")


def batches(text: str) -> Iterator[str]:
    """Yield the transactions that are equal to one with the whole text, each of a limited size.

    The first has every table, set and chain. Where the rules are many, its chains are empty, and a chain with a hook
    gets its rules last: until then its policy alone applies, which drops wherever anything is filtered.
    """
    lines = text.splitlines()
    many = sum(map(_is_rule, lines)) > RULES_AT_ONCE
    first: list[str] = []
    additions: list[str] = []
    rules: dict[_Kind, list[str]] = {_Kind.CHAIN: [], _Kind.HOOK: []}
    for part, where, line in _parts_of(lines):
        elements = _elements(line) if part is _Kind.SET else []
        if len(elements) > ELEMENTS_AT_ONCE:
            additions += _additions(where, elements)
        elif many and part in rules:
            rules[part].append(f"add rule {where} {line.strip()}\n")
        else:
            first.append(line)
    yield "\n".join(first) + "\n"
    yield from _at_once(rules[_Kind.CHAIN])
    yield from additions
    yield from _at_once(rules[_Kind.HOOK])


class _Kind(Enum):
    """What a line of a rule set belongs to: a rule to a chain without or with a hook; everything else to the rest."""

    SET = auto()
    CHAIN = auto()
    HOOK = auto()
    REST = auto()


def _parts_of(lines: list[str]) -> Iterator[tuple[_Kind, str, str]]:
    """Yield every line with its part, and the table and name of the set or chain that it stands in."""
    table = where = ""
    part = _Kind.REST
    for line in lines:
        if found := _TABLE_LINE.fullmatch(line):
            table = found["name"]
        elif found := _PART_LINE.fullmatch(line):
            part, where = _Kind.CHAIN if found["kind"] == "chain" else _Kind.SET, f"{table} {found['name']}"
        elif _HOOK.fullmatch(f"{line}\n"):
            part = _Kind.HOOK
            yield _Kind.REST, where, line
            continue
        yield part if _is_rule(line) else _Kind.REST, where, line


def _elements(line: str) -> list[str]:
    found = _ELEMENTS_LINE.fullmatch(line)
    return found["elements"].split(", ") if found else []


def _at_once(rules: list[str]) -> Iterator[str]:
    return ("".join(rules[start : start + RULES_AT_ONCE]) for start in range(0, len(rules), RULES_AT_ONCE))


def _is_rule(line: str) -> bool:
    """Tell whether a line stands two steps in, as the rules of chains do; sets' types and hooks do, too."""
    return line.startswith("\t\t")


def _additions(where: str, elements: list[str]) -> Iterator[str]:
    for start in range(0, len(elements), ELEMENTS_AT_ONCE):
        yield f"add element {where} {{ {', '.join(elements[start : start + ELEMENTS_AT_ONCE])} }}\n"
