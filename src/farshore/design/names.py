"""The names of nodes and interfaces, the same in every design."""

from __future__ import annotations

import base64
import hashlib

from farshore.fabric.model import MAX_INTERFACE_NAME

PROVIDER_NAT = "provider/nat"
PROVIDER_ROUTER = "provider/router"
PROVIDER_EDGE = "provider/edge"
INTERNET_HOST = "internet/host"
UNNAMED_HOST = "host"

_TOWARD = "to-"
_READABLE = 3


def ce(tenant: str) -> str:
    """Return the node name of a tenant's CE router."""
    return f"{tenant}/ce"


def tenant_nat(tenant: str) -> str:
    """Return the node name of a tenant's NAT device."""
    return f"{tenant}/nat"


def host(tenant: str, name: str) -> str:
    """Return the node name of a tenant's host."""
    return f"{tenant}/{name}"


def service(name: str) -> str:
    """Return the node name of a service."""
    return f"provider/{name}"


def toward(name: str) -> str:
    """Return the name of the interface that leads to a tenant, host or service.

    Linux allows 15 characters. Longer names keep their first letters and end in 45 bits of a digest,
    so that the name depends on nothing but what it leads to and ten thousand tenants do not collide.
    """
    if len(_TOWARD) + len(name) <= MAX_INTERFACE_NAME:
        return _TOWARD + name
    digest = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode().lower()
    return (_TOWARD + name[:_READABLE] + digest)[:MAX_INTERFACE_NAME]
