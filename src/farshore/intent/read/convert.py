"""From the models of the file's keys to the frozen intent, every value with its position."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from farshore.caller_identity import CallerIdentity, ProxyProtocol, SignedHeader
from farshore.errors import Position
from farshore.intent.model import (
    DEFAULT_SESSIONS,
    Host,
    Mode,
    Network,
    Provider,
    Reach,
    Service,
    StraySource,
    Subscription,
    Tenant,
)
from farshore.intent.read import schema_models
from farshore.intent.read.tree import Listing, Table
from farshore.intent.read.tree import position as position_of
from farshore.realm import INTERNET, LAKE, PROVIDER, Address, Prefix, Realm, tenant_realm


def provider(read: schema_models.Provider, table: Table, position: Position) -> Provider:
    """Return the provider. ``position`` is that of its key."""
    services = table_at(table, "services")
    source = () if isinstance(read.source, str) else tuple(read.source)
    return Provider(
        name=read.name,
        networks=tuple(Prefix(PROVIDER, network) for network in read.networks),
        lake=Prefix(LAKE, read.lake),
        lake_acknowledged=read.lake_acknowledged,
        source=tuple(Prefix(PROVIDER, network) for network in source),
        services={name: _service(name, each, services) for name, each in read.services.items()},
        hosts=_hosts(PROVIDER, read, table),
        reaches=tuple(_reaches(read, table)),
        position=position,
        network_positions=_item_positions(table, "networks"),
        lake_position=_position(table, "lake", position),
        source_position=_position(table, "source", position),
        source_positions=_item_positions(table, "source"),
    )


def tenant(name: str, read: schema_models.Tenant, table: Table, position: Position) -> Tenant:
    """Return one tenant. ``position`` is that of its key."""
    realm = tenant_realm(name)
    return Tenant(
        name=name,
        realm=realm,
        networks=_networks(realm, read, table),
        presents=None if read.presents is None else Prefix(realm, read.presents),
        subscriptions=_subscriptions(realm, read, table),
        hosts=_hosts(realm, read, table),
        sessions=read.limits.sessions or DEFAULT_SESSIONS,
        rate=read.limits.rate,
        design=read.design,
        position=position,
        presents_position=_position(table, "presents", position),
        design_position=_position(table, "design", position),
    )


def stray_sources(name: str, read: schema_models.Tenant, table: Table) -> Iterator[StraySource]:
    """Yield every network that has a source mode and is not the tenant's."""
    sources = read.sources if isinstance(read.sources, dict) else {}
    own_networks = frozenset(read.networks) if sources else frozenset()
    for network in sources:
        if network not in own_networks:
            yield StraySource(name, network, table_at(table, "sources").key_position(str(network)))


def _service(name: str, read: schema_models.Service, services: Table) -> Service:
    table = table_at(services, name)
    position = services.key_position(name)
    return Service(
        name=name,
        address=Address(PROVIDER, read.address),
        ports=tuple(read.ports),
        dns=read.dns,
        internet=None if read.internet is None else Address(INTERNET, read.internet),
        caller_identity=_caller_identity(read),
        design=read.design,
        position=position,
        address_position=_position(table, "address", position),
        port_positions=_item_positions(table, "ports"),
        dns_position=_position(table, "dns", position),
        internet_position=_position(table, "internet", position),
        caller_identity_position=_position(table, "signed-header", _position(table, "proxy-protocol", position)),
        design_position=_position(table, "design", position),
    )


def _caller_identity(read: schema_models.Service) -> CallerIdentity | None:
    if read.proxy_protocol is not None:
        return ProxyProtocol()
    return None if read.signed_header is None else SignedHeader(read.signed_header)


def _reaches(read: schema_models.Provider, table: Table) -> Iterator[Reach]:
    written = table.get("reaches")
    tables = written if isinstance(written, Listing) else ()
    for each, where, mark in zip(read.reaches, tables, getattr(written, "marks", ()), strict=True):
        own = where if isinstance(where, Table) else Table(mark)
        position = position_of(mark)
        ports = _item_positions(own, "ports")
        yield Reach(each.tenant, tuple(each.ports), position, _position(own, "tenant", position), ports)


def _networks(realm: Realm, read: schema_models.Tenant, table: Table) -> tuple[Network, ...]:
    modes = _modes(read, table)
    positions = _item_positions(table, "networks")
    default = modes.get(None, (Mode.PREFIX, 0, None))
    networks = []
    for network, where in zip(read.networks, positions, strict=True):
        mode, pool_size, mode_position = modes.get(network, default)
        networks.append(Network(Prefix(realm, network), mode, pool_size, where, mode_position or where))
    return tuple(networks)


def _modes(read: schema_models.Tenant, table: Table) -> dict[IPv4Network | None, tuple[Mode, int, Position | None]]:
    """Return mode, pool size and position for each network that has its own; None stands for the others."""
    sources = read.sources
    if not isinstance(sources, dict):
        return {None: (*_mode(sources), table.value_position("sources") if "sources" in table else None)}
    written = table_at(table, "sources")
    return {network: (*_mode(each), written.value_position(str(network))) for network, each in sources.items()}


def _mode(source: Mode | schema_models.Pool) -> tuple[Mode, int]:
    return (Mode.POOL, source.pool) if isinstance(source, schema_models.Pool) else (source, 0)


def _subscriptions(realm: Realm, read: schema_models.Tenant, table: Table) -> tuple[Subscription, ...]:
    services = read.services
    if not isinstance(services, dict):
        positions = _item_positions(table, "services")
        return tuple(Subscription(name, None, where) for name, where in zip(services, positions, strict=True))
    written = table_at(table, "services")
    return tuple(
        Subscription(
            name,
            None if presented is None else Address(realm, presented),
            written.key_position(name),
            written.value_position(name),
        )
        for name, presented in services.items()
    )


def _hosts(realm: Realm, read: schema_models.Tenant | schema_models.Provider, table: Table) -> tuple[Host, ...]:
    if not read.hosts:
        return ()
    written = table_at(table, "hosts")
    return tuple(
        Host(name, Address(realm, address), written.key_position(name), written.value_position(name))
        for name, address in read.hosts.items()
    )


def table_at(table: Table, key: str) -> Table:
    """Return the mapping at a key, an empty one where there is none."""
    node = table.get(key)
    return node if isinstance(node, Table) else Table(table.mark)


def _position(table: Table, key: str, otherwise: Position) -> Position:
    return table.value_position(key) if key in table else otherwise


def _item_positions(table: Table, key: str) -> tuple[Position, ...]:
    listing = table.get(key)
    if not isinstance(listing, Listing):
        return ()
    return tuple([position_of(mark) for mark in listing.marks])
