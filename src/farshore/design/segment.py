"""A segment: what a design puts between the tenants' routers and the provider's, and the pieces that it is made of.

The rest of a fabric is the same in all designs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from farshore.errors import Position
from farshore.fabric.model import Direction, Guard, Limit, Link, Node
from farshore.fabric.names import LinkEnd, NodeName
from farshore.intent.model import Intent, Mode, Tenant
from farshore.origin import Origin
from farshore.plan.model import TenantPlan
from farshore.realm import PROVIDER, Address, Prefix, Realm
from farshore.translation import BasicNat, PortBlockNapt, SourceTranslation


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


# --- pieces ------------------------------------------------------------------------------------------


def origin(intent: Intent, position: Position) -> Origin:
    """Return the line of the intent at a position."""
    return Origin(intent.file, position.line)


def cable(left: NodeName, left_interface: str, right: NodeName, right_interface: str, realm: Realm) -> Link:
    """Return the link between two named interfaces."""
    return Link(LinkEnd(left, left_interface), LinkEnd(right, right_interface), realm)


def guards(interface: str, *, arriving: tuple[Prefix, ...], answering: tuple[Prefix, ...]) -> tuple[Guard, Guard]:
    """Return both guards of an interface behind which ``arriving`` addresses live.

    Packets from there must come from these addresses and go to the ``answering`` ones; packets to there
    must do the reverse.
    """
    return (
        Guard(interface, Direction.IN, sources=arriving, destinations=answering),
        Guard(interface, Direction.OUT, sources=answering, destinations=arriving),
    )


def limits(tenant: Tenant) -> tuple[Limit, ...]:
    """Return what a tenant may use up, nothing where it has no limit."""
    if tenant.sessions is None and tenant.rate is None:
        return ()
    return (Limit(tenant.realm, tenant.sessions, tenant.rate),)


def host_prefixes(addresses: Iterable[Address]) -> tuple[Prefix, ...]:
    """Return one prefix for each address."""
    return tuple(Prefix.of(address) for address in addresses)


def everywhere(realm: Realm) -> Prefix:
    """Return the default route's prefix."""
    return Prefix(realm, IPv4Network("0.0.0.0/0"))


def translatable(tenant_plan: TenantPlan) -> tuple[Prefix, ...]:
    """Return the addresses that may cross: in mode ``host`` the listed hosts, else whole networks."""
    return tuple(
        prefix
        for source in tenant_plan.sources
        for prefix in (
            (source.network,) if source.mode is not Mode.HOST else tuple(t.inside for t in source.translations)
        )
    )


def temporary(plan: TenantPlan) -> tuple[Prefix, ...]:
    """Return the addresses by which a tenant's hosts are known inside the provider's network."""
    return tuple(Prefix(PROVIDER, block.network) for source in plan.sources for block in source.lake)


def in_provider_realm(translation: SourceTranslation) -> SourceTranslation:
    """Return a translation into the lake as one into the provider's realm: here there is no lake."""
    if isinstance(translation, BasicNat):
        return BasicNat(translation.inside, Prefix(PROVIDER, translation.outside.network))
    return PortBlockNapt(
        translation.inside,
        Address(PROVIDER, translation.first.ip),
        translation.addresses,
        translation.hosts_per_address,
        translation.block_size,
    )
