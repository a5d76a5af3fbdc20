"""What a proxy does: it terminates one connection, opens another, and relays the data between the two."""

from __future__ import annotations

from collections.abc import Iterable

from farshore.fabric.model import Front, Proxy
from farshore.port import Protocol
from farshore.semantics.choice import DEFAULT_CHOICES, Choices
from farshore.semantics.crossing import Crossing, Event, Verb
from farshore.semantics.flow import Flow, Way, find
from farshore.semantics.packet import Kind, Packet
from farshore.translation import PortBlock

FIRST_OWN_PORT, LAST_OWN_PORT = 1, 65535


def cross_proxy(
    proxy: Proxy, packet: Packet, ingress: str, flows: Iterable[Flow], *, choices: Choices = DEFAULT_CHOICES
) -> Crossing:
    """Take a packet to a proxy and return the packet of the other connection.

    The new connection keeps the client's port number unless ``choices`` gives another, as any free one would do.
    """
    found = find(flows, packet, ingress)
    if found is not None:
        return _known(packet, *found)
    front = _front(proxy, packet, ingress)
    if front is None:
        return _refused(packet, ingress)
    port = choices.port(proxy, PortBlock(front.own, FIRST_OWN_PORT, LAST_OWN_PORT), packet)
    onward = packet.with_source(front.own, port).with_destination(front.server, front.port.number)
    egress = next(interface.name for interface in proxy.interfaces if interface.realm == front.server.realm)
    says = (
        f"terminates the connection to {front.presented.ip} and opens one from {front.own.ip} to {front.server.ip}, "
        f"as the client of {front.service}"
    )
    event = Event(Verb.PROXIED, says, packet, onward)
    return Crossing((event,), onward, egress, Flow(packet, onward, ingress, egress, zone=ingress))


def _known(packet: Packet, flow: Flow, way: Way) -> Crossing:
    if way is Way.FORWARD:
        onward, egress = flow.left, flow.egress
        says = "forwards it on its connection to the service"
    else:
        onward, egress = flow.arrived.answered(), flow.ingress
        says = f"forwards it on the connection from {flow.arrived.source.ip}"
    return Crossing((Event(Verb.PROXIED, says, packet, onward),), onward, egress, None)


def _front(proxy: Proxy, packet: Packet, ingress: str) -> Front | None:
    realm = next(interface.realm for interface in proxy.interfaces if interface.name == ingress)
    if packet.kind is not Kind.DATA or packet.protocol is not Protocol.TCP:
        return None
    for front in proxy.fronts:
        here = front.ingress == realm and front.presented.ip == packet.destination.ip
        if here and front.port.number == packet.destination_port:
            allowed = any(packet.source.ip in prefix.network for prefix in front.sources)
            return front if allowed else None
    return None


def _refused(packet: Packet, ingress: str) -> Crossing:
    if packet.protocol is not Protocol.TCP:
        says = f"the proxy carries TCP only, not {packet.protocol}; the lake and last-hop designs do"
    else:
        says = f"no listener on {packet.destination.ip} tcp/{packet.destination_port} for {ingress}"
    return Crossing((Event(Verb.PROXIED, says, packet, packet, wrong=True),), packet, None, None)
