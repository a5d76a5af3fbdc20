"""What must not be possible in a lab: what a tenant might try, and what might be tried on it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

from farshore.design import names
from farshore.fabric.model import EndSystem, LinkEnd, Proxy
from farshore.intent.model import Tenant
from farshore.lab.check import Check, Outcome, Talk, Throw
from farshore.lab.packet import TCP_ACK, TCP_SYN, Packet
from farshore.lab.scene import CONNECTING_SOURCE_PORT, THROWN_SOURCE_PORT, Scene, thrown
from farshore.port import Port, Protocol
from farshore.realm import Address

UNOFFERED_PORT = 9
TCP_PROBE = Port(Protocol.TCP, UNOFFERED_PORT)
UDP_PROBE = Port(Protocol.UDP, UNOFFERED_PORT)
ECHO_PROBE = Port(Protocol.ICMP)
STRANGER = IPv4Address("198.51.100.77")


def tenant_refusals(tenant: Tenant, scene: Scene) -> Iterator[Check]:
    """Yield what a tenant might try, from its host and from its WAN router's own wire.

    With it comes, for each of the two places, one good packet that must arrive: it shows that the others
    are blocked and not merely lost.
    """
    host, shores = scene.hosts[tenant.name][0], scene.shores[tenant.name]
    places = [LinkEnd(host.name, host.interface.name), *shores]
    for number, place in enumerate(places):
        # A router with two ways on is two places of one name.
        where = f"{place.node} at {place.interface}" if place in shores and len(shores) > 1 else place.node
        for what, packet in _bad_packets(tenant, host.address.ip, scene):
            yield Check(f"{where} {what}: {packet}", Outcome.BLOCK, Throw(place.node, place.interface, packet))
        good = _good_packet(tenant, place, host, scene)
        if good is not None and number < good_throws(tenant, scene):
            yield Check(f"{where} may send: {good.packet}", Outcome.REACH, good)
    yield from _connections(tenant, host, scene)


def good_throws(tenant: Tenant, scene: Scene) -> int:
    """Return from how many places a tenant sends a good packet: each opens a flow, of which it may have few."""
    places = 1 + len(scene.shores[tenant.name])
    room = scene.room(tenant)
    return places if room is None else min(places, room - 1)


def _good_packet(tenant: Tenant, place: LinkEnd, host: EndSystem, scene: Scene) -> Throw | None:
    """Return a packet that must arrive, None where no service is reached from a place.

    A proxy lets none through, but answers what asks for a connection.
    """
    for service, presented in scene.plan.tenants[tenant.name].presents.items():
        far = scene.doors[tenant.name, service]
        if place in (LinkEnd(host.name, host.interface.name), far):
            port = next((port for port in scene.ports(service) if scene.carries(tenant.name, service, port)), None)
            proxied = isinstance(scene.boxes[tenant.name, service], Proxy)
            if port is not None:
                packet = thrown(port, host.address.ip, presented.ip)
                if proxied and place == far:
                    # Once more from the same port would be the same connection to whoever answers.
                    packet = replace(packet, source_port=CONNECTING_SOURCE_PORT)
                target = scene.boxes[tenant.name, service].name if proxied else names.service(service)
                return Throw(place.node, place.interface, packet, target, host.name)
    return None


def _connections(tenant: Tenant, host: EndSystem, scene: Scene) -> Iterator[Check]:
    """Yield attempts to have a proxy open a connection: it is not packets that it lets through."""
    for service, presented in scene.plan.tenants[tenant.name].presents.items():
        if isinstance(scene.boxes[tenant.name, service], Proxy):
            offered, port = scene.ports(service), TCP_PROBE
            lake, real = scene.plan.services[service].lake.ip, scene.intent.provider.services[service].address.ip
            targets = {f"{port}, which {service} does not offer": (presented.ip, port)}
            targets[f"the proxy's own address toward {service}"] = (lake, offered[0])
            if not owns(tenant, real):
                targets[f"the real address of {service}"] = (real, offered[0])
            for what, (ip, target) in targets.items():
                talk = Talk(host.name, host.address.ip, CONNECTING_SOURCE_PORT, ip, target, service, seen_as=ip)
                yield Check(f"{host.name} connects to {what}, {ip}", Outcome.BLOCK, talk)


def _bad_packets(tenant: Tenant, here: IPv4Address, scene: Scene) -> Iterator[tuple[str, Packet]]:
    presents = scene.plan.tenants[tenant.name].presents
    for service, presented in presents.items():
        offered = scene.ports(service)
        for port in (TCP_PROBE, UDP_PROBE, ECHO_PROBE, *_swapped(offered)):
            if port not in offered:
                yield f"tries {port}, which {service} does not offer", thrown(port, here, presented.ip)
        yield from _forgeries(tenant, here, presented.ip, offered[0], scene)
    yield from _unpresented(tenant, here, scene)
    yield from _straight(tenant, here, scene)
    yield from _toward_another(tenant, here, scene)
    yield from _toward_callers(tenant, here, scene)
    if scene.internet is not None:
        yield "tries to go on to the Internet", thrown(TCP_PROBE, here, scene.internet.address.ip)


def _swapped(offered: tuple[Port, ...]) -> Iterator[Port]:
    """Yield the offered port numbers with the other protocol."""
    for port in offered:
        if port.protocol is not Protocol.ICMP:
            yield Port(Protocol.UDP if port.protocol is Protocol.TCP else Protocol.TCP, port.number)


def _forgeries(
    tenant: Tenant, here: IPv4Address, presented: IPv4Address, port: Port, scene: Scene
) -> Iterator[tuple[str, Packet]]:
    forged = {
        "its own lake address": scene.appears(tenant.name, Address(tenant.realm, here)).lake.ip,
        "a stranger": STRANGER,
        "the service": presented,
    }
    other = scene.next_tenant(tenant)
    if other is not None:
        victim = scene.hosts[other.name][0].address
        forged[f"{other.name} in the lake"] = scene.appears(other.name, victim).lake.ip
        forged[f"{other.name}'s host"] = victim.ip
    for who, source in forged.items():
        if not owns(tenant, source):
            yield f"forges the source of {who}", thrown(port, source, presented)


def _unpresented(tenant: Tenant, here: IPv4Address, scene: Scene) -> Iterator[tuple[str, Packet]]:
    """Yield a packet to an address of the presented range that presents nothing."""
    if tenant.presents is None:
        return
    plan = scene.plan.tenants[tenant.name]
    used = {address.ip for address in (*plan.presents.values(), *plan.callers.values())}
    last = tenant.presents.network.broadcast_address
    free = next((last - n for n in range(tenant.presents.network.num_addresses) if last - n not in used), None)
    if free is not None:
        yield "tries an address that presents nothing", thrown(TCP_PROBE, here, free)


def _straight(tenant: Tenant, here: IPv4Address, scene: Scene) -> Iterator[tuple[str, Packet]]:
    """Yield packets that leave out the first translation, or both."""
    for service in scene.intent.provider.services.values():
        subscribed = service.name in scene.plan.tenants[tenant.name].presents
        whose = service.name if subscribed else f"{service.name}, which it does not use"
        lake, port = scene.plan.services[service.name].lake.ip, service.ports[0]
        yield f"goes straight to the lake address of {whose}", thrown(port, here, lake)
        if not owns(tenant, service.address.ip):
            yield f"goes straight to the real address of {whose}", thrown(port, here, service.address.ip)


def _toward_another(tenant: Tenant, here: IPv4Address, scene: Scene) -> Iterator[tuple[str, Packet]]:
    other = scene.next_tenant(tenant)
    if other is None:
        return
    victim = scene.hosts[other.name][0].address
    lake = scene.appears(other.name, victim).lake.ip
    for port in (TCP_PROBE, UDP_PROBE, ECHO_PROBE, *scene.reached(other.name)):
        yield f"tries {other.name} in the lake", thrown(port, here, lake)
        if not owns(tenant, victim.ip):
            yield f"tries {other.name} by its real address", thrown(port, here, victim.ip)


def _toward_callers(tenant: Tenant, here: IPv4Address, scene: Scene) -> Iterator[tuple[str, Packet]]:
    """Yield packets to the provider's hosts that may call: they are called by nobody."""
    for name, presented in scene.plan.tenants[tenant.name].callers.items():
        offered = scene.ports(name) if name in scene.plan.tenants[tenant.name].presents else ()
        for port in dict.fromkeys((TCP_PROBE, *scene.reached(tenant.name))):
            if port not in offered:
                yield f"calls {name}, which may only call", thrown(port, here, presented.ip)
    for name, caller in scene.plan.callers.items():
        if name not in scene.plan.services:
            yield f"goes straight to the lake address of {name}", thrown(TCP_PROBE, here, caller.lake.ip)


