"""The Internet: one more realm, on the provider's side, that overlaps with no other.

It reaches what the intent publishes to it through an edge of the provider's own, never the lake.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from farshore.design.segment import cable, everywhere, guards, host_prefixes, origin
from farshore.fabric.model import Device, EndSystem, Interface, Link, NodeKind, Permit, Policy, Route
from farshore.fabric.names import INTERNET_HOST, PROVIDER_EDGE, PROVIDER_ROUTER
from farshore.intent.model import Intent, Service
from farshore.origin import Origin
from farshore.realm import INTERNET, PROVIDER, Address, Prefix
from farshore.special_purpose import NEVER_ON_THE_INTERNET, without
from farshore.translation import BasicNat

# Where the lab's Internet host may stand: the documentation networks (RFC 5737), then any benchmark
# address (RFC 2544), whichever the provider does not use.
_HOST_CANDIDATES = ("198.51.100.10", "192.0.2.10", "203.0.113.250", "198.18.0.10", "198.19.0.10")


def published(intent: Intent) -> tuple[tuple[Service, Address], ...]:
    """Return the services that the Internet may reach, with the addresses at which it does."""
    return tuple((s, s.internet) for s in intent.provider.services.values() if s.internet is not None)


def internet_side(intent: Intent) -> tuple[Device, EndSystem, list[Link]]:
    """Build the provider's edge, one host on the Internet, and their links."""
    abroad = _internet_prefixes(intent)
    host = EndSystem(
        INTERNET_HOST,
        NodeKind.HOST,
        Interface("internet", INTERNET),
        _host_address(abroad),
        origin=_published_at(intent),
    )
    links = [
        cable(PROVIDER_ROUTER, "edge", PROVIDER_EDGE, "provider", PROVIDER),
        cable(PROVIDER_EDGE, "internet", host.name, host.interface.name, INTERNET),
    ]
    return _edge(intent, abroad), host, links


def _edge(intent: Intent, abroad: tuple[IPv4Network, ...]) -> Device:
    services = published(intent)
    public = host_prefixes(address for _, address in services)
    real = host_prefixes(service.address for service, _ in services)
    return Device(
        name=PROVIDER_EDGE,
        kind=NodeKind.NAT,
        interfaces=(Interface("internet", INTERNET), Interface("provider", PROVIDER)),
        routes=(
            Route(everywhere(INTERNET), "internet"),
            *(Route(prefix, "provider") for prefix in (*public, *intent.provider.networks)),
            Route(intent.provider.lake, None),
        ),
        destination_nat=tuple(BasicNat(i, o) for i, o in zip(public, real, strict=True)),
        guards=(
            *guards("internet", arriving=tuple(Prefix(INTERNET, n) for n in abroad), answering=public),
            *guards("provider", arriving=real, answering=tuple(Prefix(INTERNET, n) for n in abroad)),
        ),
        policy=Policy(
            tuple(
                Permit(INTERNET, PROVIDER, Prefix.of(address), Prefix.of(service.address), port, service.name)
                for service, address in services
                for port in service.ports
            )
        ),
        origin=_published_at(intent),
    )


def _published_at(intent: Intent) -> Origin:
    """Return the first line that publishes something: without one there is no edge."""
    return origin(intent, next(service.internet_position for service, _ in published(intent)))


def _internet_prefixes(intent: Intent) -> tuple[IPv4Network, ...]:
    """Return all IPv4 addresses less those that cannot stand on the Internet, as few prefixes as can be."""
    provider = intent.provider
    ours = [p.network for p in (*provider.networks, provider.lake, *provider.source)]
    ours += [Prefix.of(address).network for _, address in published(intent)]
    return without([IPv4Network("0.0.0.0/0")], [*NEVER_ON_THE_INTERNET, *ours])


def _host_address(abroad: tuple[IPv4Network, ...]) -> Address:
    candidates = [*map(IPv4Address, _HOST_CANDIDATES), *(network.network_address + 1 for network in abroad)]
    free = next(ip for ip in candidates if any(ip in network for network in abroad))
    return Address(INTERNET, free)
