"""How a service receives the caller's identity through a proxy: the tenant, and the address of its host."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class ProxyProtocol:
    """A header before the first byte: PROXY protocol, version 2 (HAProxy's proxy-protocol.txt)."""


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """HTTP headers, signed (RFC 9421) with a key that only the proxy and the service have.

    ``key_file`` is the file with the key, relative to the intent file.
    """

    key_file: str

    @property
    def key_name(self) -> str:
        """Return the keyid of signatures: the file's name without its folder, other characters as underscores."""
        return re.sub(r"[^A-Za-z0-9._-]", "_", PurePath(self.key_file).name) or "_"


CallerIdentity = ProxyProtocol | SignedHeader
