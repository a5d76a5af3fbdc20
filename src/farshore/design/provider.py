"""The provider's side, the same in every design: its router, its services, and the Internet beyond its edge."""

from __future__ import annotations

from dataclasses import dataclass

from farshore.design.building_blocks import cable, everywhere, origin
from farshore.design.internet import internet_side, published
from farshore.design.segment import ProviderUplink
from farshore.fabric import names
from farshore.fabric.model import Device, EndSystem, Interface, Link, Node, NodeKind, Route
from farshore.intent.model import Intent
from farshore.realm import PROVIDER, Prefix


@dataclass(frozen=True, slots=True)
class ProviderSide:
    """Nodes and links from the provider's router on."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]


def provider_side(intent: Intent, provider_uplinks: tuple[ProviderUplink, ...]) -> ProviderSide:
    """Build the provider's side behind whatever stands between it and the tenants."""
    end_systems = (*_services(intent), *_hosts(intent))
    nodes: list[Node] = [_router(intent, provider_uplinks), *end_systems]
    links = [
        *(
            cable(a.far_end.node, a.far_end.interface, names.PROVIDER_ROUTER, a.interface, PROVIDER)
            for a in provider_uplinks
        ),
        *(
            cable(names.PROVIDER_ROUTER, names.toward(s.name.local), s.name, s.interface.name, PROVIDER)
            for s in end_systems
        ),
    ]
    if published(intent):
        edge, host, internet_links = internet_side(intent)
        nodes += [edge, host]
        links += internet_links
    return ProviderSide(tuple(nodes), tuple(links))


def _services(intent: Intent) -> tuple[EndSystem, ...]:
    return tuple(
        EndSystem(
            name=names.service(service.name),
            kind=NodeKind.SERVICE,
            interface=Interface("provider", PROVIDER),
            address=service.address,
            listens=service.ports,
            origin=origin(intent, service.position),
        )
        for service in intent.provider.services.values()
    )


def _hosts(intent: Intent) -> tuple[EndSystem, ...]:
    return tuple(
        EndSystem(
            names.service(host.name),
            NodeKind.HOST,
            Interface("provider", PROVIDER),
            host.address,
            origin=origin(intent, host.position),
        )
        for host in intent.provider.hosts
    )


def _router(intent: Intent, provider_uplinks: tuple[ProviderUplink, ...]) -> Device:
    """Build the provider's own network: it routes, and knows of tenants the sources that they come from."""
    own = {service.name: service.address for service in intent.provider.services.values()}
    own |= {host.name: host.address for host in intent.provider.hosts}
    publishes = bool(published(intent))
    return Device(
        name=names.PROVIDER_ROUTER,
        kind=NodeKind.ROUTER,
        interfaces=(
            *(Interface(uplink.interface, PROVIDER) for uplink in provider_uplinks),
            *((Interface("edge", PROVIDER),) if publishes else ()),
            *(Interface(names.toward(name), PROVIDER) for name in own),
        ),
        routes=(
            *(Route(Prefix.of(address), names.toward(name)) for name, address in own.items()),
            *(Route(prefix, uplink.interface) for uplink in provider_uplinks for prefix in uplink.sources),
            *((Route(everywhere(PROVIDER), "edge"),) if publishes else ()),
        ),
        origin=origin(intent, intent.provider.position),
    )
