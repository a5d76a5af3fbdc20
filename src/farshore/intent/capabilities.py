"""What a choice of design cannot carry: pure, from the intent alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from farshore.errors import Diagnostic, Position
from farshore.intent.model import DesignName, Intent, Provider, Service, Tenant
from farshore.intent.salvage import Salvage
from farshore.port import Port, Protocol
from farshore.realm import PROVIDER

_PACKETS = "lake and last-hop"


def uncarried(intent: Intent, design: str | None = None) -> tuple[Diagnostic, ...]:
    """Return what cannot be carried if one design is for all or, with None, by those that the intent asks for."""
    return tuple(_uncarried(intent.file, intent.provider, intent.tenants, intent.design, design))


def uncarried_parts(file: str, parts: Salvage, provider: Provider) -> Iterator[Diagnostic]:
    """Yield the same for what of an intent could be read, but nothing that what could not be read alone makes wrong."""
    if parts.design is None:
        return
    tenants = {name: each for name, each in parts.tenants.items() if "design" not in parts.damage.get(name, ())}
    if "services" in parts.damage.get(PROVIDER.name, ()):
        # The design that would tell a service who calls may be what could not be read.
        services = {name: replace(each, introduction=None) for name, each in provider.services.items()}
        provider = replace(provider, services=services)
    yield from _uncarried(file, provider, tenants, parts.design, None)


def _uncarried(
    file: str, provider: Provider, tenants: Mapping[str, Tenant], own: DesignName, all_by: str | None
) -> Iterator[Diagnostic]:
    def carrier(tenant: Tenant, service: Service | None = None) -> str:
        particular = service.design if service is not None else None
        return all_by or particular or tenant.design or own

    for service in provider.services.values():
        used = [t for t in tenants.values() if any(s.service == service.name for s in t.subscriptions)]
        if any(carrier(tenant, service) == DesignName.APPLIANCE for tenant in used):
            yield from _no_connections(file, service)
        elsewhere = next((t for t in used if carrier(t, service) != DesignName.APPLIANCE), None)
        if service.introduction is not None and elsewhere is not None:
            by = carrier(elsewhere, service)
            problem = (
                f"service {service.name}: {elsewhere.name} comes by the {by} design, which tells no service who calls"
            )
            write = f": write design: appliance at service {service.name}" if all_by is None else ""
            yield Diagnostic(file, service.introduction_position, problem, f"only the appliance does{write}")
    for reach in provider.reaches:
        tenant = tenants.get(reach.tenant)
        if tenant is not None and carrier(tenant) != DesignName.LAKE:
            problem = f"provider: reaches {reach.tenant}: the {carrier(tenant)} design carries no calls to a tenant"
            write = ": give the tenant design: lake" if all_by is None else ""
            yield Diagnostic(file, reach.tenant_position, problem, f"only the lake does{write}")


def _no_connections(file: str, service: Service) -> Iterator[Diagnostic]:
    others = [port for port in service.ports if port.protocol is not Protocol.TCP]
    if others:
        listed = ", ".join(map(str, others))
        problem = f"service {service.name}: the appliance design carries TCP connections, and not {listed}"
        fix = f"{_PACKETS} carry it; or take it out of ports"
        yield Diagnostic(file, _position(service, others[0]), problem, fix)


def _position(service: Service, port: Port) -> Position:
    number = service.ports.index(port)
    return service.port_places[number] if number < len(service.port_places) else service.position
