"""Parts that every design is put together from: cables, guards, services."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

from farshore.design import names
from farshore.fabric.model import Direction, EndSystem, Guard, Interface, Link, LinkEnd, NodeKind
from farshore.intent.model import Intent
from farshore.realm import PROVIDER, Address, Prefix, Realm


def cable(left: str, left_interface: str, right: str, right_interface: str, realm: Realm) -> Link:
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


def host_prefixes(addresses: Iterable[Address]) -> tuple[Prefix, ...]:
    """Return one prefix for each address."""
    return tuple(Prefix.of(address) for address in addresses)


def everywhere(realm: Realm) -> Prefix:
    """Return the default route's prefix."""
    return Prefix(realm, IPv4Network("0.0.0.0/0"))


def service_nodes(intent: Intent) -> tuple[EndSystem, ...]:
    """Return the provider's services as end systems that listen on their ports."""
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
