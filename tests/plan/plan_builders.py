"""Intents in a few words, for tests with exact numbers."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network

from farshore.errors import Position
from farshore.intent.model import Host, Intent, Mode, Network, Provider, Service, Subscription, Tenant
from farshore.port import Port, Protocol
from farshore.realm import LAKE, PROVIDER, Address, Prefix, tenant_realm

FILE = "intent.yaml"
LAKE_POSITION = Position(5, 9)
SOURCE_POSITION = Position(6, 11)
PRESENTS_POSITION = Position(20, 15)
MODE_POSITION = Position(21, 14)


def network(tenant: str, cidr: str, sources: str | int = "prefix") -> Network:
    """Build a network; ``sources`` is a mode's name, or the N of a pool."""
    mode = Mode.POOL if isinstance(sources, int) else Mode(sources)
    pool_size = sources if isinstance(sources, int) else 0
    prefix = Prefix(tenant_realm(tenant), IPv4Network(cidr))
    return Network(prefix, mode, pool_size, mode_position=MODE_POSITION)


def tenant(
    name: str,
    networks: Mapping[str, str | int],
    hosts: tuple[str, ...] = (),
    services: Mapping[str, str | None] | None = None,
    presents: str | None = "10.2.2.0/28",
) -> Tenant:
    """Build a tenant; ``services`` maps each service to the address that it is pinned to, or None."""
    realm = tenant_realm(name)
    return Tenant(
        name,
        realm,
        tuple(network(name, cidr, sources) for cidr, sources in networks.items()),
        Prefix(realm, IPv4Network(presents)) if presents else None,
        tuple(
            Subscription(service, Address(realm, IPv4Address(pinned)) if pinned else None)
            for service, pinned in (services or {}).items()
        ),
        tuple(Host(f"host-{ip}", Address(realm, IPv4Address(ip))) for ip in hosts),
        presents_position=PRESENTS_POSITION,
    )


def intent(*tenants: Tenant, lake: str = "100.64.0.0/10", source: tuple[str, ...] = (), services: int = 1) -> Intent:
    """Build an intent with services named ``service-1`` and so on, at 10.1.1.1 and on."""
    offered = {
        f"service-{number}": Service(
            f"service-{number}",
            Address(PROVIDER, IPv4Address("10.1.1.0") + number),
            (Port(Protocol.TCP, 443),),
        )
        for number in range(1, services + 1)
    }
    provider = Provider(
        "acme",
        (Prefix(PROVIDER, IPv4Network("10.1.0.0/16")),),
        Prefix(LAKE, IPv4Network(lake)),
        tuple(Prefix(PROVIDER, IPv4Network(cidr)) for cidr in source),
        offered,
        lake_position=LAKE_POSITION,
        source_position=SOURCE_POSITION,
    )
    return Intent(FILE, provider, {each.name: each for each in tenants})
