"""Parts that every design is put together from: cables, guards, services."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

from farshore.errors import Position
from farshore.fabric import names
from farshore.fabric.model import Direction, EndSystem, Guard, Interface, Limit, Link, LinkEnd, NodeKind
from farshore.fabric.names import NodeName
from farshore.intent.model import Host, Intent, Mode, Tenant
from farshore.origin import Origin
from farshore.plan.model import TenantPlan
from farshore.realm import PROVIDER, Address, Prefix, Realm
from farshore.translation import BasicNat, PortBlockNapt, SourceTranslation

_POINT_TO_POINT = 31  # RFC 3021: from here on a network has no address that is not a host's


def origin(intent: Intent, position: Position) -> Origin:
    """Return the line of the intent at a position."""
    return Origin(intent.file, position.line)


def cable(left: NodeName, left_interface: str, right: NodeName, right_interface: str, realm: Realm) -> Link:
    """Return the link between two named interfaces."""
    return Link(LinkEnd(left, left_interface), LinkEnd(right, right_interface), realm)


def limits(tenant: Tenant) -> tuple[Limit, ...]:
    """Return what a tenant may use up, nothing where it has no limit."""
    if tenant.sessions is None and tenant.rate is None:
        return ()
    return (Limit(tenant.realm, tenant.sessions, tenant.rate),)


def guards(interface: str, *, arriving: tuple[Prefix, ...], answering: tuple[Prefix, ...]) -> tuple[Guard, Guard]:
    """Return both guards of an interface behind which ``arriving`` addresses live.

    Packets from there must come from these addresses and go to the ``answering`` ones; packets to there
    must do the reverse.
    """
    return (
        Guard(interface, Direction.IN, sources=arriving, destinations=answering),
        Guard(interface, Direction.OUT, sources=answering, destinations=arriving),
    )


def host_prefixes(addresses: Iterable[Address]) -> tuple[Prefix, ...]:
    """Return one prefix for each address."""
    return tuple(Prefix.of(address) for address in addresses)


def everywhere(realm: Realm) -> Prefix:
    """Return the default route's prefix."""
    return Prefix(realm, IPv4Network("0.0.0.0/0"))


def tenant_hosts(tenant: Tenant, intent: Intent) -> tuple[EndSystem, ...]:
    """Return a tenant's named hosts or, where it names none, one that stands for all."""
    unnamed = Host(names.UNNAMED_HOST, _first_address(tenant), tenant.position)
    return tuple(
        EndSystem(
            name=NodeName.of(tenant.name, host.name),
            kind=NodeKind.HOST,
            interface=Interface("wan", tenant.realm),
            address=host.address,
            listens=intent.reached(tenant.name),
            origin=origin(intent, host.position),
        )
        for host in tenant.hosts or (unnamed,)
    )


def _first_address(tenant: Tenant) -> Address:
    """Return where a tenant without named hosts gets one: the first address of its first network."""
    network: IPv4Network = tenant.networks[0].prefix.network
    offset = 0 if network.prefixlen >= _POINT_TO_POINT else 1
    return Address(tenant.realm, network.network_address + offset)


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
