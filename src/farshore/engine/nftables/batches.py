"""A rule set in portions, for users whose netlink messages must be small. Pure.

nft hands a transaction to the kernel as one message. Root may make its buffer as large as it needs; everybody
else is held to net.core.wmem_max, a few thousand elements. The rule set then goes in with its large sets
empty, and their elements follow. Until a host's element is there its packets find no translation and are
dropped at the shore: fewer get through for a moment, never other ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ELEMENTS_AT_ONCE = 1000

_TABLE = re.compile(r"table (?P<name>\S+ \S+) \{")
_SET = re.compile(r"\t(?:set|map) (?P<name>\S+) \{")
_ELEMENTS = re.compile(r"\t\telements = \{ (?P<elements>.*) \}")


def portions(text: str) -> Iterator[str]:
    """Yield the transactions that come to the same as one with the whole text, the rules first."""
    rules: list[str] = []
    additions: list[str] = []
    table = name = ""
    for line in text.splitlines():
        if found := _TABLE.fullmatch(line):
            table = found["name"]
        elif found := _SET.fullmatch(line):
            name = found["name"]
        elif found := _ELEMENTS.fullmatch(line):
            elements = found["elements"].split(", ")
            if len(elements) > ELEMENTS_AT_ONCE:
                additions += _additions(f"{table} {name}", elements)
                continue
        rules.append(line)
    yield "\n".join(rules) + "\n"
    yield from additions


def _additions(where: str, elements: list[str]) -> Iterator[str]:
    for start in range(0, len(elements), ELEMENTS_AT_ONCE):
        yield f"add element {where} {{ {', '.join(elements[start : start + ELEMENTS_AT_ONCE])} }}\n"
