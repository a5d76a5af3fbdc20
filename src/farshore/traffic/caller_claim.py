"""How a service receives the caller's identity by the PROXY header, version 2.

The header's form is that of HAProxy's proxy-protocol.txt, section 2.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_HEADER = struct.Struct("!12sBBH")
_ADDRESSES = struct.Struct("!4s4sHH")
_VERSION, _LOCAL, _PROXY = 0x20, 0x0, 0x1
_TCP_OVER_IPV4 = 0x11
_TLV = struct.Struct("!BH")
_UNIQUE_ID, _NAMESPACE = 0x05, 0x30


class Readable(Protocol):
    """A stream of bytes that waits for as many as are asked for."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer only at the end."""


class ForgedError(Exception):
    """The claim does not come from the proxy."""


@dataclass(frozen=True, slots=True)
class CallerClaim:
    """The caller's identity in a PROXY header; None in a health check of the proxy."""

    tenant: str | None
    namespace: str | None
    client: str | None
    client_port: int | None


NO_CALLER = CallerClaim(None, None, None, None)


def read_proxy_header(stream: Readable) -> CallerClaim:
    """Read the PROXY header at the beginning of a connection. Raises ForgedError where there is none."""
    start = stream.read(_HEADER.size)
    if len(start) < _HEADER.size:
        raise ForgedError("no PROXY header")
    signature, version_and_command, family, length = _HEADER.unpack(start)
    rest = stream.read(length)
    command = version_and_command & 0x0F
    if signature != _SIGNATURE or version_and_command & 0xF0 != _VERSION or len(rest) < length:
        raise ForgedError("no PROXY header")
    if command == _LOCAL:
        return NO_CALLER
    if command != _PROXY or family != _TCP_OVER_IPV4 or length < _ADDRESSES.size:
        raise ForgedError("a PROXY header that is not of a TCP connection")
    source, _, source_port, _ = _ADDRESSES.unpack_from(rest)
    claimed = dict(_tlvs(rest[_ADDRESSES.size :]))
    name, namespace = claimed.get(_UNIQUE_ID), claimed.get(_NAMESPACE)
    return CallerClaim(_text(name), _text(namespace), str(IPv4Address(source)), source_port)


def _tlvs(content: bytes) -> list[tuple[int, bytes]]:
    found = []
    while len(content) >= _TLV.size:
        kind, length = _TLV.unpack_from(content)
        found.append((kind, content[_TLV.size : _TLV.size + length]))
        content = content[_TLV.size + length :]
    return found


def _text(content: bytes | None) -> str | None:
    # A HAProxy 2.6 that is being replaced can say nonsense for the namespace; the tenant's name is always right.
    return content.decode("ascii") if content is not None and content.isascii() else None
