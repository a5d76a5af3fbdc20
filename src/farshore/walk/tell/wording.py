"""The walk's sentences: the action and the state of a step and, for a glitch, its cause and its fix."""

from __future__ import annotations

from collections.abc import Sequence

from farshore.fabric.model import Device, NodeKind, Proxy
from farshore.fabric.names import NodeName
from farshore.port import Port, Protocol
from farshore.realm import LAKE, Address, RealmKind
from farshore.semantics.crossing import Crossing, Event, Verb
from farshore.semantics.packet import Packet
from farshore.semantics.routing import TWO_SIDED

DROPPED = "dropped"

# --- the request -------------------------------------------------------------------------------------


def sends(packet: Packet, service: str, *, presented: bool = True) -> str:
    """Say what the host does."""
    verb = "pings" if packet.protocol is Protocol.ICMP else "connects to"
    in_the_lake = not presented or packet.destination.realm == LAKE
    known_by = f"the lake address of {service}" if in_the_lake else f"the address of {service} in its network"
    return f"{verb} {packet.destination.ip}, {known_by}"


def puts(packet: Packet, port: Port) -> str:
    """Say how a packet with any addresses is sent."""
    return f"injects a packet from {packet.source.ip} to {packet.destination.ip}, {port}"


def put_on(interface: str) -> str:
    """Say how an injected packet leaves."""
    return f"out of interface {interface}"


def sent(packet: Packet) -> str:
    """Say how the packet leaves its host."""
    if packet.source.realm != packet.destination.realm:
        return f"source is an address of {packet.source.realm}, destination of {packet.destination.realm}"
    return f"source and destination are addresses of {packet.source.realm} only"


def not_presented(packet: Packet, service: str) -> str:
    """Say why the walk takes an address that is not known in the host's network."""
    return (
        f"{service} is not presented to {packet.source.realm} and has no address there; "
        "the walk takes its lake address, to show what drops the packet."
    )


def handed_to_nat() -> str:
    """Say what happens on arrival at a CE router that translates."""
    return "arrives with its original addresses"


def passed_to_nat() -> str:
    """Say what the CE router does next."""
    return "passed to the router's NAT engine"


def crosses(node: Device | Proxy, crossing: Crossing) -> str:
    """Say what a device does to a packet."""
    changes = [event.says for event in crossing.events if event.before != event.after]
    if changes:
        return "; ".join(changes)
    packet = crossing.packet
    if crossing.egress is None:
        return "not forwarded"
    if node.kind is NodeKind.ROUTER:
        return "source and destination are unique within the provider's network"
    if packet.source.realm == packet.destination.realm:
        return f"arrives with addresses of {packet.source.realm} only"
    return "forwarded unchanged"


def sent_on(node: Device | Proxy, crossing: Crossing) -> str:
    """Say where a packet goes from a device, and how the device knows."""
    if crossing.egress is None:
        return DROPPED
    if not isinstance(node, Device):
        return f"out of interface {crossing.egress}, by the routing instance of {crossing.packet.destination.realm}"
    look_up = next((event for event in reversed(crossing.events) if event.verb is Verb.ROUTED), None)
    if look_up is None:
        return f"no route look-up: out of {crossing.egress}, where the flow came in"
    return _routed(node, look_up, crossing.packet.destination, crossing.egress)


def _routed(node: Device, look_up: Event, destination: Address, egress: str) -> str:
    if look_up.found in TWO_SIDED:
        return f"ambiguous route; the walk continues out of {egress}"
    if look_up.before.destination != destination:
        return f"out of {egress}, the route to {look_up.before.destination.ip} before translation"
    if node.policy is None:
        return f"out of interface {egress}"
    return f"one route only: out of {egress}"


# --- the reply ---------------------------------------------------------------------------------------


def answers(packet: Packet) -> str:
    """Say what the service does."""
    return f"replies from its own address to the source that it saw, {packet.destination.ip}"


def routed_back(router: str, crossing: Crossing) -> str:
    """Say by which route the reply leaves the service's router."""
    if crossing.egress is None:
        return DROPPED
    return f"{router} has a route to {crossing.packet.destination.ip}: out of {crossing.egress}"


def temporary_addresses(answer: Packet, host: Address) -> str:
    """Say why single NAT needs temporary addresses."""
    if host.ip == answer.source.ip:
        why = "which is its own address as well, so that it would answer itself"
    else:
        why = "which may be an address of another tenant or of the provider"
    return (
        f"Temporary addresses are needed: {answer.destination.ip} stands for {host} and is unique in the provider's "
        f"network. Without it the service would answer {host.ip}, {why}."
    )


def delivered(packet: Packet) -> str:
    """Say how the reply arrives."""
    return f"receives the reply from {packet.source.ip}"


def carries_on() -> str:
    """Say what follows the last step."""
    return "the rest of the connection follows the same steps"


# --- what goes wrong ---------------------------------------------------------------------------------


def not_its_own(node: NodeName, packet: Packet) -> str:
    """Say why an arrival is not a delivery."""
    return f"{node} receives a packet for {packet.destination.ip}, which is not its address."


def not_listening(node: NodeName, port: Port) -> str:
    """Say why a service does not answer."""
    return f"{node} does not listen on {port}."


def reason(wrong: Sequence[Event], node: NodeName) -> str:
    """Return the cause of a glitch in one sentence. A step may have two: an ambiguous route and a drop."""
    return f"At {node}, {'; and '.join(event.says for event in wrong)}."


def fix(wrong: Sequence[Event]) -> str:
    """Return what would help."""
    return "; ".join(dict.fromkeys(_fix(event) for event in wrong))


# What permits a flow that no tenant opens, by the realm that it comes from.
_PERMITS = {
    RealmKind.PROVIDER: "list the caller under hosts of the provider and the port under reaches, and use design lake",
    RealmKind.INTERNET: "publish the service and the port: write internet: at the service, in the intent",
}


def _fix(event: Event) -> str:
    sender = event.before.source.realm.kind
    match event.verb:
        case Verb.ROUTED if event.found in TWO_SIDED:
            return "translate into addresses that neither side uses before crossing: the lake design does"
        case _ if sender in _PERMITS:
            return _PERMITS[sender]
        case Verb.ROUTED:
            return "connect to the presented address of the service; if it has none, subscribe the tenant to it"
        case Verb.PROXIED if event.before.protocol is not Protocol.TCP:
            return "use a design that forwards packets: lake or last-hop"
        case Verb.FILTERED | Verb.PROXIED:
            return "subscribe the tenant to the service, or add the port to the service, in the intent"
        case _:
            return "send from an address of the tenant's own networks to an address that is presented to it"
