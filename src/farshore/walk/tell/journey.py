"""A packet and its reply as numbered steps, each with its action and its state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from farshore.fabric.model import Device, EndSystem, Fabric, NodeKind, Proxy
from farshore.fabric.names import LinkEnd, NodeName
from farshore.origin import Origin
from farshore.port import Port, Protocol
from farshore.realm import Address
from farshore.semantics.choice import DEFAULT_CHOICES, Choices
from farshore.semantics.crossing import Event
from farshore.semantics.packet import Packet
from farshore.semantics.profile import Profile, profile_of
from farshore.semantics.trace import Hop, Trace, trace
from farshore.walk.tell import wording


class Phase(StrEnum):
    """Which half of the walk a step belongs to."""

    REQUEST = "request"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Step:
    """One row of a walk's table. ``reason`` and ``fix`` are set where the step is not ok.

    ``origin`` is the line of the intent that the node is there for.
    """

    number: int
    at: NodeName
    phase: Phase
    action: str
    before: Packet
    after: Packet
    ok: bool
    state: str
    reason: str | None = None
    fix: str | None = None
    note: str | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """A whole walk. ``glitches`` are the numbers of the steps that are not ok."""

    design: str
    profile: str
    origin: NodeName
    service: str
    port: Port
    steps: tuple[Step, ...]
    traces: tuple[Trace, ...]

    @property
    def glitches(self) -> tuple[int, ...]:
        """Return the numbers of the steps that cannot work."""
        return tuple(step.number for step in self.steps if not step.ok)

    @property
    def delivered(self) -> bool:
        """Tell whether the packet and its reply arrived with every step as it should be."""
        return not self.glitches and self.steps[-1].at == self.origin


DEFAULT_SOURCE_PORT = 40000


@dataclass(frozen=True, slots=True)
class Probe:
    """The probe of a walk: host, service, and the address of the service in the host's network.

    Where the service is not ``presented`` to the host, the destination is only worth trying. With ``interface``
    it is a packet that is injected there, with any ``source``, by a host or a router.
    """

    origin: NodeName
    service: str
    destination: Address
    port: Port
    source_port: int = DEFAULT_SOURCE_PORT
    presented: bool = True
    interface: str | None = None
    source: Address | None = None


def walk(fabric: Fabric, profile: Profile | None, probe: Probe, *, choices: Choices = DEFAULT_CHOICES) -> Walk:
    """Walk a packet from a host to a service, and the reply back.

    ``profile`` stands in for that of every device that filters; None takes each device's own. The probe's
    origin must be a node of the fabric: an end system, where it says no source.
    """
    node = fabric.nodes[probe.origin]
    start = LinkEnd(node.name, probe.interface or node.interfaces[0].name)
    source = probe.source
    if source is None:
        assert isinstance(node, EndSystem)  # noqa: S101 - callers look hosts up first
        source = node.address
    target = probe.source_port if probe.port.protocol is Protocol.ICMP else probe.port.number
    packet = Packet(probe.port.protocol, source, probe.destination, probe.source_port, target)
    request = trace(fabric, profile_of(profile), start, packet, {}, choices=choices)
    steps = [_sending(probe, packet)]
    steps += _request_steps(fabric, request)
    traces = [request]
    server = request.arrived_at
    if server is not None and probe.port in server.listens:
        answer = request.last_packet.answered()
        back = LinkEnd(server.name, server.interface.name)
        reply = trace(fabric, profile_of(profile), back, answer, request.memory, choices=choices)
        reply, home = _as_far_as(node.name, reply)
        traces.append(reply)
        steps += _reply_steps(fabric, reply, server, answer, source)
        steps += [_back_on_the_wire(home)] if home is not None else []
    elif server is not None:
        steps.append(_not_listening(server, request.last_packet, probe.port))
    numbered = tuple(
        replace(step, number=number, origin=fabric.nodes[step.at].origin) for number, step in enumerate(steps, 1)
    )
    name = "own" if profile is None else profile.name
    return Walk(fabric.design, name, probe.origin, probe.service, probe.port, numbered, tuple(traces))


def _as_far_as(origin: str, reply: Trace) -> tuple[Trace, Hop | None]:
    """Return a reply until it comes to the router that the packet was injected at, and its hop there."""
    for number, hop in enumerate(reply.hops):
        if hop.node == origin and hop.crossing is not None:
            return Trace(reply.hops[:number], reply.memory, None), hop
    return reply, None


def _back_on_the_wire(hop: Hop) -> Step:
    return _step(hop.node, Phase.REPLY, wording.delivered(hop.packet), hop.packet, hop.packet)


def _sending(probe: Probe, packet: Packet) -> Step:
    if probe.interface is not None:
        state = wording.put_on(probe.interface)
        return _step(probe.origin, Phase.REQUEST, wording.puts(packet, probe.port), packet, packet, state=state)
    action = wording.sends(packet, probe.service, presented=probe.presented)
    note = None if probe.presented else wording.not_presented(packet, probe.service)
    return _step(probe.origin, Phase.REQUEST, action, packet, packet, state=wording.sent(packet), note=note)


def _request_steps(fabric: Fabric, request: Trace) -> Iterator[Step]:
    for hop in request.hops:
        node = fabric.nodes[hop.node]
        if hop.crossing is None or isinstance(node, EndSystem):
            if request.arrived_at is None:
                yield _misdelivered(hop, Phase.REQUEST)
            return
        if node.kind is NodeKind.WAN and not _wrong(hop.crossing.events):
            continue  # packets cross the WAN between two steps
        if isinstance(node, Device) and node.kind is NodeKind.CE and node.policy is not None:
            # Arriving at a CE router that translates, and being translated, are two steps.
            action, state = wording.handed_to_nat(), wording.passed_to_nat()
            yield _step(node.name, Phase.REQUEST, action, hop.packet, hop.packet, state=state)
        yield _crossing_step(node, hop, Phase.REQUEST)


def _reply_steps(fabric: Fabric, reply: Trace, server: EndSystem, answer: Packet, asker: Address) -> Iterator[Step]:
    """The service's step takes in the plain routers behind it; from there on each device has its own."""
    hops = list(reply.hops)
    routers: list[Hop] = []
    while server.kind is NodeKind.SERVICE and hops and fabric.nodes[hops[0].node].kind is NodeKind.ROUTER:
        routers.append(hops.pop(0))
    events = tuple(event for hop in routers if hop.crossing is not None for event in hop.crossing.events)
    last = routers[-1].crossing if routers else None
    state = wording.routed_back(routers[-1].node, last) if last is not None else ""
    note = wording.temporary_addresses(answer, asker) if fabric.design == "single-nat" else None
    yield _step(
        server.name, Phase.REPLY, wording.answers(answer), answer, answer, state=state, events=events, note=note
    )
    for hop in hops:
        node = fabric.nodes[hop.node]
        if hop.crossing is None or isinstance(node, EndSystem):
            if reply.arrived_at is None:
                yield _misdelivered(hop, Phase.REPLY)
            else:
                action, state = wording.delivered(hop.packet), wording.carries_on()
                yield _step(node.name, Phase.REPLY, action, hop.packet, hop.packet, state=state)
            return
        if node.kind is not NodeKind.WAN or _wrong(hop.crossing.events):
            yield _crossing_step(node, hop, Phase.REPLY)


