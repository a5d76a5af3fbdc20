"""What the user wants, as frozen values: the intent file once it has been read and found good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from farshore.errors import Place
from farshore.port import Port
from farshore.realm import Address, Prefix, Realm


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
    place: Place = field(default=Place(), compare=False)
    mode_place: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Host:
    """A named end system of a tenant."""

    name: str
    address: Address
    place: Place = field(default=Place(), compare=False)
    address_place: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A service that a tenant uses; ``presented`` is the address it is pinned to, if it is."""

    service: str
    presented: Address | None = None
    place: Place = field(default=Place(), compare=False)
    presented_place: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who uses services. ``sessions`` caps its concurrent sessions, None means no cap."""

    name: str
    realm: Realm
    networks: tuple[Network, ...]
    presents: Prefix | None
    subscriptions: tuple[Subscription, ...]
    hosts: tuple[Host, ...]
    sessions: int | None = None
    place: Place = field(default=Place(), compare=False)
    presents_place: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Service:
    """What the provider offers: an address of its realm and the ports that answer there."""

    name: str
    address: Address
    ports: tuple[Port, ...]
    dns: str | None = None
    internet: Address | None = None
    place: Place = field(default=Place(), compare=False)
    address_place: Place = field(default=Place(), compare=False)
    port_places: tuple[Place, ...] = field(default=(), compare=False)
    dns_place: Place = field(default=Place(), compare=False)
    internet_place: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Provider:
    """Who offers services. An empty ``source`` keeps the lake source; otherwise it is translated into these.

    ``lake_place`` is the provider's own place where the file leaves the lake to the default.
    """

    name: str
    networks: tuple[Prefix, ...]
    lake: Prefix
    source: tuple[Prefix, ...]
    services: Mapping[str, Service]
    lake_place: Place = field(default=Place(), compare=False)
    source_place: Place = field(default=Place(), compare=False)
    place: Place = field(default=Place(), compare=False)
    network_places: tuple[Place, ...] = field(default=(), compare=False)
    source_places: tuple[Place, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Intent:
    """The whole intent file. Mappings keep the order of the file."""

    file: str
    provider: Provider
    tenants: Mapping[str, Tenant]
