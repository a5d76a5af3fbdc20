"""Attributes of netlink messages, as bytes and as values (linux/netlink.h): what every reader of messages needs.

pyroute2's decoder, which knows every attribute there is, takes twenty times as long, and a machine has thousands of
namespaces.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator

_HEADER = struct.Struct("=HH")
_TYPE = 0x3FFF  # less the flags for nested ones and for network byte order
NESTED = 0x8000


def attributes(content: bytes, start: int = 0) -> dict[int, bytes]:
    """Return the attributes of a message by type, from ``start`` on; of several of one type the last."""
    found = {}
    end = len(content)
    unpack = _HEADER.unpack_from
    while start + 4 <= end:
        size, kind = unpack(content, start)
        if size < _HEADER.size:
            break
        found[kind & _TYPE] = content[start + 4 : start + size]
        start += (size + 3) & ~3
    return found


def repeated(content: bytes, wanted: int) -> Iterator[bytes]:
    """Yield every attribute of one type."""
    start = 0
    while start + 4 <= len(content):
        size, kind = _HEADER.unpack_from(content, start)
        if size < _HEADER.size:
            return
        if kind & _TYPE == wanted:
            yield content[start + 4 : start + size]
        start += (size + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute as it stands in a message."""
    padding = b"\0" * (-len(value) % 4)
    return _HEADER.pack(_HEADER.size + len(value), kind) + value + padding


def number(value: bytes) -> int:
    """Return a number in the machine's own byte order."""
    return int.from_bytes(value, sys.byteorder)


def text(value: bytes) -> str:
    """Return a text, less the zero at its end."""
    return value.rstrip(b"\0").decode("utf-8", "replace")
