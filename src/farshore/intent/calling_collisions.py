"""What would break calls from the provider: its own hosts, and the tenants that it reaches."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from farshore.errors import Diagnostic, Place
from farshore.intent.model import Host, Mode, Provider, Reach, Tenant
from farshore.intent.nearest import Nearest
from farshore.intent.network_table import end_of
from farshore.intent.parts import Parts
from farshore.port import Port
from farshore.realm import PROVIDER


def calling_collisions(file: str, parts: Parts, provider: Provider, nearest: Nearest) -> Iterator[Diagnostic]:
    """Yield everything that collides, but nothing that what could not be read alone makes wrong."""
    damaged = parts.damage.get(PROVIDER.name, frozenset())
    yield from _hosts(file, provider, whole="networks" not in damaged)
    first: dict[str, Reach] = {}
    for reach in provider.reaches:
        other = first.setdefault(reach.tenant, reach)
        if other is not reach:
            problem = f"provider: reaches {reach.tenant} a second time (first in line {other.place.line})"
            yield Diagnostic(file, reach.tenant_place, problem, "list all ports under one of them")
        yield from _ports(file, reach)
        if reach.tenant in parts.tenants:
            yield from _reached(file, reach, parts.tenants[reach.tenant], parts)
        elif parts.tenants and reach.tenant not in parts.damage:
            mend = nearest.mend(reach.tenant, parts.tenants, "the tenants are {known}")
            yield Diagnostic(file, reach.tenant_place, f"provider: reaches unknown tenant {reach.tenant}", mend)


def _hosts(file: str, provider: Provider, *, whole: bool) -> Iterator[Diagnostic]:
    taken: dict[IPv4Address, tuple[str, Place]] = {
        service.address.ip: (f"service {service.name}", service.address_place) for service in provider.services.values()
    }
    for host in provider.hosts:
        ip, subject = host.address.ip, f"provider: host {host.name}"
        if host.name in provider.services:
            line = provider.services[host.name].place.line
            problem = f"{subject} has the name of a service (line {line})"
            yield Diagnostic(file, host.place, problem, "give one of them another name")
        other, place = taken.setdefault(ip, (f"host {host.name}", host.address_place))
        if place is not host.address_place:
            problem = f"{subject} has the address {ip} of {other} (line {place.line})"
            yield Diagnostic(file, host.address_place, problem, "give each its own address")
        yield from _host_address(file, provider, host, whole=whole)


def _host_address(file: str, provider: Provider, host: Host, *, whole: bool) -> Iterator[Diagnostic]:
    ip, subject = host.address.ip, f"provider: host {host.name}"
    holding = next((p.network for p in provider.networks if ip in p.network), None)
    if ip in provider.lake.network or any(ip in prefix.network for prefix in provider.source):
        where = "the lake" if ip in provider.lake.network else "the provider's source"
        problem = f"{subject}: address {ip} lies inside {where}"
        yield Diagnostic(file, host.address_place, problem, "give it an address of the provider's networks")
    elif holding is None and whole:
        problem = f"{subject}: address {ip} is outside the provider's networks"
        yield Diagnostic(file, host.address_place, problem, "add its network to networks in provider")
    elif holding is not None and (end := end_of(holding, ip)):
        problem = f"{subject}: {ip} is the {end} address of {holding}"
        yield Diagnostic(file, host.address_place, problem, "give it an address between the first and the last")


def _ports(file: str, reach: Reach) -> Iterator[Diagnostic]:
    first: dict[Port, Place] = {}
    for port, place in zip(reach.ports, reach.port_places, strict=False):
        if first.setdefault(port, place) is not place:
            problem = f"provider: reaches {reach.tenant}: {port} is listed twice (first in line {first[port].line})"
            yield Diagnostic(file, place, problem, "keep one of them")


def _reached(file: str, reach: Reach, tenant: Tenant, parts: Parts) -> Iterator[Diagnostic]:
    damaged = parts.damage.get(tenant.name, frozenset())
    pool = next((network for network in tenant.networks if network.mode is Mode.POOL), None)
    if pool is not None:
        problem = (
            f"provider: reaches {tenant.name}: behind a pool address of {pool.prefix.network} stand many hosts, "
            "and a call cannot tell which is meant"
        )
        mend = f"give the network the mode prefix or host (line {pool.mode_place.line})"
        yield Diagnostic(file, reach.tenant_place, problem, mend)
    if tenant.presents is None and "presents" not in damaged:
        problem = f"provider: reaches {tenant.name}, which gives no range by whose addresses it would see the callers"
        yield Diagnostic(file, reach.tenant_place, problem, f"give {tenant.name} a range as presents")


def introductions(file: str, provider: Provider) -> Iterator[Diagnostic]:
    """Yield the services that ask to be told who calls, and are reached without the proxy that could tell them."""
    for service in provider.services.values():
        if service.introduction is not None and service.internet is not None:
            problem = f"service {service.name}: the Internet does not come through the proxy that tells who calls"
            mend = "publish another service to the Internet, one without proxy-protocol and signed-header"
            yield Diagnostic(file, service.internet_place, problem, mend)
