"""Forbidden flows of a tenant, from its host and from its WAN router. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

from farshore.conformance.check import Check, Cut, Exchange, Injection, Outcome
from farshore.conformance.topology import (
    CONNECTING_SOURCE_PORT,
    ECHO_PROBE,
    FRAGMENTED_SOURCE_PORT,
    STRANGER,
    TCP_PROBE,
    UDP_PROBE,
    Topology,
    injected,
)
from farshore.fabric import names
from farshore.fabric.model import EndSystem, Proxy
from farshore.fabric.names import LinkEnd
from farshore.intent.model import Tenant
from farshore.port import Port, Protocol
from farshore.realm import Address
from farshore.traffic.packet import WirePacket


def tenant_refusals(tenant: Tenant, topology: Topology) -> Iterator[Check]:
    """Yield the forbidden packets of a tenant, from its host and from the wire of its WAN router.

    With it comes, for each of the two places, one good packet that must arrive: it shows that the others
    are blocked and not merely lost.
    """
    host, uplinks = topology.hosts[tenant.name][0], topology.uplinks[tenant.name]
    entries = [LinkEnd(host.name, host.interface.name), *uplinks]
    for number, entry in enumerate(entries):
        # A router with two ways on is two places of one name.
        where = f"{entry.node} at {entry.interface}" if entry in uplinks and len(uplinks) > 1 else entry.node
        for what, packet in _bad_packets(tenant, host.address.ip, topology):
            yield Check(f"{where} {what}: {packet}", Outcome.BLOCK, Injection(entry.node, entry.interface, packet))
        good = _good_packet(tenant, entry, host, topology)
        if good is not None and number < good_injections(tenant, topology):
            yield Check(f"{where} sends an allowed packet: {good.packet}", Outcome.REACH, good)
    yield from _connections(tenant, host, topology)


def good_injections(tenant: Tenant, topology: Topology) -> int:
    """Return from how many places a tenant sends a good packet: each opens a flow, of which it may have few."""
    entries = 1 + len(topology.uplinks[tenant.name])
    room = topology.room(tenant)
    return entries if room is None else min(entries, room - 1)


def _good_packet(tenant: Tenant, entry: LinkEnd, host: EndSystem, topology: Topology) -> Injection | None:
    """Return a packet that must arrive, None where no service is reached from a place.

    A proxy lets none through, but answers what asks for a connection.
    """
    for service, presented in topology.plan.tenants[tenant.name].presents.items():
        far = topology.accesses[tenant.name, service]
        if entry in (LinkEnd(host.name, host.interface.name), far):
            port = next(
                (port for port in topology.ports(service) if topology.carries(tenant.name, service, port)), None
            )
            proxied = isinstance(topology.devices[tenant.name, service], Proxy)
            if port is not None:
                packet = injected(port, host.address.ip, presented.ip)
                if proxied and entry == far:
                    # Once more from the same port would be the same connection to whoever answers.
                    packet = replace(packet, source_port=CONNECTING_SOURCE_PORT)
                target = topology.devices[tenant.name, service].name if proxied else names.service(service)
                return Injection(entry.node, entry.interface, packet, target, host.name)
    return None


def fragments(tenant: Tenant, topology: Topology) -> Iterator[Check]:
    """Yield an allowed packet of a tenant in two fragments, and an unfinished one of the next with its identification.

    The unfinished one is sent before. Were the two put together, it would arrive and the whole one would not.
    """
    identification = 1 + list(topology.intent.tenants).index(tenant.name) % 0xFFFF
    whole = _from_host(tenant, topology)
    if whole is None:
        return
    cut = replace(whole, cut=Cut(identification, finished=True))
    yield Check(f"{whole.node} sends an allowed packet in two fragments: {whole.packet}", Outcome.REACH, cut)
    other = topology.next_tenant(tenant)
    planted = None if other is None else _from_host(other, topology)
    if planted is not None:
        cut = replace(planted, cut=Cut(identification, finished=False), target=None, owner=None)
        what = f"sends the first of two fragments, with the identification of {whole.node}"
        yield Check(f"{planted.node} {what}: {planted.packet}", Outcome.BLOCK, cut)


def _from_host(tenant: Tenant, topology: Topology) -> Injection | None:
    host = topology.hosts[tenant.name][0]
    good = _good_packet(tenant, LinkEnd(host.name, host.interface.name), host, topology)
    return None if good is None else replace(good, packet=replace(good.packet, source_port=FRAGMENTED_SOURCE_PORT))


def _connections(tenant: Tenant, host: EndSystem, topology: Topology) -> Iterator[Check]:
    """Yield attempts to have a proxy open a connection: it is not packets that it lets through."""
    for service, presented in topology.plan.tenants[tenant.name].presents.items():
        if isinstance(topology.devices[tenant.name, service], Proxy):
            offered, port = topology.ports(service), TCP_PROBE
            lake, real = topology.plan.services[service].lake.ip, topology.intent.provider.services[service].address.ip
            targets = {f"{port}, which {service} does not offer": (presented.ip, port)}
            targets[f"the proxy's own address toward {service}"] = (lake, offered[0])
            if not owns(tenant, real):
                targets[f"the real address of {service}"] = (real, offered[0])
            for what, (ip, target) in targets.items():
                exchange = Exchange(host.name, host.address.ip, CONNECTING_SOURCE_PORT, ip, target, service, seen_as=ip)
                yield Check(f"{host.name} connects to {what}, {ip}", Outcome.BLOCK, exchange)


def _bad_packets(tenant: Tenant, here: IPv4Address, topology: Topology) -> Iterator[tuple[str, WirePacket]]:
    presents = topology.plan.tenants[tenant.name].presents
    for service, presented in presents.items():
        offered = topology.ports(service)
        for port in (TCP_PROBE, UDP_PROBE, ECHO_PROBE, *_swapped(offered)):
            if port not in offered:
                yield f"sends to {port}, which {service} does not offer", injected(port, here, presented.ip)
        yield from _forgeries(tenant, here, presented.ip, offered[0], topology)
    yield from _unpresented(tenant, here, topology)
    yield from _straight(tenant, here, topology)
    yield from _toward_another(tenant, here, topology)
    yield from _toward_callers(tenant, here, topology)
    if topology.internet is not None:
        yield "sends to the Internet through the provider", injected(TCP_PROBE, here, topology.internet.address.ip)


def _swapped(offered: tuple[Port, ...]) -> Iterator[Port]:
    """Yield the offered port numbers with the other protocol."""
    for port in offered:
        if port.protocol is not Protocol.ICMP:
            yield Port(Protocol.UDP if port.protocol is Protocol.TCP else Protocol.TCP, port.number)


def _forgeries(
    tenant: Tenant, here: IPv4Address, presented: IPv4Address, port: Port, topology: Topology
) -> Iterator[tuple[str, WirePacket]]:
    forged = {
        "its own lake address": topology.appears(tenant.name, Address(tenant.realm, here)).lake.ip,
        "an unassigned address": STRANGER,
        "the presented address": presented,
    }
    other = topology.next_tenant(tenant)
    if other is not None:
        victim = topology.hosts[other.name][0].address
        forged[f"a lake address of {other.name}"] = topology.appears(other.name, victim).lake.ip
        forged[f"an address of {other.name}"] = victim.ip
    for who, source in forged.items():
        if not owns(tenant, source):
            yield f"sends from a forged source, {who}", injected(port, source, presented)


def _unpresented(tenant: Tenant, here: IPv4Address, topology: Topology) -> Iterator[tuple[str, WirePacket]]:
    """Yield a packet to an address of the presented range that is not assigned."""
    if tenant.presents is None:
        return
    plan = topology.plan.tenants[tenant.name]
    used = {address.ip for address in (*plan.presents.values(), *plan.callers.values())}
    last = tenant.presents.network.broadcast_address
    free = next((last - n for n in range(tenant.presents.network.num_addresses) if last - n not in used), None)
    if free is not None:
        yield "sends to an unassigned presented address", injected(TCP_PROBE, here, free)


def _straight(tenant: Tenant, here: IPv4Address, topology: Topology) -> Iterator[tuple[str, WirePacket]]:
    """Yield packets that leave out the first translation, or both."""
    for service in topology.intent.provider.services.values():
        subscribed = service.name in topology.plan.tenants[tenant.name].presents
        target = service.name if subscribed else f"{service.name}, which it does not use"
        lake, port = topology.plan.services[service.name].lake.ip, service.ports[0]
        yield f"sends directly to the lake address of {target}", injected(port, here, lake)
        if not owns(tenant, service.address.ip):
            yield f"sends directly to the real address of {target}", injected(port, here, service.address.ip)


def _toward_another(tenant: Tenant, here: IPv4Address, topology: Topology) -> Iterator[tuple[str, WirePacket]]:
    other = topology.next_tenant(tenant)
    if other is None:
        return
    victim = topology.hosts[other.name][0].address
    lake = topology.appears(other.name, victim).lake.ip
    for port in (TCP_PROBE, UDP_PROBE, ECHO_PROBE, *topology.reached(other.name)):
        yield f"sends to the lake address of {other.name}", injected(port, here, lake)
        if not owns(tenant, victim.ip):
            yield f"sends to the real address of {other.name}", injected(port, here, victim.ip)


def _toward_callers(tenant: Tenant, here: IPv4Address, topology: Topology) -> Iterator[tuple[str, WirePacket]]:
    """Yield packets to the provider's hosts that may call tenants, and that no tenant may call."""
    for name, presented in topology.plan.tenants[tenant.name].callers.items():
        offered = topology.ports(name) if name in topology.plan.tenants[tenant.name].presents else ()
        for port in dict.fromkeys((TCP_PROBE, *topology.reached(tenant.name))):
            if port not in offered:
                yield f"sends to {name}, which accepts no calls", injected(port, here, presented.ip)
    for name, caller in topology.plan.callers.items():
        if name not in topology.plan.services:
            yield f"sends directly to the lake address of {name}", injected(TCP_PROBE, here, caller.lake.ip)


def owns(tenant: Tenant, ip: IPv4Address) -> bool:
    """Tell whether an address stands inside a tenant's own networks."""
    return any(ip in network.prefix.network for network in tenant.networks)
