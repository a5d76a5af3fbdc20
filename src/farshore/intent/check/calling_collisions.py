"""Collisions of calls from the provider: its own hosts, and the tenants that they reach."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, Position
from farshore.intent.check.repaired_modes import modes_fix
from farshore.intent.check.scope import ProviderNetworks, Scope
from farshore.intent.model import Mode, Provider, Reach, Tenant


def calling_collisions(scope: Scope, provider: Provider) -> Iterator[Diagnostic]:
    """Yield everything that collides, but nothing that only unreadable parts would cause."""
    yield from _hosts(scope, provider)
    tenants, names = scope.parts.tenants, scope.parts.tenant_names
    first: dict[str, Reach] = {}
    reached = {reach.tenant for reach in provider.reaches}
    for reach in provider.reaches:
        position, subject = reach.tenant_position, f"provider: reaches {reach.tenant}"
        other = first.setdefault(reach.tenant, reach)
        if other is not reach:
            problem = f"provider: reaches: duplicate tenant {reach.tenant} (first in line {other.position.line})"
            yield scope.fault(position, DiagnosticCode.DUPLICATE_ENTRY, problem, "list all ports in one entry")
        path = ("provider", "reaches", reach.position)
        yield from scope.duplicate_ports(subject, reach.ports, reach.port_positions, (*path, "ports"))
        if reach.tenant in tenants:
            yield from _reached(scope, reach, tenants[reach.tenant])
        elif names is not None and reach.tenant not in names:
            fix = scope.named(reach.tenant, names, "known tenants: {known}", (*path, "tenant"), reached)
            problem = f"provider: reaches: unknown tenant '{reach.tenant}'"
            yield scope.fault(position, DiagnosticCode.UNKNOWN_TENANT, problem, fix)


def _hosts(scope: Scope, provider: Provider) -> Iterator[Diagnostic]:
    tables = ProviderNetworks.of(provider)
    taken: dict[IPv4Address, tuple[str, Position]] = {
        service.address.ip: (f"service {service.name}", service.address_position)
        for service in provider.services.values()
    }
    for host in provider.hosts:
        ip, position, subject = host.address.ip, host.address_position, f"provider: host {host.name}"
        if host.name in provider.services:
            line = provider.services[host.name].position.line
            problem = f"{subject}: the name is already used by a service (line {line})"
            yield scope.fault(host.position, DiagnosticCode.DUPLICATE_NAME, problem, "give one of them another name")
        other, first = taken.setdefault(ip, (f"host {host.name}", position))
        if first is not position:
            problem = f"{subject}: address {ip} is already used by {other} (line {first.line})"
            yield scope.fault(position, DiagnosticCode.DUPLICATE_ADDRESS, problem, "give each its own address")
        yield from tables.misplaced(scope, provider, subject, ip, position)


def _reached(scope: Scope, reach: Reach, tenant: Tenant) -> Iterator[Diagnostic]:
    position, subject = reach.tenant_position, f"provider: reaches {tenant.name}"
    for pool in (network for network in tenant.networks if network.mode is Mode.POOL):
        problem = f"{subject}: hosts of {pool.prefix.network} share pool addresses, so a call cannot address one host"
        line = f"line {pool.mode_position.line}"
        words = f"give the network the mode prefix or host ({line})"
        fix = modes_fix(scope, tenant, pool, words, at=f" at {tenant.name} ({line})")
        yield scope.fault(position, DiagnosticCode.POOL_CALLED, problem, fix)
    if tenant.presents is None and scope.whole(tenant.name, "presents"):
        problem = f"{subject}: the tenant has no presented range for the callers' addresses"
        yield scope.fault(position, DiagnosticCode.NO_PRESENTED_RANGE, problem, f"write presents: at {tenant.name}")
