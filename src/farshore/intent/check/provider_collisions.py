"""Collisions on the provider's side: its networks, its services, and the lake."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic
from farshore.intent.check.address_space import address_space_warnings
from farshore.intent.check.network_table import Placed, overlap, overlapping_pairs, relation
from farshore.intent.check.scope import ProviderNetworks, Scope, lake_name, placed, without_overlap
from farshore.intent.model import Provider, Service

_OWN_ADDRESSES = "give each its own address, or list all ports under one service"


def provider_collisions(scope: Scope, provider: Provider) -> Iterator[Diagnostic]:
    """Yield every collision, except those that follow from a key with errors."""
    networks = placed(provider.networks, provider.network_positions)
    source = placed(provider.source, provider.source_positions)
    yield from _own_overlaps(scope, networks, "network", "networks")
    yield from _own_overlaps(scope, source, "source", "source")
    yield from _lake_overlaps(scope, provider, (*networks, *source))
    yield from _service_addresses(scope, provider)
    yield from _internet_addresses(scope, provider)
    yield from _domains(scope, provider)
    for service in provider.services.values():
        path = ("provider", "services", service.name, "ports")
        yield from scope.duplicate_ports(f"service {service.name}", service.ports, service.port_positions, path)
        yield from _identity_and_internet(scope, service)
    yield from address_space_warnings(scope, provider)
    yield from _names_not_served(scope, provider)


def _own_overlaps(scope: Scope, networks: tuple[Placed, ...], kind: str, key: str) -> Iterator[Diagnostic]:
    for later, earlier in overlapping_pairs(networks):
        problem = f"provider: {kind} {later.network} {relation(later.network, earlier.network)} {earlier}"
        fix = without_overlap((later, earlier), ("provider", key))
        yield scope.fault(later.position, DiagnosticCode.OVERLAPPING_NETWORKS, problem, fix)


def _lake_overlaps(scope: Scope, provider: Provider, networks: tuple[Placed, ...]) -> Iterator[Diagnostic]:
    lake = provider.lake.network
    for each in networks:
        if overlap(each.network, lake):
            problem = f"provider: {each.network} {relation(each.network, lake)} {lake_name(provider)}"
            yield scope.fault(each.position, DiagnosticCode.LAKE_OVERLAP, problem, scope.lake.fix())


def _service_addresses(scope: Scope, provider: Provider) -> Iterator[Diagnostic]:
    first: dict[IPv4Address, Service] = {}
    tables = ProviderNetworks.of(provider)
    for service in provider.services.values():
        ip, position, subject = service.address.ip, service.address_position, f"service {service.name}"
        other = first.setdefault(ip, service)
        if other is not service:
            user = f"service {other.name} (line {other.address_position.line})"
            problem = f"{subject}: address {ip} is already used by {user}"
            yield scope.fault(position, DiagnosticCode.DUPLICATE_ADDRESS, problem, _OWN_ADDRESSES)
        yield from tables.misplaced(scope, provider, subject, ip, position)


def _internet_addresses(scope: Scope, provider: Provider) -> Iterator[Diagnostic]:
    first: dict[IPv4Address, Service] = {}
    tables = ProviderNetworks.of(provider)
    for service in provider.services.values():
        if service.internet is None:
            continue
        ip, position = service.internet.ip, service.internet_position
        subject = f"service {service.name}: internet address {ip}"
        other = first.setdefault(ip, service)
        if other is not service:
            problem = f"{subject} is already used by service {other.name} (line {other.internet_position.line})"
            yield scope.fault(position, DiagnosticCode.DUPLICATE_ADDRESS, problem, _OWN_ADDRESSES)
        if ip in provider.lake.network:
            problem = f"{subject} is inside {lake_name(provider)}"
            yield scope.fault(position, DiagnosticCode.LAKE_OVERLAP, problem, scope.lake.fix())
        for holding, owner in ((tables.networks.holding(ip), "network"), (tables.source.holding(ip), "source")):
            if holding is not None:
                problem = f"{subject} is inside the provider's {owner} {holding}"
                fix = "write a public address that is not in use inside the provider"
                yield scope.fault(position, DiagnosticCode.INTERNET_ADDRESS_IN_USE, problem, fix)


def _domains(scope: Scope, provider: Provider) -> Iterator[Diagnostic]:
    first: dict[str, Service] = {}
    for service in provider.services.values():
        other = first.setdefault(service.dns, service) if service.dns is not None else service
        if other is not service:
            user = f"service {other.name} (line {other.dns_position.line})"
            problem = f"service {service.name}: domain name {service.dns} is already used by {user}"
            yield scope.fault(service.dns_position, DiagnosticCode.DUPLICATE_NAME, problem, "give each its own name")


def _identity_and_internet(scope: Scope, service: Service) -> Iterator[Diagnostic]:
    """Yield a service that expects the caller's identity, and is published without the proxy that passes it on."""
    if service.caller_identity is not None and service.internet is not None:
        problem = f"service {service.name}: Internet clients bypass the proxy that passes on the caller's identity"
        fix = "publish another service to the Internet, one without proxy-protocol and signed-header"
        yield scope.fault(service.internet_position, DiagnosticCode.CALLER_UNKNOWN_TO_INTERNET, problem, fix)


def _names_not_served(scope: Scope, provider: Provider) -> Iterator[Diagnostic]:
    """Warn, once for a file, of names that no DNS server answers with what each tenant is to use."""
    named = [service for service in provider.services.values() if service.dns is not None]
    if named:
        first, more = named[0], len(named) - 1
        also = f" (and {more:,} more)" if more else ""
        problem = f"service {first.name}: dns {first.dns}{also} is not served: farshore answers no DNS queries"
        fix = "let each tenant's DNS server answer with the presented address, which farshore plan shows"
        yield scope.fault(first.dns_position, DiagnosticCode.NAME_NOT_SERVED, problem, fix)
