"""What would break packets on the provider's side: its networks, its services, and the lake."""

from __future__ import annotations

from collections.abc import Iterator, Set
from ipaddress import IPv4Address, IPv4Network
from itertools import zip_longest

from farshore.errors import Diagnostic, Position, Severity
from farshore.intent.model import Provider, Service
from farshore.intent.network_table import NetworkTable, Placed, end_of, overlap, overlapping_pairs, relation
from farshore.port import Port
from farshore.realm import Prefix

_SHARED_SPACE = IPv4Network("100.64.0.0/10")
_PRIVATE = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
# The keys of a part of the file of which something was refused and so is not there.
Damage = Set[str]
OTHER_LAKE = "give the lake a range that nobody uses (lake: in provider)"


def provider_collisions(file: str, provider: Provider, *, damaged: Damage) -> Iterator[Diagnostic]:
    """Yield everything that collides, but nothing that the absence of a damaged key alone makes wrong."""
    networks = placed(provider.networks, provider.network_places)
    source = placed(provider.source, provider.source_places)
    yield from _own_overlaps(file, networks, "networks")
    yield from _own_overlaps(file, source, "source")
    yield from _lake_overlaps(file, provider, (*networks, *source))
    yield from _service_addresses(file, provider, NetworkTable(networks), whole="networks" not in damaged)
    yield from _service_source(file, provider, NetworkTable(source))
    yield from _internet_addresses(file, provider, NetworkTable(networks), NetworkTable(source))
    for service in provider.services.values():
        yield from _ports(file, service)
    yield from _domains(file, provider)
    yield from _introductions(file, provider)
    yield from _lake_users(file, provider)


def lake_name(provider: Provider) -> str:
    """Return the lake as messages show it, with the line where the file sets it."""
    origin = "the default" if provider.lake_position == provider.position else f"line {provider.lake_position.line}"
    return f"the lake {provider.lake.network} ({origin})"


def placed(prefixes: tuple[Prefix, ...], positions: tuple[Position, ...]) -> tuple[Placed, ...]:
    """Return prefixes with their places, as far as these are known."""
    pairs = zip_longest(prefixes, positions[: len(prefixes)], fillvalue=Position())
    return tuple(Placed(prefix.network, position) for prefix, position in pairs if isinstance(prefix, Prefix))


def _own_overlaps(file: str, networks: tuple[Placed, ...], key: str) -> Iterator[Diagnostic]:
    for later, earlier in overlapping_pairs(networks):
        how = relation(later.network, earlier.network)
        problem = f"provider: {key} {later.network} {how} {earlier.network} (line {earlier.position.line})"
        yield Diagnostic(file, later.position, problem, "keep the larger one")


def _lake_overlaps(file: str, provider: Provider, networks: tuple[Placed, ...]) -> Iterator[Diagnostic]:
    lake = provider.lake.network
    for each in networks:
        if overlap(each.network, lake):
            how = relation(each.network, lake)
            yield Diagnostic(file, each.position, f"provider: {each.network} {how} {lake_name(provider)}", OTHER_LAKE)


def _service_addresses(file: str, provider: Provider, networks: NetworkTable, *, whole: bool) -> Iterator[Diagnostic]:
    first: dict[IPv4Address, Service] = {}
    for service in provider.services.values():
        ip, position = service.address.ip, service.address_position
        other = first.setdefault(ip, service)
        if other is not service:
            problem = f"service {service.name}: service {other.name} has the address {ip} too (line {_line(other)})"
            yield Diagnostic(file, position, problem, "give each its own address, or list all ports under one service")
        holding = networks.holding(ip)
        if ip in provider.lake.network:
            problem = f"service {service.name}: address {ip} lies inside {lake_name(provider)}"
            yield Diagnostic(file, position, problem, OTHER_LAKE)
        elif holding is None:
            if whole:
                problem = f"service {service.name}: address {ip} is outside the provider's networks"
                fix = f"add its network to networks in provider (line {first_line(provider)}), or correct the address"
                yield Diagnostic(file, position, problem, fix)
        elif end := end_of(holding.network, ip):
            problem = f"service {service.name}: {ip} is the {end} address of {holding.network}"
            yield Diagnostic(file, position, problem, "give it an address between the first and the last")


