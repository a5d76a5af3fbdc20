"""What would break packets of one tenant. Tenants may be equal to each other and to the provider."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from farshore.errors import Diagnostic
from farshore.intent.model import Host, Mode, Network, Provider, Subscription, Tenant
from farshore.intent.nearest import Nearest
from farshore.intent.network_table import (
    ADDRESS_BITS,
    NetworkTable,
    Placed,
    end_of,
    length_for,
    overlap,
    overlapping_pairs,
    relation,
    usable,
)
from farshore.intent.provider_collisions import OTHER_LAKE, Damage, lake_name

_LARGEST_POOLED = 16  # as a prefix length


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a tenant is checked against. ``services`` is None where nobody knows which there are."""

    file: str
    provider: Provider | None
    services: Collection[str] | None
    nearest: Nearest


def tenant_collisions(around: Surroundings, tenant: Tenant, *, damaged: Damage) -> Iterator[Diagnostic]:
    """Yield everything that collides, but nothing that the absence of a damaged key alone makes wrong."""
    networks = tuple(Placed(network.prefix.network, network.position) for network in tenant.networks)
    table = NetworkTable(networks)
    yield from _networks(around, tenant, networks)
    yield from _presents(around, tenant, networks, whole="presents" not in damaged)
    yield from _hosts(around, tenant, table, whole="networks" not in damaged)
    yield from _subscriptions(around, tenant)
    if any(network.mode is Mode.HOST for network in tenant.networks) and "hosts" not in damaged:
        yield from _host_mode(around, tenant, table)
    for network in tenant.networks:
        if network.mode is Mode.POOL:
            yield from _pool_mode(around, tenant, network)


def _networks(around: Surroundings, tenant: Tenant, networks: tuple[Placed, ...]) -> Iterator[Diagnostic]:
    if len(networks) > 1:
        for later, earlier in overlapping_pairs(networks):
            how = relation(later.network, earlier.network)
            problem = f"tenant {tenant.name}: network {later.network} {how} {earlier.network} ({_line(earlier)})"
            yield Diagnostic(around.file, later.position, problem, "keep the larger one")
    provider = around.provider
    for each in networks if provider is not None else ():
        if provider is not None and overlap(each.network, provider.lake.network):
            how = relation(each.network, provider.lake.network)
            problem = f"tenant {tenant.name}: network {each.network} {how} {lake_name(provider)}"
            yield Diagnostic(around.file, each.position, problem, OTHER_LAKE)


def _presents(
    around: Surroundings, tenant: Tenant, networks: tuple[Placed, ...], *, whole: bool
) -> Iterator[Diagnostic]:
    if tenant.presents is None:
        if tenant.subscriptions and whole:
            problem = f"tenant {tenant.name} uses services and has no key 'presents'"
            length = length_for(len(tenant.subscriptions))
            fix = f"write presents: with the range that its admins gave, a /{length} or larger"
            yield Diagnostic(around.file, tenant.position, problem, fix)
        return
    presents, position = tenant.presents.network, tenant.presents_position
    subject = f"tenant {tenant.name}: presents {presents}"
    for own in networks:
        if overlap(presents, own.network):
            problem = f"{subject} {relation(presents, own.network)} its own network {own.network} ({_line(own)})"
            yield Diagnostic(around.file, position, problem, "ask its admins for a range they do not use")
            break
    if around.provider is not None and overlap(presents, around.provider.lake.network):
        problem = f"{subject} {relation(presents, around.provider.lake.network)} {lake_name(around.provider)}"
        yield Diagnostic(around.file, position, problem, "ask its admins for another range, or set another lake")
    asked, there = len({each.service for each in tenant.subscriptions}), usable(presents)
    if asked > there:
        problem = (
            f"{subject} has {there} usable address{'' if there == 1 else 'es'}, and {asked} services need one each"
        )
        yield Diagnostic(around.file, position, problem, f"ask its admins for a /{length_for(asked)}")


