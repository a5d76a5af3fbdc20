"""What the chosen designs do not carry, from the intent alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import accumulate

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, Position, counted
from farshore.fix import Choice, Fix, Remove, Write, write
from farshore.intent.model import DEFAULT_SESSIONS, DesignName, Intent, Provider, Salvage, Service, Tenant
from farshore.port import Port, Protocol
from farshore.realm import PROVIDER

# Sessions of a box that tenants share. The kernel's own table (nf_conntrack_max) where there are more than 4 GiB of
# memory; a proxy has a connection of its own for each, from one address and with the ports above 1023.
_TABLES = {DesignName.LAKE: 262_144, DesignName.LAST_HOP: 262_144, DesignName.APPLIANCE: 64_512}


def uncarried(intent: Intent, design: str | None = None) -> tuple[Diagnostic, ...]:
    """Return what one design for all tenants does not carry or, with None, what the designs of the intent do not."""
    return tuple(_uncarried(intent.file, intent.provider, intent.tenants, intent.design, design))


def uncarried_parts(parts: Salvage, provider: Provider) -> Iterator[Diagnostic]:
    """Yield the same for what could be read of an intent, but nothing that only unreadable parts would cause."""
    if parts.design is None:
        return
    tenants = {name: each for name, each in parts.tenants.items() if "design" not in parts.damage.get(name, ())}
    if "services" in parts.damage.get(PROVIDER.name, ()):
        # The design that would pass on the caller's identity may be what could not be read.
        services = {name: replace(each, caller_identity=None) for name, each in provider.services.items()}
        provider = replace(provider, services=services)
    yield from _uncarried(parts.file, provider, tenants, parts.design, None)
    limited = {name: each for name, each in tenants.items() if "limits" not in parts.damage.get(name, ())}
    yield from _oversubscribed(Intent(parts.file, provider, limited, parts.design))


def _oversubscribed(intent: Intent) -> Iterator[Diagnostic]:
    """Yield, for each design with a box for all its tenants, whether their limits add up to more than it holds."""
    sharing = {
        design: [tenant for tenant in intent.tenants.values() if design in _designs_of(intent, tenant)]
        for design in _TABLES
    }
    over = {d: tenants for d, tenants in sharing.items() if sum(map(_sessions, tenants)) > _TABLES[d]}
    # What fits everywhere, so that the fix of one is that of another.
    most = min((max(_TABLES[design] // len(tenants), 1) for design, tenants in over.items()), default=0)
    for design, tenants in over.items():
        sums = list(accumulate(map(_sessions, tenants)))
        first = next(tenant for tenant, so_far in zip(tenants, sums, strict=True) if so_far > _TABLES[design])
        problem = (
            f"design {design}: the limits of its {counted(len(tenants), 'tenant')} add up to {sums[-1]:,} sessions, "
            f"and its box holds {_TABLES[design]:,}"
        )
        path = ("limits", "sessions")
        edits = tuple(Write(("tenants", t.name, *path), most) for t in tenants if _sessions(t) > most)
        fix = Fix((Choice("write sessions: {} in the limits of each tenant that has more", edits),))
        code = DiagnosticCode.SESSIONS_OVERSUBSCRIBED
        yield Diagnostic(intent.file, first.position, code, problem, fix)


def _sessions(tenant: Tenant) -> int:
    return DEFAULT_SESSIONS if tenant.sessions is None else tenant.sessions


def _designs_of(intent: Intent, tenant: Tenant) -> set[DesignName]:
    services = [each.service for each in tenant.subscriptions if each.service in intent.provider.services]
    own = {intent.design_of(tenant.name)} if intent.reached(tenant.name) else set()
    return own | {intent.design_of(tenant.name, service) for service in services}


def _uncarried(
    file: str, provider: Provider, tenants: Mapping[str, Tenant], own: DesignName, all_by: str | None
) -> Iterator[Diagnostic]:
    def carrier(tenant: Tenant, service: Service | None = None) -> str:
        specific = service.design if service is not None else None
        return all_by or specific or tenant.design or own

    for service in provider.services.values():
        used = [t for t in tenants.values() if any(s.service == service.name for s in t.subscriptions)]
        if any(carrier(tenant, service) == DesignName.APPLIANCE for tenant in used):
            yield from _beyond_tcp(file, service, removable=all_by is None)
        elsewhere = next((t for t in used if carrier(t, service) != DesignName.APPLIANCE), None)
        if service.caller_identity is not None and elsewhere is not None:
            by = f"design {carrier(elsewhere, service)} of tenant {elsewhere.name}"
            problem = f"service {service.name}: {by} does not pass on the caller's identity"
            fix = _by_proxy(service) if all_by is None else "only design appliance does"
            position, code = service.caller_identity_position, DiagnosticCode.CALLER_IDENTITY_LOST
            yield Diagnostic(file, position, code, problem, fix)
    for reach in provider.reaches:
        tenant = tenants.get(reach.tenant)
        if tenant is not None and carrier(tenant) != DesignName.LAKE:
            problem = f"provider: reaches {reach.tenant}: design {carrier(tenant)} does not carry calls to tenants"
            code = DiagnosticCode.CALLS_NOT_CARRIED
            fix = _by_lake(provider, tenant) if all_by is None else "only design lake does"
            yield Diagnostic(file, reach.tenant_position, code, problem, fix)


def _by_proxy(service: Service) -> str:
    """Return the fix that has a service carried by the appliance, where its ports allow that."""
    if any(port.protocol is not Protocol.TCP for port in service.ports):
        return "only design appliance does, and it carries TCP only: make a service of the TCP ports alone"
    words = f"only design appliance does: write design: {{}} at service {service.name}"
    path = ("provider", "services", service.name, "design")
    return write(str(DesignName.APPLIANCE), words, path)


def _by_lake(provider: Provider, tenant: Tenant) -> str:
    """Return the fix that has a tenant carried by the lake, where its services allow that."""
    edits = [Write(("tenants", tenant.name, "design"), str(DesignName.LAKE))]
    words = "only design lake does: give the tenant design: {}"
    for each in tenant.subscriptions:
        service = provider.services.get(each.service)
        if service is None or service.caller_identity is None or service.design is not None:
            continue
        if any(port.protocol is not Protocol.TCP for port in service.ports):
            return f"only design lake does, and it does not pass on the caller's identity to service {service.name}"
        edits.append(Write(("provider", "services", service.name, "design"), str(DesignName.APPLIANCE)))
        words += f", and service {service.name} design: {{}}"
    return Fix((Choice(words, tuple(edits)),))


def _beyond_tcp(file: str, service: Service, *, removable: bool) -> Iterator[Diagnostic]:
    others = list(dict.fromkeys(port for port in service.ports if port.protocol is not Protocol.TCP))
    if others:
        listed = ", ".join(map(str, others))
        problem = f"service {service.name}: design appliance carries TCP only, not {listed}"
        tcp = any(port.protocol is Protocol.TCP for port in service.ports)
        if removable and tcp and len(service.port_positions) == len(service.ports):
            path = ("provider", "services", service.name, "ports")
            places = [(port, where) for port, where in zip(service.ports, service.port_positions, strict=True)]
            # A port that is listed twice is shown once and removed twice.
            firsts = [(port, _position(service, port)) for port in others]
            more = [each for each in places if each[0] in others and each not in firsts]
            edits = tuple(Remove((*path, where), str(port)) for port, where in (*firsts, *more))
            removed = Choice(f"remove {', '.join('{}' for _ in others)} from ports", edits)
            fix: str = Fix((removed, Choice("use design lake or last-hop")))
        else:
            fix = "use design lake or last-hop"
        position = _position(service, others[0])
        yield Diagnostic(file, position, DiagnosticCode.PORTS_NOT_CARRIED, problem, fix)


def _position(service: Service, port: Port) -> Position:
    number = service.ports.index(port)
    return service.port_positions[number] if number < len(service.port_positions) else service.position
