"""How a service receives the caller's identity through a proxy: the tenant, and the address of its host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProxyProtocol:
    """A header before the first byte: PROXY protocol, version 2 (HAProxy's proxy-protocol.txt)."""


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """HTTP headers, signed with a key that only the proxy and the service have.

    ``key_file`` is the file with the key, relative to the intent file.
    """

    key_file: str


CallerIdentity = ProxyProtocol | SignedHeader
