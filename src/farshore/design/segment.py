"""What a design puts between the tenants' routers and the provider's: the rest is the same in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farshore.fabric.model import Link, LinkEnd, Node
from farshore.realm import Prefix


@dataclass(frozen=True, slots=True)
class Uplink:
    """Where a tenant's router is plugged in. ``interface`` is the router's name for it.

    ``presented`` are the addresses that are answered beyond it.
    """

    interface: str
    far_end: LinkEnd
    presented: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class ProviderUplink:
    """Where the provider's router is plugged in. ``interface`` is the router's name for it.

    ``sources`` are the addresses by which the provider's side knows those who are behind it.
    """

    interface: str
    far_end: LinkEnd
    sources: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """The boxes of a design: ``tenant_nodes`` are a tenant's own, by its name, and ``nodes`` are for all."""

    tenant_nodes: Mapping[str, tuple[Node, ...]]
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    uplinks: Mapping[str, Uplink]
    provider_uplinks: tuple[ProviderUplink, ...]