def first_line(provider: Provider) -> int:
    """Return where the provider's networks begin."""
    return provider.network_places[0].line if provider.network_places else provider.position.line


def _line(service: Service) -> int:
    return service.address_position.line


def _service_source(file: str, provider: Provider, source: NetworkTable) -> Iterator[Diagnostic]:
    for service in provider.services.values():
        holding = source.holding(service.address.ip)
        if holding is not None:
            where = f"{holding.network} (line {holding.position.line})"
            problem = f"service {service.name}: address {service.address.ip} lies inside the provider's source {where}"
            yield Diagnostic(file, service.address_position, problem, "give source a prefix that no service is in")


def _internet_addresses(
    file: str, provider: Provider, networks: NetworkTable, source: NetworkTable
) -> Iterator[Diagnostic]:
    first: dict[IPv4Address, Service] = {}
    for service in provider.services.values():
        if service.internet is None:
            continue
        ip, position, subject = service.internet.ip, service.internet_position, f"service {service.name}: internet"
        other = first.setdefault(ip, service)
        if other is not service:
            where = f"service {other.name} (line {other.internet_position.line})"
            fix = "give each its own address, or list all ports under one service"
            yield Diagnostic(file, position, f"{subject} {ip} is that of {where} too", fix)
        if ip in provider.lake.network:
            yield Diagnostic(file, position, f"{subject} {ip} lies inside {lake_name(provider)}", OTHER_LAKE)
        for holding, owner in ((networks.holding(ip), "networks"), (source.holding(ip), "source")):
            if holding is not None:
                inside = f"the provider's {owner} {holding.network} (line {holding.position.line})"
                fix = "write a public address that is not in use inside"
                yield Diagnostic(file, position, f"{subject} {ip} lies inside {inside}", fix)


def _ports(file: str, service: Service) -> Iterator[Diagnostic]:
    first: dict[Port, Position] = {}
    for port, position in zip_longest(service.ports, service.port_places[: len(service.ports)], fillvalue=Position()):
        if (
            isinstance(port, Port)
            and isinstance(position, Position)
            and first.setdefault(port, position) is not position
        ):
            problem = f"service {service.name}: {port} is listed twice (first in line {first[port].line})"
            yield Diagnostic(file, position, problem, "keep one of them")


def _domains(file: str, provider: Provider) -> Iterator[Diagnostic]:
    first: dict[str, Service] = {}
    for service in provider.services.values():
        other = first.setdefault(service.dns, service) if service.dns is not None else service
        if other is not service:
            problem = f"service {service.name}: dns {service.dns} is the name of service {other.name} too"
            fix = f"give each its own name (the other is in line {other.dns_position.line})"
            yield Diagnostic(file, service.dns_position, problem, fix)


def _introductions(file: str, provider: Provider) -> Iterator[Diagnostic]:
    """Yield the services that ask to be told who calls, and are reached without the proxy that could tell them."""
    for service in provider.services.values():
        if service.introduction is not None and service.internet is not None:
            problem = f"service {service.name}: the Internet does not come through the proxy that tells who calls"
            fix = "publish another service to the Internet, one without proxy-protocol and signed-header"
            yield Diagnostic(file, service.internet_position, problem, fix)


def _lake_users(file: str, provider: Provider) -> Iterator[Diagnostic]:
    """Warn of others who are known to use the lake's addresses."""
    lake = provider.lake.network
    if overlap(lake, _SHARED_SPACE):
        problem = f"the lake {lake} is in shared space: carriers' NAT (RFC 6598), Tailscale and some clouds use it"
        fix = "make sure that neither you nor any tenant does, or set another lake"
        yield Diagnostic(file, provider.lake_position, problem, fix, Severity.WARNING)
    for block in _PRIVATE:
        if overlap(lake, block):
            problem = f"the lake {lake} is private space ({block}, RFC 1918): tenants are likely to use it"
            fix = "prefer a lake such as 100.64.0.0/10"
            yield Diagnostic(file, provider.lake_position, problem, fix, Severity.WARNING)
