"""The provider's side, the same in every design: its router, its services, and the Internet beyond its edge."""

from __future__ import annotations

from dataclasses import dataclass

from farshore.design import names
from farshore.design.internet import internet_side, published
from farshore.design.parts import cable, everywhere
from farshore.fabric.model import Device, EndSystem, Interface, Link, Node, NodeKind, Route
from farshore.intent.model import Intent
from farshore.realm import PROVIDER, Prefix


@dataclass(frozen=True, slots=True)
class ProviderSide:
    """Nodes and links from the provider's router on."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]


def behind_shore(intent: Intent, shore: str, sources: tuple[Prefix, ...]) -> ProviderSide:
    """Build the provider's side behind one device, whose interface toward the router is ``provider``.

    ``sources`` are the addresses by which tenants are known there, of the lake or of the provider's own realm.
    """
    side = with_router(intent, (Interface("nat", PROVIDER),), tuple(Route(prefix, "nat") for prefix in sources))
    return ProviderSide(side.nodes, (cable(shore, "provider", names.PROVIDER_ROUTER, "nat", PROVIDER), *side.links))


def with_router(intent: Intent, interfaces: tuple[Interface, ...], routes: tuple[Route, ...]) -> ProviderSide:
    """Build the provider's side with a router that has these interfaces and routes toward the tenants."""
    services = _services(intent)
    nodes: list[Node] = [_router(intent, interfaces, routes), *services]
    links = [
        cable(names.PROVIDER_ROUTER, names.toward(s.name.partition("/")[2]), s.name, s.interface.name, PROVIDER)
        for s in services
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
        )
        for service in intent.provider.services.values()
    )


def _router(intent: Intent, interfaces: tuple[Interface, ...], routes: tuple[Route, ...]) -> Device:
    """Build the provider's own network: it routes, and knows of tenants the sources that they come from."""
    services = intent.provider.services.values()
    publishes = bool(published(intent))
    return Device(
        name=names.PROVIDER_ROUTER,
        kind=NodeKind.ROUTER,
        interfaces=(
            *interfaces,
            *((Interface("edge", PROVIDER),) if publishes else ()),
            *(Interface(names.toward(service.name), PROVIDER) for service in services),
        ),
        routes=(
            *(Route(Prefix.of(service.address), names.toward(service.name)) for service in services),
            *routes,
            *((Route(everywhere(PROVIDER), "edge"),) if publishes else ()),
        ),
    )
