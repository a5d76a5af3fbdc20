"""The names of nodes and interfaces, the same in every design."""

from __future__ import annotations

import base64
import hashlib

from farshore.fabric.model import MAX_INTERFACE_NAME

PROVIDER_NAT = "provider/nat"
PROVIDER_ROUTER = "provider/router"
PROVIDER_PROXY = "provider/proxy"
PROVIDER_LAST_HOP = "provider/last-hop"
PROVIDER_EDGE = "provider/edge"
INTERNET_HOST = "internet/host"
UNNAMED_HOST = "host"

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


def wan(tenant: str) -> str:
    """Return the node name of a tenant's WAN, in the designs that have it as a node."""
    return f"{tenant}/wan"


def plug(box: str) -> str:
    """Return the name of the interfaces that lead to a box of the provider: what it is called there."""
    return box.partition("/")[2]


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