def _crossing_step(node: Device | Proxy, hop: Hop, phase: Phase) -> Step:
    assert hop.crossing is not None  # noqa: S101 - the callers have looked
    action = wording.crosses(node, hop.crossing)
    state = wording.sent_on(node, hop.crossing)
    return _step(node.name, phase, action, hop.packet, hop.crossing.packet, state=state, events=hop.crossing.events)


def _misdelivered(hop: Hop, phase: Phase) -> Step:
    reason = wording.not_its_own(hop.node, hop.packet)
    return replace(_step(hop.node, phase, "arrives at the wrong node", hop.packet, hop.packet), ok=False, reason=reason)


def _not_listening(server: EndSystem, packet: Packet, port: Port) -> Step:
    reason = wording.not_listening(server.name, port)
    return replace(_step(server.name, Phase.REPLY, "does not reply", packet, packet), ok=False, reason=reason)


def _wrong(events: tuple[Event, ...]) -> tuple[Event, ...]:
    return tuple(event for event in events if event.wrong)


def _step(
    at: NodeName,
    phase: Phase,
    action: str,
    before: Packet,
    after: Packet,
    *,
    state: str = "",
    events: tuple[Event, ...] = (),
    note: str | None = None,
) -> Step:
    wrong = _wrong(events)
    reason = wording.reason(wrong, at) if wrong else None
    fix = wording.fix(wrong) if wrong else None
    return Step(0, at, phase, action, before, after, not wrong, state, reason, fix, note)
