"""How a service learns which tenant is calling, where a proxy stands between the two."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProxyProtocol:
    """A header before the first byte: PROXY protocol, version 2 (HAProxy's proxy-protocol.txt)."""


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """HTTP headers, signed with a key that only the proxy and the service have.

    ``key_file`` is where the key stands, relative to the intent file.
    """

    key_file: str


CallerIdentity = ProxyProtocol | SignedHeader
