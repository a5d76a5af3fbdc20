"""The walk's sentences: what a step does, how it went, and for a glitch one sentence why and what fixes it."""

from __future__ import annotations

from collections.abc import Sequence

from farshore.fabric.model import Device, NodeKind, Proxy
from farshore.fabric.names import NodeName
from farshore.port import Port, Protocol
from farshore.realm import Address
from farshore.semantics.crossing import Crossing, Event, Verb
from farshore.semantics.packet import Packet
from farshore.semantics.routing import TWO_SIDED

NO_FURTHER = "goes no further"

# --- the request -------------------------------------------------------------------------------------


def sends(packet: Packet, service: str, *, presented: bool = True) -> str:
    """Say what the host does."""
    verb = "pings" if packet.protocol is Protocol.ICMP else "connects to"
    known_by = f"by which its network knows {service}" if presented else f"the lake address of {service}"
    return f"{verb} {packet.destination.ip}, {known_by}"


def puts(packet: Packet, port: Port) -> str:
    """Say what somebody does who makes a packet up."""
    return f"makes up a packet from {packet.source.ip} for {packet.destination.ip}, {port}"


def put_on(interface: str) -> str:
    """Say how a packet that was made up leaves."""
    return f"put on the wire of its interface {interface}"


def sent(packet: Packet) -> str:
    """Say how the packet leaves its host."""
    if packet.source.realm != packet.destination.realm:
        return f"sent from its own address to one of the {packet.destination.realm}"
    return f"sent with its original addresses, which mean something to {packet.source.realm} alone"


def not_presented(packet: Packet, service: str) -> str:
    """Say why the walk tries an address that its network does not know."""
    return (
        f"{service} is not presented to {packet.source.realm}, so there is no address to call it by; "
        "the walk tries its lake address, to find out what refuses it."
    )


def handed_to_nat() -> str:
    """Say what happens on arrival at a CE router that translates."""
    return "arrives with its original addresses"


def passed_to_nat() -> str:
    """Say how that goes on."""
    return "passed to the router's NAT engine"


def crosses(node: Device | Proxy, crossing: Crossing) -> str:
    """Say what a device does to a packet."""
    changes = [event.says for event in crossing.events if event.before != event.after]
    if changes:
        return "; ".join(changes)
    packet = crossing.packet
    if crossing.egress is None:
        return "arrives and is looked at"
    if node.kind is NodeKind.ROUTER:
        return "source and destination are unique within the provider's network"
    if packet.source.realm == packet.destination.realm:
        return f"arrives with addresses of {packet.source.realm} alone"
    return "passes through unchanged"


def sent_on(node: Device | Proxy, crossing: Crossing) -> str:
    """Say where a packet goes from a device, and how the device knows."""
    if crossing.egress is None:
        return NO_FURTHER
    if not isinstance(node, Device):
        return f"routed to {crossing.egress} by its instance for {crossing.packet.destination.realm} alone"
    look_up = next((event for event in reversed(crossing.events) if event.verb is Verb.ROUTED), None)
    if look_up is None:
        return f"no route look-up: leaves by {crossing.egress}, where the flow came in"
    return _routed(node, look_up, crossing.packet.destination, crossing.egress)


def _routed(node: Device, look_up: Event, destination: Address, egress: str) -> str:
    if look_up.found in TWO_SIDED:
        return f"cannot be routed for sure; the walk goes on by {egress}, as if it could"
    if look_up.before.destination != destination:
        return f"leaves by {egress}, to which {look_up.before.destination.ip} was routed before it was translated"
    if node.policy is None:
        return f"routed to {egress}"
    return f"{destination} is on one side only: routed to {egress}"


# --- the reply ---------------------------------------------------------------------------------------


def answers(packet: Packet) -> str:
    """Say what the service does."""
    return f"answers from its own address to the one it saw, {packet.destination.ip}"


def routed_back(router: str, crossing: Crossing) -> str:
    """Say why the reply finds its way: the route that the article adds."""
    if crossing.egress is None:
        return NO_FURTHER
    return f"{router} has a route to {crossing.packet.destination.ip}: out of {crossing.egress}"


def temporary_addresses(answer: Packet, host: Address) -> str:
    """Say why single NAT needs the article's a.b.c.x."""
    if host.ip == answer.source.ip:
        why = f"{host.ip} is its own address too, and it would answer itself"
    else:
        why = f"{host.ip} may be anybody's: another tenant's or the provider's own"
    return (
        f"Temporary addresses are needed (the article's a.b.c.x): {answer.destination.ip} stands for {host} and is "
        f"unique in the provider's network. Without it the service would answer {host.ip}, but {why}."
    )


def delivered(packet: Packet) -> str:
    """Say how the reply comes home."""
    return f"receives the reply, apparently from {packet.source.ip}"


def carries_on() -> str:
    """Say what follows the last step."""
    return "the rest of the connection follows the same steps"


# --- what goes wrong ---------------------------------------------------------------------------------


def not_its_own(node: NodeName, packet: Packet) -> str:
    """Say why an arrival is not a delivery."""
    return f"At {node}, {packet.destination.ip} is not its own address."


def not_listening(node: NodeName, port: Port) -> str:
    """Say why a service does not answer."""
    return f"At {node}, nothing listens on {port}."


def reason(wrong: Sequence[Event], node: NodeName) -> str:
    """Return one sentence why a step cannot work. It may be wrong twice: routed by guess and then refused."""
    return f"At {node}, {'; besides, '.join(event.says for event in wrong)}."


def fix(wrong: Sequence[Event]) -> str:
    """Return what would help."""
    return "; ".join(dict.fromkeys(_fix(event) for event in wrong))


def _fix(event: Event) -> str:
    match event.verb:
        case Verb.ROUTED if event.found in TWO_SIDED:
            return "translate into addresses that neither side uses before crossing: the lake design does"
        case Verb.ROUTED:
            return "call the address that the service is presented by; where there is none, subscribe the tenant to it"
        case Verb.PROXIED if event.before.protocol is not Protocol.TCP:
            return "use a design that carries packets and not connections: lake or last-hop"
        case Verb.FILTERED | Verb.PROXIED:
            return "subscribe the tenant to the service, or add the port to the service, in the intent"
        case _:
            return "send from an address of the tenant's own networks to an address that is presented to it"
