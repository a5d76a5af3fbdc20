"""What would break calls from the provider: its own hosts, and the tenants that it reaches."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from farshore.errors import Diagnostic, Position
from farshore.intent.model import Mode, Provider, Reach, Tenant
from farshore.intent.nearest import Nearest
from farshore.intent.network_table import NetworkTable, end_of
from farshore.intent.provider_collisions import first_line, lake_name, placed
from farshore.intent.salvage import Salvage
from farshore.port import Port
from farshore.realm import PROVIDER


def calling_collisions(file: str, parts: Salvage, provider: Provider, nearest: Nearest) -> Iterator[Diagnostic]:
    """Yield everything that collides, but nothing that what could not be read alone makes wrong."""
    damaged = parts.damage.get(PROVIDER.name, frozenset())
    yield from _host_names(file, provider)
    yield from _host_addresses(file, provider, whole="networks" not in damaged)
    first: dict[str, Reach] = {}
    for reach in provider.reaches:
        other = first.setdefault(reach.tenant, reach)
        if other is not reach:
            problem = f"provider: reaches {reach.tenant} a second time (first in line {other.position.line})"
            yield Diagnostic(file, reach.tenant_position, problem, "list all ports under one of them")
        yield from _ports(file, reach)
        if reach.tenant in parts.tenants:
            yield from _reached(file, reach, parts.tenants[reach.tenant], parts)
        elif parts.tenant_names is not None and reach.tenant not in parts.tenant_names:
            fix = nearest.fix(reach.tenant, parts.tenant_names, "the tenants are {known}")
            yield Diagnostic(file, reach.tenant_position, f"provider: reaches unknown tenant {reach.tenant}", fix)


def _host_names(file: str, provider: Provider) -> Iterator[Diagnostic]:
    taken: dict[IPv4Address, tuple[str, Position]] = {
        service.address.ip: (f"service {service.name}", service.address_position)
        for service in provider.services.values()
    }
    for host in provider.hosts:
        subject = f"provider: host {host.name}"
        if host.name in provider.services:
            line = provider.services[host.name].position.line
            problem = f"{subject} has the name of a service (line {line})"
            yield Diagnostic(file, host.position, problem, "give one of them another name")
        other, position = taken.setdefault(host.address.ip, (f"host {host.name}", host.address_position))
        if position is not host.address_position:
            problem = f"{subject} has the address {host.address.ip} of {other} (line {position.line})"
            yield Diagnostic(file, host.address_position, problem, "give each its own address")


def _host_addresses(file: str, provider: Provider, *, whole: bool) -> Iterator[Diagnostic]:
    networks = NetworkTable(placed(provider.networks, provider.network_places))
    source = NetworkTable(placed(provider.source, provider.source_places))
    for host in provider.hosts:
        ip, position, subject = host.address.ip, host.address_position, f"provider: host {host.name}"
        if (translated := source.holding(ip)) is not None:
            where = f"the provider's source {translated.network} (line {translated.position.line})"
            fix = "give source a prefix that no host is in"
            yield Diagnostic(file, position, f"{subject}: address {ip} lies inside {where}", fix)
        holding = networks.holding(ip)
        if ip in provider.lake.network:
            problem = f"{subject}: address {ip} lies inside {lake_name(provider)}"
            yield Diagnostic(file, position, problem, "give it an address of the provider's networks")
        elif holding is None:
            if whole:
                problem = f"{subject}: address {ip} is outside the provider's networks"
                fix = f"add its network to networks in provider (line {first_line(provider)}), or correct the address"
                yield Diagnostic(file, position, problem, fix)
        elif end := end_of(holding.network, ip):
            problem = f"{subject}: {ip} is the {end} address of {holding.network} (line {holding.position.line})"
            yield Diagnostic(file, position, problem, "give it an address between the first and the last")


def _ports(file: str, reach: Reach) -> Iterator[Diagnostic]:
    first: dict[Port, Position] = {}
    for port, position in zip(reach.ports, reach.port_places, strict=False):
        if first.setdefault(port, position) is not position:
            problem = f"provider: reaches {reach.tenant}: {port} is listed twice (first in line {first[port].line})"
            yield Diagnostic(file, position, problem, "keep one of them")


def _reached(file: str, reach: Reach, tenant: Tenant, parts: Salvage) -> Iterator[Diagnostic]:
    damaged = parts.damage.get(tenant.name, frozenset())
    pool = next((network for network in tenant.networks if network.mode is Mode.POOL), None)
    if pool is not None:
        problem = (
            f"provider: reaches {tenant.name}: behind a pool address of {pool.prefix.network} stand many hosts, "
            "and a call cannot tell which is meant"
        )
        fix = f"give the network the mode prefix or host (line {pool.mode_position.line})"
        yield Diagnostic(file, reach.tenant_position, problem, fix)
    if tenant.presents is None and "presents" not in damaged:
        problem = f"provider: reaches {tenant.name}, which gives no range by whose addresses it would see the callers"
        yield Diagnostic(file, reach.tenant_position, problem, f"give {tenant.name} a range as presents")
