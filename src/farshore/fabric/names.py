"""The names of nodes, interfaces and ends of links, the same in every design."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Self

MAX_INTERFACE_NAME = 15  # IFNAMSIZ less the closing zero
_READABLE = 3
_SEPARATOR = "/"


class NodeName(str):
    """The name of a node, ``customer-a/ce``: its owner, and its local name.

    It is a string, so JSON, messages and the kernel show it as it is written.
    """

    __slots__ = ()

    @classmethod
    def of(cls, owner: str, local: str) -> Self:
        """Return the name of a node that a tenant, the provider or the Internet owns."""
        return cls(f"{owner}{_SEPARATOR}{local}")

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return a text as a node's name, None where nothing in it separates an owner from a node."""
        return cls(text) if _SEPARATOR in text else None

    @property
    def owner(self) -> str:
        """Return the owner's name: a tenant's, ``provider`` or ``internet``."""
        return self.partition(_SEPARATOR)[0]

    @property
    def local(self) -> str:
        """Return what the node is called at its owner's."""
        return self.partition(_SEPARATOR)[2]


@dataclass(frozen=True, slots=True, order=True)
class LinkEnd:
    """One end of a link: an interface of a node."""

    node: NodeName
    interface: str


PROVIDER_NAT = NodeName("provider/nat")
PROVIDER_ROUTER = NodeName("provider/router")
PROVIDER_PROXY = NodeName("provider/proxy")
PROVIDER_LAST_HOP = NodeName("provider/last-hop")
PROVIDER_EDGE = NodeName("provider/edge")
INTERNET_HOST = NodeName("internet/host")
UNNAMED_HOST = "host"


def ce(tenant: str) -> NodeName:
    """Return the name of a tenant's CE router."""
    return NodeName.of(tenant, "ce")


def tenant_nat(tenant: str) -> NodeName:
    """Return the name of a tenant's NAT device."""
    return NodeName.of(tenant, "nat")


def wan(tenant: str) -> NodeName:
    """Return the name of a tenant's WAN, in the designs that have it as a node."""
    return NodeName.of(tenant, "wan")


def service(name: str) -> NodeName:
    """Return the name of the node of a service, or of another host of the provider."""
    return NodeName.of("provider", name)


def toward(name: str) -> str:
    """Return the name of the interface that leads to a tenant, host or service."""
    return _interface("to-", name)


def toward_tenant(name: str) -> str:
    """Return the name of the interface that leads to a tenant, where others lead to services."""
    return _interface("at-", name)


def _interface(prefix: str, name: str) -> str:
    """Return an interface name that depends on nothing but what it leads to.

    Linux allows 15 characters. Longer names keep their first letters and end in 45 bits of a digest, so that
    ten thousand tenants do not collide.
    """
    if len(prefix) + len(name) <= MAX_INTERFACE_NAME:
        return prefix + name
    digest = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode().lower()
    return (prefix + name[:_READABLE] + digest)[:MAX_INTERFACE_NAME]
