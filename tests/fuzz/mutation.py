"""Texts made of others by small changes, as careless people, broken editors and attackers make them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

_TOKEN = re.compile(r"[A-Za-z0-9_.:/@+-]+|\s+|.", re.S)
_NUMBER = re.compile(r"\d+")
# What is strange to YAML, to Python, to terminals and to arithmetic.
STRANGE = (
    *("", " ", "\n", "\t", "\r\n", "\x00", "\x1b[31m", "\x85", "\u2028", "\ufeff", "\u202e", "\U0001d11e", "é", "\x7f"),
    *(
        "null",
        "~",
        "yes",
        "on",
        "010",
        "0x10",
        "1e3",
        "1_000",
        ".inf",
        ".nan",
        "1:30",
        "2026-01-01",
        "-1",
        "1.5",
        "=",
        "<<",
    ),
    *(
        "&a",
        "*a",
        "!!python/object:os.system",
        "!x",
        "|",
        ">",
        "? ",
        "- ",
        ": ",
        "#",
        "---",
        "...",
        "%YAML 9.9",
        "'",
        '"',
    ),
    *('"', "{", "}", "[", "]", "{}", "[]", "{a: 1}", "[a]", ",", "\\", "\\x00", '"\\e]0;x\\a"', '"\\ud800"'),
    *(
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.1.1.1",
        "255.255.255.255",
        "::1",
        "fe80::/64",
        "100.64.0.0/32",
        "127.0.0.1",
        "/32",
    ),
    *(
        "tcp/0",
        "tcp/65536",
        "udp/53",
        "icmp",
        "tcp/80-90",
        "sctp/1",
        "lake",
        "last-hop",
        "appliance",
        "single-nat",
        "keep",
    ),
    *(
        "provider",
        "internet",
        "tenants",
        "services",
        "a" * 64,
        "9" * 400,
        "customer-a",
        "../../etc/passwd",
        "/dev/zero",
    ),
)
_EDGES = (0, 1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**64)


def mutated(text: str, others: Sequence[str], chance: random.Random) -> str:
    """Return a text with one to five changes; ``others`` are texts that pieces may come from."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        text = chance.choice(_CHANGES)(text, others, chance)
    return text


def _tokens(text: str, chance: random.Random) -> tuple[list[str], int]:
    tokens = _TOKEN.findall(text) or [""]
    return tokens, chance.randrange(len(tokens))


def _replace_token(text: str, _others: Sequence[str], chance: random.Random) -> str:
    tokens, place = _tokens(text, chance)
    tokens[place] = chance.choice(STRANGE)
    return "".join(tokens)


def _insert(text: str, _others: Sequence[str], chance: random.Random) -> str:
    tokens, place = _tokens(text, chance)
    return "".join((*tokens[:place], chance.choice(STRANGE), *tokens[place:]))


def _swap_tokens(text: str, _others: Sequence[str], chance: random.Random) -> str:
    tokens, one = _tokens(text, chance)
    other = chance.randrange(len(tokens))
    tokens[one], tokens[other] = tokens[other], tokens[one]
    return "".join(tokens)


def _copy_token(text: str, others: Sequence[str], chance: random.Random) -> str:
    tokens, place = _tokens(text, chance)
    source, from_there = _tokens(chance.choice((text, chance.choice(others))), chance)
    tokens[place] = source[from_there]
    return "".join(tokens)


def _change_number(text: str, _others: Sequence[str], chance: random.Random) -> str:
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    number = chance.choice(found)
    value = chance.choice((*_EDGES, int(number[0][:20]) + 1, max(int(number[0][:20]) - 1, 0)))
    return f"{text[: number.start()]}{value}{text[number.end() :]}"


def _lines(text: str, others: Sequence[str], chance: random.Random) -> str:
    """Delete, repeat, move, indent or bring in a line, or several."""
    lines = text.split("\n")
    first = chance.randrange(len(lines))
    block = lines[first : first + chance.randint(1, 4)]
    rest = lines[:first] + lines[first + len(block) :]
    match chance.randrange(5):
        case 0:
            return "\n".join(rest)
        case 1:
            return "\n".join(lines[:first] + block + lines[first:])
        case 2:
            there = chance.randint(0, len(rest))
            return "\n".join(rest[:there] + block + rest[there:])
        case 3:
            by = chance.choice(("  ", " ", "\t"))
            return "\n".join(lines[:first] + [by + line for line in block] + lines[first + len(block) :])
    brought = chance.choice(others).split("\n")
    start = chance.randrange(len(brought))
    return "\n".join(lines[:first] + brought[start : start + len(block)] + lines[first:])


def _characters(text: str, _others: Sequence[str], chance: random.Random) -> str:
    """Delete, repeat or exchange a few characters."""
    start = chance.randint(0, len(text))
    end = start + chance.randint(1, 8)
    piece = text[start:end]
    return (
        text[:start]
        + chance.choice(("", piece * 2, piece[::-1], piece.upper(), chr(chance.randrange(1, 0x250))))
        + text[end:]
    )


def _cross(text: str, others: Sequence[str], chance: random.Random) -> str:
    other = chance.choice(others)
    return text[: chance.randint(0, len(text))] + other[chance.randint(0, len(other)) :]


def _nest(text: str, _others: Sequence[str], chance: random.Random) -> str:
    tokens, place = _tokens(text, chance)
    before, after = chance.choice((("[", "]"), ("{a: ", "}"), ("[" * 20, "]" * 20), ('"', '"'), ("'", "'")))
    tokens[place] = f"{before}{tokens[place]}{after}"
    return "".join(tokens)


_CHANGES: tuple[Callable[[str, Sequence[str], random.Random], str], ...] = (
    _replace_token,
    _insert,
    _swap_tokens,
    _copy_token,
    _change_number,
    _change_number,
    _lines,
    _lines,
    _characters,
    _cross,
    _nest,
)
