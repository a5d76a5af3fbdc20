"""Calls of the provider's hosts to tenants' hosts: those that must pass and those that must be blocked. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from farshore.conformance.check import Check, Exchange, Injection, Outcome
from farshore.conformance.topology import (
    ECHO_PROBE,
    INJECTED_SOURCE_PORT,
    SHARED_SOURCE_PORT,
    STRANGER,
    TCP_PROBE,
    UDP_PROBE,
    UNOFFERED_PORT,
    Topology,
    injected,
)
from farshore.fabric import names
from farshore.intent.model import Tenant
from farshore.port import Protocol
from farshore.traffic.packet import TCP_ACK, TCP_SYN, WirePacket


def calls(tenant: Tenant, topology: Topology) -> Iterator[Check]:
    """Yield every permitted call to every host of a tenant, and calls that must be blocked."""
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
                    what = f"{node} calls {host.name} on {probe}, which is not permitted: {packet}"
                    yield Check(what, Outcome.BLOCK, Injection(node, "provider", packet))
            offered = next((port for port in ports if port.protocol is not Protocol.ICMP), ports[0])
            forged = injected(offered, STRANGER, dialled)
            yield Check(
                f"{node} calls {host.name} from a forged source: {forged}",
                Outcome.BLOCK,
                Injection(node, "provider", forged),
            )
    if ports:
        yield from _others(tenant, topology)


def _others(tenant: Tenant, topology: Topology) -> Iterator[Check]:
    """Yield the calls of services, where only the listed hosts of the provider may call."""
    host = topology.hosts[tenant.name][0]
    appears = topology.appears(tenant.name, host.address)
    dialled, port = (appears.provider or appears.lake).ip, topology.reached(tenant.name)[0]
    for service in topology.intent.provider.services.values():
        if service.name not in topology.plan.callers:
            node, packet = names.service(service.name), injected(port, service.address.ip, dialled)
            name = f"{node} calls {host.name} without a permit: {packet}"
            yield Check(name, Outcome.BLOCK, Injection(node, "provider", packet))


def unsolicited(tenant: Tenant, topology: Topology) -> Iterator[Check]:
    """Yield packets of the provider's side to a tenant that belong to no flow of the tenant."""
    host = topology.hosts[tenant.name][0].address
    seen = topology.appears(tenant.name, host)
    at_lake = tenant.name in topology.lake
    shown = (seen.provider if at_lake and seen.provider is not None else seen.lake).ip
    services = topology.intent.provider.services.values()
    speakers = [(service.name, service.address.ip, service.ports[0].number) for service in services]
    speakers += [(own.name, own.address.ip, INJECTED_SOURCE_PORT) for own in topology.intent.provider.hosts]
    reachable = {ip for _, ip, _ in speakers}
    for name, here, answering in speakers:
        node = names.service(name)
        packets = [
            injected(TCP_PROBE, here, shown),
            injected(UDP_PROBE, here, shown),
            injected(ECHO_PROBE, here, shown),
            injected(TCP_PROBE, here, seen.lake.ip),
            injected(TCP_PROBE, here, host.ip),
            WirePacket(Protocol.TCP, here, shown, answering, UNOFFERED_PORT, TCP_ACK),
        ]
        for packet in packets:
            # Inside the provider's network, a tenant's real address may well be one of the provider's own.
            if packet.destination not in reachable and not topology.may_call(tenant.name, name, packet):
                kind = "packet" if packet.tcp_flags == TCP_SYN else "reply"
                what = f"{node} sends an unsolicited {kind} to {tenant.name}: {packet}"
                yield Check(what, Outcome.BLOCK, Injection(node, "provider", packet))
