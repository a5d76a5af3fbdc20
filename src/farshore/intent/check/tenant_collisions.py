"""Collisions within one tenant. Tenants may overlap with each other and with the provider."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Network

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, Position, counted
from farshore.fix import Choice, Fix, Path, Remove, choices_of, write
from farshore.intent.check.network_table import NetworkTable, Placed, end_of, overlap, overlapping_pairs, relation
from farshore.intent.check.repaired_modes import LARGEST_POOLED_LENGTH, modes_fix
from farshore.intent.check.scope import BETWEEN_THE_ENDS, Scope, lake_name, without_overlap
from farshore.intent.model import Host, Mode, Network, Subscription, Tenant
from farshore.intent.source_modes import sources_path
from farshore.realm import ADDRESS_BITS, length_for, usable_addresses

_MOST_LISTED = 10


def tenant_collisions(scope: Scope, tenant: Tenant) -> Iterator[Diagnostic]:
    """Yield every collision, except those that follow from a key with errors."""
    networks = tuple(Placed(network.prefix.network, network.position) for network in tenant.networks)
    table = NetworkTable(networks)
    yield from _networks(scope, tenant, networks)
    yield from _presents(scope, tenant, networks)
    yield from _hosts(scope, tenant, table)
    yield from _subscriptions(scope, tenant)
    if any(network.mode is Mode.HOST for network in tenant.networks) and scope.whole(tenant.name, "hosts"):
        yield from _host_mode(scope, tenant, table)
    for network in tenant.networks:
        if network.mode is Mode.POOL:
            yield from _pool_mode(scope, tenant, network)


def stray_sources(scope: Scope) -> Iterator[Diagnostic]:
    """Yield the source modes that are set for networks which their tenants do not have."""
    given: set[tuple[str, IPv4Network]] = set()
    for stray in scope.parts.stray_sources:
        tenant = scope.parts.tenants[stray.tenant]
        own = [each.prefix.network for each in tenant.networks]
        # A network with a mode of its own in the mapping stands there already.
        without = [each.prefix.network for each in tenant.networks if each.mode_position == each.position]
        near = next((n for n in without if overlap(n, stray.network) and (tenant.name, n) not in given), None)
        listed = ", ".join(map(str, own[:_MOST_LISTED]))
        fix: str = f"write one of its networks: {listed}"
        if near is not None:
            given.add((tenant.name, near))
            fix = write(str(near), "did you mean {}?").at_key((*sources_path(tenant), str(stray.network)))
        problem = f"tenant {stray.tenant}: sources: {stray.network} is not one of its networks"
        yield scope.fault(stray.position, DiagnosticCode.STRAY_SOURCE, problem, fix)


def _networks(scope: Scope, tenant: Tenant, networks: tuple[Placed, ...]) -> Iterator[Diagnostic]:
    if len(networks) > 1:
        for later, earlier in overlapping_pairs(networks):
            how = relation(later.network, earlier.network)
            problem = f"tenant {tenant.name}: network {later.network} {how} {earlier}"
            fix = without_overlap((later, earlier), ("tenants", tenant.name, "networks"), sources_path(tenant))
            yield scope.fault(later.position, DiagnosticCode.OVERLAPPING_NETWORKS, problem, fix)
    if scope.provider is None:
        return
    lake = scope.provider.lake.network
    for each in networks:
        if overlap(each.network, lake):
            how = relation(each.network, lake)
            problem = f"tenant {tenant.name}: network {each.network} {how} {lake_name(scope.provider)}"
            yield scope.fault(each.position, DiagnosticCode.LAKE_OVERLAP, problem, scope.lake.fix())


def _presents(scope: Scope, tenant: Tenant, networks: tuple[Placed, ...]) -> Iterator[Diagnostic]:
    if tenant.presents is None:
        if tenant.subscriptions and scope.whole(tenant.name, "presents"):
            problem = f"tenant {tenant.name}: uses services and has no key 'presents'"
            length = length_for(len(tenant.subscriptions))
            fix = f"write presents: with the range that its admins assigned, a /{length} or larger"
            yield scope.fault(tenant.position, DiagnosticCode.NO_PRESENTED_RANGE, problem, fix)
        return
    presents, position = tenant.presents.network, tenant.presents_position
    subject = f"tenant {tenant.name}: presents {presents}"
    for own in networks:
        if overlap(presents, own.network):
            problem = f"{subject} {relation(presents, own.network)} its own network {own}"
            fix = "ask its admins for a range that they do not use"
            yield scope.fault(position, DiagnosticCode.PRESENTED_OVERLAP, problem, fix)
            break
    if scope.provider is not None and overlap(presents, scope.provider.lake.network):
        problem = f"{subject} {relation(presents, scope.provider.lake.network)} {lake_name(scope.provider)}"
        fix = Fix((*choices_of(scope.lake.fix()), Choice("ask its admins for another range")))
        yield scope.fault(position, DiagnosticCode.LAKE_OVERLAP, problem, fix)
    needed, available = len({each.service for each in tenant.subscriptions}), len(usable_addresses(presents))
    if needed > available:
        problem = f"{subject} has {counted(available, 'usable address')} for {counted(needed, 'service')}"
        fix = f"ask its admins for a /{length_for(needed)}"
        yield scope.fault(position, DiagnosticCode.PRESENTED_TOO_SMALL, problem, fix)


def _hosts(scope: Scope, tenant: Tenant, networks: NetworkTable) -> Iterator[Diagnostic]:
    first: dict[IPv4Address, Host] = {}
    for host in tenant.hosts:
        ip, position, subject = host.address.ip, host.address_position, f"tenant {tenant.name}: host {host.name}"
        other = first.setdefault(ip, host)
        if other is not host:
            user = f"host {other.name} (line {other.address_position.line})"
            problem = f"{subject}: address {ip} is already used by {user}"
            fix = "give each host an address of its own"
            yield scope.fault(position, DiagnosticCode.DUPLICATE_ADDRESS, problem, fix)
        holding = networks.holding(ip)
        if holding is not None:
            yield from scope.end_of_network(subject, ip, holding, position)
        elif scope.whole(tenant.name, "networks"):
            line = tenant.networks[0].position.line if tenant.networks else tenant.position.line
            problem = f"{subject}: address {ip} is outside the tenant's networks"
            fix = f"correct the address, or add its network to networks (line {line})"
            yield scope.fault(position, DiagnosticCode.OUTSIDE_NETWORKS, problem, fix)


def _subscriptions(scope: Scope, tenant: Tenant) -> Iterator[Diagnostic]:
    known = scope.parts.services
    seen: dict[str, Subscription] = {}
    used = {each.service for each in tenant.subscriptions}
    pinned: dict[IPv4Address, Subscription] = {}
    for each in tenant.subscriptions:
        earlier = seen.setdefault(each.service, each)
        if earlier is not each:
            problem = f"tenant {tenant.name}: duplicate service {each.service} (first in line {earlier.position.line})"
            path = ("tenants", tenant.name, "services", each.position)
            fix: str = Fix((Choice("remove {} here", (Remove(path, each.service),)),))
            yield scope.fault(each.position, DiagnosticCode.DUPLICATE_ENTRY, problem, fix)
        elif known is not None and each.service not in known:
            problem = f"tenant {tenant.name}: unknown service '{each.service}'"
            fix = _known_service(scope, tenant, each, known, used)
            yield scope.fault(each.position, DiagnosticCode.UNKNOWN_SERVICE, problem, fix)
        if each.presented is not None:
            yield from _pinned(scope, tenant, each, each.presented.ip, pinned)


def _known_service(scope: Scope, tenant: Tenant, each: Subscription, known: Collection[str], used: set[str]) -> str:
    fix = scope.nearest.fix(each.service, known, "known services: {known}", used)
    used.update(str(edit.value) for choice in choices_of(fix) for edit in choice.edits)
    path: Path = ("tenants", tenant.name, "services")
    if not isinstance(fix, Fix):
        return fix
    if each.presented_position != Position():
        return fix.at_key((*path, each.service))
    # Where a list has the wrong name twice, one of them is enough.
    again = [other.position for other in tenant.subscriptions if other.service == each.service and other is not each]
    return fix.at((*path, each.position)).and_also(*(Remove((*path, where), each.service) for where in again))


def _pinned(
    scope: Scope, tenant: Tenant, each: Subscription, ip: IPv4Address, pinned: dict[IPv4Address, Subscription]
) -> Iterator[Diagnostic]:
    position, subject = each.presented_position, f"tenant {tenant.name}: service {each.service}: pinned address {ip}"
    other = pinned.setdefault(ip, each)
    if other is not each:
        problem = f"{subject} is already used by service {other.service} (line {other.presented_position.line})"
        yield scope.fault(position, DiagnosticCode.DUPLICATE_ADDRESS, problem, "pin each service to its own address")
    if tenant.presents is None:
        return
    presents = f"presents {tenant.presents.network} (line {tenant.presents_position.line})"
    if ip not in tenant.presents.network:
        problem = f"{subject} is outside {presents}"
        yield scope.fault(position, DiagnosticCode.PINNED_OUTSIDE, problem, "pin it to an address in that range")
    elif end := end_of(tenant.presents.network, ip):
        problem = f"{subject} is the {end} address of {presents}"
        yield scope.fault(position, DiagnosticCode.END_OF_NETWORK, problem, BETWEEN_THE_ENDS)


def _host_mode(scope: Scope, tenant: Tenant, networks: NetworkTable) -> Iterator[Diagnostic]:
    inhabited = {found.network for host in tenant.hosts if (found := networks.holding(host.address.ip)) is not None}
    for network in tenant.networks:
        if network.mode is Mode.HOST and network.prefix.network not in inhabited:
            problem = f"{_sources(tenant, network)}: mode host without a listed host"
            fix = modes_fix(scope, tenant, network, "list one under hosts", also=True)
            yield scope.fault(network.mode_position, DiagnosticCode.NO_LISTED_HOST, problem, fix)


def _pool_mode(scope: Scope, tenant: Tenant, network: Network) -> Iterator[Diagnostic]:
    length, pool = network.prefix.network.prefixlen, network.pool_size
    size = 1 << (ADDRESS_BITS - length)
    if length < LARGEST_POOLED_LENGTH:
        problem = f"{_sources(tenant, network)}: a pool serves at most a /{LARGEST_POOLED_LENGTH} (65,536 addresses)"
        fix = modes_fix(scope, tenant, network, "list its hosts and write host, or split the network")
        yield scope.fault(network.mode_position, DiagnosticCode.POOLED_NETWORK_TOO_LARGE, problem, fix)
    elif pool > size:
        problem = f"{_sources(tenant, network)}: pool of {pool} exceeds the network's {counted(size, 'address')}"
        fix = modes_fix(scope, tenant, network, "write prefix, or a smaller pool")
        yield scope.fault(network.mode_position, DiagnosticCode.POOL_TOO_LARGE, problem, fix)


def _sources(tenant: Tenant, network: Network) -> str:
    return f"tenant {tenant.name}: sources of network {network.prefix.network}"
