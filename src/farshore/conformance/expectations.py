"""Allowed and forbidden flows, derived from the intent and its plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from farshore.conformance.calls import calls, unsolicited
from farshore.conformance.check import Check, Exchange, Injection, Outcome
from farshore.conformance.refusals import fragments, good_injections, tenant_refusals
from farshore.conformance.topology import SHARED_SOURCE_PORT, TCP_PROBE, UDP_PROBE, Topology, injected
from farshore.fabric.model import EndSystem, Fabric
from farshore.intent.model import Intent, Service, Tenant
from farshore.plan.model import Plan
from farshore.traffic.packet import WirePacket


def expectations(intent: Intent, plan: Plan, fabric: Fabric) -> tuple[Check, ...]:
    """Return every check of a fabric, allowed flows first, each name once."""
    topology = Topology.of(intent, plan, fabric)
    checks: list[Check] = []
    for tenant in intent.tenants.values():
        exchanges = list(_exchanges(tenant, topology))
        most = topology.room(tenant)
        has_room = most is None or len(exchanges) + good_injections(tenant, topology) < most
        checks += [
            *_within_limits(tenant, exchanges, topology),
            *calls(tenant, topology),
            *tenant_refusals(tenant, topology),
            *(fragments(tenant, topology) if has_room else ()),
            *unsolicited(tenant, topology),
        ]
    if topology.internet is not None:
        checks += _internet(topology.internet, topology)
    distinct = {check.name: check for check in checks}.values()
    return tuple(sorted(distinct, key=lambda check: check.expected is Outcome.BLOCK))


def _within_limits(tenant: Tenant, exchanges: list[Check], topology: Topology) -> Iterator[Check]:
    """Yield as many exchanges as the tenant may have at once; the name of the last contains how many were left out.

    The made-up packets of a tenant that must arrive open flows too.
    """
    most = topology.room(tenant)
    room = len(exchanges) if most is None else most - good_injections(tenant, topology)
    of_what = "sessions" if most == tenant.sessions else "new sessions per second"
    for number, check in enumerate(exchanges[:room], 1):
        left_out = max(len(exchanges) - room, 0) if number == room else 0
        more = f" ({left_out} more exceed its limit of {most} {of_what})" if left_out else ""
        yield replace(check, name=check.name + more, left_out=left_out)


def _exchanges(tenant: Tenant, topology: Topology) -> Iterator[Check]:
    """Yield every service and port for every host, all from the same source port."""
    for host in topology.hosts[tenant.name]:
        for service, presented in topology.plan.tenants[tenant.name].presents.items():
            seen = topology.seen(tenant.name, host.address, service)
            for port in topology.ports(service):
                exchange = Exchange(
                    node=host.name,
                    source=host.address.ip,
                    source_port=SHARED_SOURCE_PORT,
                    destination=presented.ip,
                    port=port,
                    service=service,
                    seen_as=seen.ip,
                    seen_ports=seen.ports,
                    identified_as=seen.identified_as,
                )
                if topology.carries(tenant.name, service, port):
                    yield Check(f"{host.name} reaches {service} {port} at {presented.ip}", Outcome.REACH, exchange)
                else:
                    name = f"{host.name} sends to {service} {port} at {presented.ip}, which the proxy does not carry"
                    yield Check(name, Outcome.BLOCK, exchange)


def _internet(host: EndSystem, topology: Topology) -> Iterator[Check]:
    """Yield what the Internet may reach, and what must be blocked."""
    for service in topology.intent.provider.services.values():
        if service.internet is not None:
            yield from _published(host, service, topology)
        for where, target in (("real", service.address.ip), ("lake", topology.plan.services[service.name].lake.ip)):
            packet = injected(service.ports[0], host.address.ip, target)
            yield _refused(host, f"sends directly to the {where} address of {service.name}", packet)
    for tenant in topology.intent.tenants.values():
        victim = topology.hosts[tenant.name][0].address
        lake = topology.appears(tenant.name, victim).lake.ip
        for where, target in (("real", victim.ip), ("lake", lake)):
            # What the provider's own hosts may call is nothing for the Internet.
            for port in (TCP_PROBE, *topology.reached(tenant.name)):
                packet = injected(port, host.address.ip, target)
                yield _refused(host, f"sends to the {where} address of {tenant.name}", packet)


def _published(host: EndSystem, service: Service, topology: Topology) -> Iterator[Check]:
    assert service.internet is not None  # noqa: S101 - the caller has looked
    here, public = host.address.ip, service.internet.ip
    for port in service.ports:
        exchange = Exchange(host.name, here, SHARED_SOURCE_PORT, public, port, service.name, seen_as=here)
        yield Check(f"{host.name} reaches {service.name} {port} at {public}", Outcome.REACH, exchange)
    for port in (TCP_PROBE, UDP_PROBE):
        yield _refused(host, f"sends to {port}, which {service.name} does not offer", injected(port, here, public))
    lake = topology.plan.services[service.name].lake.ip
    yield _refused(host, "sends from a forged source, a lake address", injected(service.ports[0], lake, public))


def _refused(host: EndSystem, what: str, packet: WirePacket) -> Check:
    return Check(f"{host.name} {what}: {packet}", Outcome.BLOCK, Injection(host.name, host.interface.name, packet))