def unasked(tenant: Tenant, scene: Scene) -> Iterator[Check]:
    """Yield what the provider's side might try on a tenant without having been asked."""
    host = scene.hosts[tenant.name][0].address
    seen = scene.appears(tenant.name, host)
    at_lake = tenant.name in scene.lake
    shown = (seen.provider if at_lake and seen.provider is not None else seen.lake).ip
    services = scene.intent.provider.services.values()
    speakers = [(service.name, service.address.ip, service.ports[0].number) for service in services]
    speakers += [(own.name, own.address.ip, THROWN_SOURCE_PORT) for own in scene.intent.provider.hosts]
    reachable = {ip for _, ip, _ in speakers}
    for name, here, answering in speakers:
        node = names.service(name)
        packets = [
            thrown(TCP_PROBE, here, shown),
            thrown(UDP_PROBE, here, shown),
            thrown(ECHO_PROBE, here, shown),
            thrown(TCP_PROBE, here, seen.lake.ip),
            thrown(TCP_PROBE, here, host.ip),
            Packet(Protocol.TCP, here, shown, answering, UNOFFERED_PORT, TCP_ACK),
        ]
        for packet in packets:
            # Inside the provider's network, a tenant's real address may well be one of the provider's own.
            if packet.destination not in reachable and not scene.may_call(tenant.name, name, packet):
                kind = "" if packet.tcp_flags == TCP_SYN else " with an answer to nothing"
                what = f"{node} calls {tenant.name} unasked{kind}: {packet}"
                yield Check(what, Outcome.BLOCK, Throw(node, "provider", packet))


def owns(tenant: Tenant, ip: IPv4Address) -> bool:
    """Tell whether an address stands inside a tenant's own networks."""
    return any(ip in network.prefix.network for network in tenant.networks)
