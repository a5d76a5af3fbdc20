"""What the provider's hosts must be able to open to tenants' hosts, and what not. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from farshore.conformance.check import Check, Exchange, Injection, Outcome
from farshore.conformance.refusals import STRANGER, TCP_PROBE, UDP_PROBE
from farshore.conformance.topology import SHARED_SOURCE_PORT, Topology, injected
from farshore.fabric import names
from farshore.intent.model import Tenant
from farshore.port import Protocol


def calls(tenant: Tenant, topology: Topology) -> Iterator[Check]:
    """Yield every call to every host of a tenant that the provider reaches, and what it must not open there."""
    ports = topology.reached(tenant.name)
    for name, caller in topology.plan.callers.items() if ports else ():
        node, presented = names.service(name), topology.plan.tenants[tenant.name].callers[name]
        for host in topology.hosts[tenant.name]:
            appears = topology.appears(tenant.name, host.address)
            dialled = (appears.provider or appears.lake).ip
            for port in ports:
                exchange = Exchange(
                    node=node,
                    source=caller.address.ip,
                    source_port=SHARED_SOURCE_PORT,
                    destination=dialled,
                    port=port,
                    service=host.name.local,
                    seen_as=presented.ip,
                )
                yield Check(f"{node} reaches {host.name} {port} at {dialled}", Outcome.REACH, exchange)
            for probe in (TCP_PROBE, UDP_PROBE):
                if probe not in ports:
                    packet = injected(probe, caller.address.ip, dialled)
                    what = f"{node} calls {host.name} on {probe}, which it may not: {packet}"
                    yield Check(what, Outcome.BLOCK, Injection(node, "provider", packet))
            offered = next((port for port in ports if port.protocol is not Protocol.ICMP), ports[0])
            forged = injected(offered, STRANGER, dialled)
            yield Check(
                f"{node} calls {host.name} as a stranger: {forged}", Outcome.BLOCK, Injection(node, "provider", forged)
            )
    if ports:
        yield from _others(tenant, topology)


def _others(tenant: Tenant, topology: Topology) -> Iterator[Check]:
    """Yield the calls of services, where others are named that may call."""
    host = topology.hosts[tenant.name][0]
    appears = topology.appears(tenant.name, host.address)
    dialled, port = (appears.provider or appears.lake).ip, topology.reached(tenant.name)[0]
    for service in topology.intent.provider.services.values():
        if service.name not in topology.plan.callers:
            node, packet = names.service(service.name), injected(port, service.address.ip, dialled)
            name = f"{node}, which may not, calls {host.name}: {packet}"
            yield Check(name, Outcome.BLOCK, Injection(node, "provider", packet))
