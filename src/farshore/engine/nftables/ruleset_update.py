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

# In characters. The kernel's own form is several times as long, and the socket of an ordinary user takes some 200 KiB.
LARGEST_BATCH = 16_384

_TABLE_LINE = re.compile(r"table (?P<name>\S+ \S+) \{")
_PART_LINE = re.compile(r"\t(?P<kind>chain|set|map) (?P<name>\S+) \{")
_ELEMENTS_LINE = re.compile(r"\t\telements = \{ (?P<elements>.*) \}")
_PART_END = "\t}"


def batches(text: str) -> Iterator[str]:
    """Yield the transactions that are equal to one with the whole text, each of a limited size.

    First come all tables, sets and chains, empty, the chains with a hook before the others; then the rules of the
    chains without a hook, then the elements, and the rules of the chains with a hook last: until then their policy
    alone applies, which drops wherever anything is filtered.
    """
    found = _Statements([], [], [], [], [])
    table = where = ""
    part: list[str] = []
    rules = found.rules
    for line in text.splitlines():
        if opened := _TABLE_LINE.fullmatch(line):
            table = opened["name"]
        elif opened := _PART_LINE.fullmatch(line):
            where, part, rules = f"{table} {opened['name']}", [line], found.rules
        elif line == _PART_END:
            declarations = found.hooks if rules is found.hooked_rules else found.declarations
            declarations.append("\n".join((f"table {table} {{", *part, line, "}")) + "\n")
            part = []
        elif not part:
            found.hooks.extend([f"{line}\n"] if line not in ("", "}") else [])
        elif elements := _ELEMENTS_LINE.fullmatch(line):
            found.elements.extend(_additions(where, elements["elements"].split(", ")))
        elif _HOOK.fullmatch(f"{line}\n"):
            rules = found.hooked_rules
            part.append(line)
        elif part[0].startswith("\tchain "):
            rules.append(f"add rule {where} {line.strip()}\n")
        else:
            part.append(line)
    for statements in (found.hooks + found.declarations, found.rules, found.elements, found.hooked_rules):
        yield from _packed(statements)


@dataclass(frozen=True, slots=True)
class _Statements:
    """The statements of a text, in the order in which they are made. ``hooks`` begin with what stands first in it."""

    hooks: list[str]
    declarations: list[str]
    rules: list[str]
    elements: list[str]
    hooked_rules: list[str]


def _additions(where: str, elements: list[str]) -> Iterator[str]:
    return (f"add element {where} {{ {some} }}\n" for some in _packed(elements, ", "))


def _packed(statements: list[str], between: str = "") -> Iterator[str]:
    """Join statements, in order, to texts that are no longer than the largest batch, or one statement."""
    some: list[str] = []
    length = 0
    for statement in statements:
        if some and length + len(statement) > LARGEST_BATCH:
            yield between.join(some)
            some, length = [], 0
        some.append(statement)
        length += len(statement) + len(between)
    if some:
        yield between.join(some)
