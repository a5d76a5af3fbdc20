"""The intent as frozen values: the file as it was read, before and after the checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network

from farshore.caller_identity import CallerIdentity
from farshore.errors import Position
from farshore.port import Port
from farshore.realm import Address, Prefix, Realm


class DesignName(StrEnum):
    """The designs that an intent can ask for, as the catalogue of designs names them."""

    LAKE = "lake"
    LAST_HOP = "last-hop"
    APPLIANCE = "appliance"


class Mode(StrEnum):
    """How the hosts of a tenant network appear in the lake."""

    PREFIX = "prefix"
    HOST = "host"
    POOL = "pool"


@dataclass(frozen=True, slots=True)
class Network:
    """A network behind a tenant's WAN. ``pool_size`` is the N of ``pool: N``, 0 in other modes."""

    prefix: Prefix
    mode: Mode
    pool_size: int = 0
    position: Position = field(default=Position(), compare=False)
    mode_position: Position = field(default=Position(), compare=False)


@dataclass(frozen=True, slots=True)
class Host:
    """A named end system of a tenant, or of the provider."""

    name: str
    address: Address
    position: Position = field(default=Position(), compare=False)
    address_position: Position = field(default=Position(), compare=False)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A service that a tenant uses; ``presented`` is the address it is pinned to, if it is."""

    service: str
    presented: Address | None = None
    position: Position = field(default=Position(), compare=False)
    presented_position: Position = field(default=Position(), compare=False)


# Of a tenant whose file says nothing of them: a network of 250 hosts with some thirty each.
DEFAULT_SESSIONS = 8192


@dataclass(frozen=True, slots=True)
class Tenant:
    """A user of services.

    ``sessions`` caps its concurrent sessions, ``rate`` its new ones per second; None means no cap. ``design``
    None leaves it to the intent.
    """

    name: str
    realm: Realm
    networks: tuple[Network, ...]
    presents: Prefix | None
    subscriptions: tuple[Subscription, ...]
    hosts: tuple[Host, ...]
    sessions: int | None = DEFAULT_SESSIONS
    rate: int | None = None
    design: DesignName | None = None
    position: Position = field(default=Position(), compare=False)
    presents_position: Position = field(default=Position(), compare=False)
    design_position: Position = field(default=Position(), compare=False)


@dataclass(frozen=True, slots=True)
class Service:
    """What the provider offers: an address of its realm and the ports that answer there.

    ``caller_identity`` is how it receives the caller's identity, which only a proxy can pass on. ``design`` is
    the one that carries this service for every tenant, None leaves it to the tenants.
    """

    name: str
    address: Address
    ports: tuple[Port, ...]
    dns: str | None = None
    internet: Address | None = None
    caller_identity: CallerIdentity | None = None
    design: DesignName | None = None
    position: Position = field(default=Position(), compare=False)
    address_position: Position = field(default=Position(), compare=False)
    port_positions: tuple[Position, ...] = field(default=(), compare=False)
    dns_position: Position = field(default=Position(), compare=False)
    internet_position: Position = field(default=Position(), compare=False)
    caller_identity_position: Position = field(default=Position(), compare=False)
    design_position: Position = field(default=Position(), compare=False)


@dataclass(frozen=True, slots=True)
class Reach:
    """A tenant to whose hosts the provider's own may open connections, and on which of their ports."""

    tenant: str
    ports: tuple[Port, ...]
    position: Position = field(default=Position(), compare=False)
    tenant_position: Position = field(default=Position(), compare=False)
    port_positions: tuple[Position, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Provider:
    """The operator of the services. An empty ``source`` keeps the lake source; otherwise it is translated into these.

    ``lake_position`` is the provider's own position where the file leaves the lake to the default;
    ``lake_acknowledged`` tells that none but the provider uses its addresses. ``hosts`` are its
    own end systems besides the services: where it names none, the services are those that reach tenants.
    """

    name: str
    networks: tuple[Prefix, ...]
    lake: Prefix
    source: tuple[Prefix, ...]
    services: Mapping[str, Service]
    hosts: tuple[Host, ...] = ()
    reaches: tuple[Reach, ...] = ()
    lake_acknowledged: bool = False
    lake_position: Position = field(default=Position(), compare=False)
    source_position: Position = field(default=Position(), compare=False)
    position: Position = field(default=Position(), compare=False)
    network_positions: tuple[Position, ...] = field(default=(), compare=False)
    source_positions: tuple[Position, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Intent:
    """The whole intent file, read and checked. Mappings keep the order of the file."""

    file: str
    provider: Provider
    tenants: Mapping[str, Tenant]
    design: DesignName = DesignName.LAKE
    design_position: Position = field(default=Position(), compare=False)

    def design_of(self, tenant: str, service: str | None = None) -> DesignName:
        """Return what carries a tenant, or one service for it: the most specific setting counts."""
        own = self.provider.services[service].design if service is not None else None
        return own or self.tenants[tenant].design or self.design

    def reached(self, tenant: str) -> tuple[Port, ...]:
        """Return the ports on which the provider's hosts may reach those of a tenant, none where they may not."""
        found = (port for reach in self.provider.reaches if reach.tenant == tenant for port in reach.ports)
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class StraySource:
    """A source mode that the file sets for a network which its tenant does not have."""

    tenant: str
    network: IPv4Network
    position: Position


@dataclass(frozen=True, slots=True)
class Salvage:
    """What can be read of an intent file: all of a good one, and what is good of a faulty one.

    ``services`` and ``tenant_names`` are the names of all that the file has, good or not, None where they are unknown.
    ``damage`` gives, for a tenant's name and for ``provider``, the keys of which something was refused and taken
    out, so that their absence proves nothing. ``design`` is None where the file asks for an unknown one.
    """

    file: str
    provider: Provider | None
    services: Collection[str] | None
    tenants: Mapping[str, Tenant]
    tenant_names: Collection[str] | None
    damage: Mapping[str, Set[str]] = field(default_factory=dict)
    stray_sources: tuple[StraySource, ...] = ()
    design: DesignName | None = DesignName.LAKE
    design_position: Position = field(default=Position())

    @classmethod
    def of(cls, intent: Intent) -> Salvage:
        """Return all of an intent."""
        provider, tenants = intent.provider, intent.tenants
        return cls(
            intent.file,
            provider,
            provider.services,
            tenants,
            tenants,
            design=intent.design,
            design_position=intent.design_position,
        )
