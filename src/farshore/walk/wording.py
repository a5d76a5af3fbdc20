"""The walk's sentences: what a step does, how it went, and for a glitch one sentence why and what mends it."""

from __future__ import annotations

from farshore.fabric.model import Device, NodeKind, Proxy
from farshore.port import Port
from farshore.walk.crossing import Crossing, Event, Verb
from farshore.walk.packet import Packet
from farshore.walk.routing import Found


def sends(packet: Packet, service: str) -> str:
    """Say what the host does."""
    return f"connects to {packet.destination.ip}, by which its network knows {service}"


def handed_to_nat() -> str:
    """Say what happens on arrival at a CE router that translates."""
    return "arrives unchanged and is passed to the NAT engine"


def crosses(node: Device | Proxy, crossing: Crossing) -> str:
    """Say what a device does to a packet."""
    translations = [event.says for event in crossing.events if event.verb in (Verb.TRANSLATED, Verb.PROXIED)]
    if translations:
        return "; ".join(translations)
    assert isinstance(node, Device)  # noqa: S101 - a proxy always has an event
    return "passes through unchanged" if node.policy is not None else "arrives unchanged and is routed"


def sent_on(node: Device | Proxy, crossing: Crossing) -> str:
    """Say where a packet goes from a device."""
    if crossing.egress is None:
        return "goes no further"
    destination = crossing.packet.destination
    if node.kind is NodeKind.ROUTER:
        return f"unique within the provider's network: routed to {crossing.egress}"
    return f"{destination.ip} ({destination.realm}) is out of {crossing.egress}"


def answers(packet: Packet) -> str:
    """Say what the service does."""
    return f"answers from its own address to the one it saw, {packet.destination.ip}"


def routed_back(router: str, crossing: Crossing) -> str:
    """Say why the reply finds its way: the route that the article adds."""
    if crossing.egress is None:
        return "goes no further"
    return f"{router} has a route: {crossing.packet.destination.ip} is out of {crossing.egress}"


def temporary_addresses(packet: Packet) -> str:
    """Say why single NAT needs the article's a.b.c.x."""
    ip = packet.destination.ip
    return f"{ip} is a temporary address, unique in the provider's network: to the real one it would answer itself"


def delivered(packet: Packet) -> str:
    """Say how the reply comes home."""
    return f"receives the reply, apparently from {packet.source.ip}"


def not_its_own(node: str, packet: Packet) -> str:
    """Say why an arrival is not a delivery."""
    return f"{packet.destination.ip} is not {node}'s address"


def not_listening(node: str, port: Port) -> str:
    """Say why a service does not answer."""
    return f"{node} does not listen on {port}"


def reason(event: Event, node: str) -> str:
    """Return one sentence why a step cannot work."""
    return f"At {node}, {event.says}."


def mend(event: Event) -> str:
    """Return what would help."""
    match event.verb:
        case Verb.ROUTED if event.found in (Found.AMBIGUOUS, Found.WRONG_SIDE):
            return "translate into addresses that neither side uses before crossing: the lake design does"
        case Verb.ROUTED:
            return "the destination is nobody's there; use the presented address"
        case Verb.FILTERED:
            return "subscribe the tenant to the service, or add the port to the service, in the intent"
        case Verb.PROXIED:
            return "connect to a presented address by TCP from a network of the tenant's, or choose another design"
        case _:
            return "send from an address of the tenant's own networks to an address that is presented to it"