def _hosts(around: Surroundings, tenant: Tenant, networks: NetworkTable, *, whole: bool) -> Iterator[Diagnostic]:
    first: dict[IPv4Address, Host] = {}
    for host in tenant.hosts:
        ip, subject = host.address.ip, f"tenant {tenant.name}: host {host.name}"
        other = first.setdefault(ip, host)
        if other is not host:
            problem = f"{subject} has the address {ip} of host {other.name} (line {other.address_position.line})"
            yield Diagnostic(around.file, host.address_position, problem, "give each host an address of its own")
        holding = networks.holding(ip)
        if holding is None:
            if whole:
                problem = f"{subject}: {ip} is outside the tenant's networks"
                fix = f"add its network to networks (line {_networks_line(tenant)}), or correct the address"
                yield Diagnostic(around.file, host.address_position, problem, fix)
        elif end := end_of(holding.network, ip):
            problem = f"{subject}: {ip} is the {end} address of {holding.network} ({_line(holding)})"
            fix = "give it an address between the first and the last"
            yield Diagnostic(around.file, host.address_position, problem, fix)


def _subscriptions(around: Surroundings, tenant: Tenant) -> Iterator[Diagnostic]:
    seen: dict[str, Subscription] = {}
    pinned: dict[IPv4Address, Subscription] = {}
    for each in tenant.subscriptions:
        earlier = seen.setdefault(each.service, each)
        if earlier is not each:
            problem = (
                f"tenant {tenant.name}: service {each.service} is listed twice (first in line {earlier.position.line})"
            )
            yield Diagnostic(around.file, each.position, problem, "keep one of them")
        elif around.services is not None and each.service not in around.services:
            problem = f"tenant {tenant.name}: there is no service '{each.service}'"
            fix = around.nearest.fix(each.service, around.services, "the services are {known}")
            yield Diagnostic(around.file, each.position, problem, fix)
        if each.presented is not None:
            yield from _pinned(around, tenant, each, pinned)


def _pinned(
    around: Surroundings, tenant: Tenant, each: Subscription, pinned: dict[IPv4Address, Subscription]
) -> Iterator[Diagnostic]:
    if each.presented is None:
        return
    ip, position = each.presented.ip, each.presented_position
    subject = f"tenant {tenant.name}: service {each.service}"
    other = pinned.setdefault(ip, each)
    if other is not each:
        problem = (
            f"{subject} is pinned to {ip}, and so is service {other.service} (line {other.presented_position.line})"
        )
        yield Diagnostic(around.file, position, problem, "pin each service to an address of its own")
    if tenant.presents is None:
        return
    presents = f"presents {tenant.presents.network} (line {tenant.presents_position.line})"
    if ip not in tenant.presents.network:
        problem = f"{subject} is pinned to {ip}, which is outside {presents}"
        yield Diagnostic(around.file, position, problem, "pin it to an address in that range")
    elif end := end_of(tenant.presents.network, ip):
        problem = f"{subject} is pinned to {ip}, the {end} address of {presents}"
        yield Diagnostic(around.file, position, problem, "pin it to an address between the first and the last")


def _host_mode(around: Surroundings, tenant: Tenant, networks: NetworkTable) -> Iterator[Diagnostic]:
    inhabited = {found.network for host in tenant.hosts if (found := networks.holding(host.address.ip)) is not None}
    for network in tenant.networks:
        prefix = network.prefix.network
        if network.mode is Mode.HOST and prefix not in inhabited:
            problem = f"{_sources(tenant, network)}: the mode is host, and none of its hosts is listed"
            yield Diagnostic(
                around.file, network.mode_position, problem, "list one under hosts, or write sources: prefix"
            )


def _pool_mode(around: Surroundings, tenant: Tenant, network: Network) -> Iterator[Diagnostic]:
    length, pool = network.prefix.network.prefixlen, network.pool_size
    size = 1 << (ADDRESS_BITS - length)
    if length < _LARGEST_POOLED:
        problem = f"{_sources(tenant, network)}: a pool serves at most a /{_LARGEST_POOLED} (65,536 addresses)"
        fix = "list its hosts and write host, or split the network"
        yield Diagnostic(around.file, network.mode_position, problem, fix)
    elif pool > size:
        problem = f"{_sources(tenant, network)}: pool: {pool} is more addresses than the network has ({size})"
        yield Diagnostic(around.file, network.mode_position, problem, "write prefix, or a smaller pool")


def _sources(tenant: Tenant, network: Network) -> str:
    return f"tenant {tenant.name}: sources of network {network.prefix.network}"


def _networks_line(tenant: Tenant) -> int:
    return tenant.networks[0].position.line if tenant.networks else tenant.position.line


def _line(placed: Placed) -> str:
    return f"line {placed.position.line}"
