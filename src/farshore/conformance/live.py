"""A walk compared with a running network: the packet is sent, the service replies, every link is captured."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from farshore.fabric.model import Device, Fabric, Proxy
from farshore.fabric.names import LinkEnd, NodeName
from farshore.port import Protocol
from farshore.semantics.choice import Choices, PortChoice, kept_port, right_route
from farshore.semantics.packet import Packet
from farshore.semantics.profile import Profile
from farshore.semantics.trace import Trace
from farshore.traffic import packet as wire
from farshore.traffic.capture import Batch, CapturedPacket, Connection, RawPacket
from farshore.traffic.injection import Form, Observation, Observer
from farshore.translation import PortBlock
from farshore.walk.tell.journey import Phase, Probe, Step, Walk, walk

_MARK_BYTES = 8
_SEQUENCES = 1 << 32


@dataclass(frozen=True, slots=True)
class LiveStep:
    """A step of the walk and what the wires showed of it, None each where there is to be, or was, nothing."""

    number: int
    at: NodeName
    predicted: Form | None
    observed: Form | None
    agrees: bool


@dataclass(frozen=True, slots=True)
class Live:
    """What came of a walk in a lab. ``strays`` are where the packet was seen and should not have been."""

    walk: Walk
    steps: tuple[LiveStep, ...]
    strays: tuple[Observation, ...]

    @property
    def agrees(self) -> bool:
        """Tell whether the lab did what the walk says, and nothing else."""
        return not self.strays and all(step.agrees for step in self.steps)

    @property
    def differs_at(self) -> int | None:
        """Return the number of the first step that did not happen as the walk says, None where all did."""
        return next((step.number for step in self.steps if not step.agrees), None)


def live(observer: Observer, fabric: Fabric, profile: Profile | None, probes: Sequence[Probe]) -> tuple[Live, ...]:
    """Send the packets of some probes at once, let the services answer, and hold what was seen against the walks.

    Where a walk leaves a choice of ports, the one that was taken is right if it is one of them.
    """
    probes = [_distinct(probe) for probe in probes]
    requests = [_Request.of(walk(fabric, profile, probe), fabric) for probe in probes]
    packets = tuple(request.sent() for request in requests)
    marks = tuple(mark for request in requests for mark in request.marks())
    captured = observer.capture(Batch(packets, marks))
    held = []
    for probe, request in zip(probes, requests, strict=True):
        seen = _Observed(tuple(request.own(captured, Phase.REQUEST)), tuple(request.own(captured, Phase.REPLY)))
        held.append(_held(fabric, walk(fabric, profile, probe, choices=seen.choices()), seen))
    return tuple(held)


def _distinct(probe: Probe) -> Probe:
    """Return the probe with a source port that is not its destination port: so a reply differs from a request."""
    return probe if probe.source_port != probe.port.number else replace(probe, source_port=probe.source_port + 1)


# --- what is sent, and what of all that was seen belongs to it ---------------------------------------


@dataclass(frozen=True, slots=True)
class _Request:
    """The packet that a host sends. A TCP segment is known by its sequence number, any other by its payload."""

    end: LinkEnd
    packet: wire.WirePacket
    payload: bytes
    proxied: bool = False

    @classmethod
    def of(cls, walked: Walk, fabric: Fabric) -> _Request:
        first = walked.steps[0].before
        node = fabric.nodes[walked.origin]
        sequence = secrets.randbelow(_SEQUENCES - 1)
        ports = (first.source_port, first.destination_port)
        packet = wire.WirePacket(first.protocol, first.source.ip, first.destination.ip, *ports, sequence=sequence)
        if walked.delivered and any(isinstance(fabric.nodes[hop.node], Proxy) for hop in walked.traces[0].hops):
            # A proxy opens its own connection only for one that stands: request and answer carry the mark.
            mark = secrets.token_hex(_MARK_BYTES).encode()
            return cls(LinkEnd(node.name, node.interfaces[0].name), packet, mark, proxied=True)
        payload = b"" if first.protocol is Protocol.TCP else secrets.token_bytes(_MARK_BYTES)
        return cls(LinkEnd(node.name, node.interfaces[0].name), packet, payload)

    def sent(self) -> RawPacket | Connection:
        """Return what is to be put on the wire."""
        if not self.proxied:
            return RawPacket(self.end, wire.encode(self.packet, self.payload))
        source = (str(self.packet.source), self.packet.source_port)
        destination = (str(self.packet.destination), self.packet.destination_port)
        request = b"GET /" + self.payload + b" HTTP/1.0\r\n\r\n"
        return Connection(self.end.node, source, destination, request)

    def marks(self) -> tuple[bytes, ...]:
        """Return what the request's bytes contain, and the reply's."""
        if self.payload:
            return (self.payload,)
        return self.packet.sequence.to_bytes(4, "big"), (self.packet.sequence + 1).to_bytes(4, "big")

    def own(self, captured: Sequence[CapturedPacket], phase: Phase) -> Iterator[Observation]:
        """Yield where the request was seen, or its reply."""
        for each in captured:
            if not self.payload or self.payload in each.content:
                packet = wire.decode(each.content)
                if packet is not None and self._is(packet, phase):
                    yield Observation(each.end, each.leaving, Form.observed(packet))

    def _is(self, packet: wire.WirePacket, phase: Phase) -> bool:
        if packet.protocol is not self.packet.protocol:
            return False
        asking = phase is Phase.REQUEST
        if self.proxied:
            return (packet.destination_port if asking else packet.source_port) == self.packet.destination_port
        match packet.protocol:
            case Protocol.TCP if asking:
                return packet.tcp_flags == wire.TCP_SYN and packet.sequence == self.packet.sequence
            case Protocol.TCP:
                answers = packet.tcp_flags & (wire.TCP_SYN | wire.TCP_ACK) == wire.TCP_SYN | wire.TCP_ACK
                return answers and packet.acknowledgment == self.packet.sequence + 1
            case Protocol.UDP:
                port = packet.destination_port if asking else packet.source_port
                return port == self.packet.destination_port
            case Protocol.ICMP:
                return packet.icmp_type == (wire.ECHO_REQUEST if asking else wire.ECHO_REPLY)


@dataclass(frozen=True, slots=True)
class _Observed:
    """Where the request was seen, and where the reply."""

    request: tuple[Observation, ...]
    reply: tuple[Observation, ...]

    def of(self, phase: Phase) -> tuple[Observation, ...]:
        return self.request if phase is Phase.REQUEST else self.reply

    def choices(self) -> Choices:
        """Return the choices that were really made, as far as they are good ones."""
        return Choices(right_route, observed_port(self.request))


def observed_port(observations: Sequence[Observation]) -> PortChoice:
    """Return what chooses of a block the port that was seen leaving the device, if that is one of the block."""

    def port(device: Device | Proxy, block: PortBlock, packet: Packet) -> int:
        for observation in observations:
            here = observation.leaving and observation.end.node == device.name
            if here and block.first_port <= observation.form.source_port <= block.last_port:
                return observation.form.source_port
        return kept_port(device, block, packet)

    return port


# --- the comparison ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Leg:
    """A packet on the wire between two nodes, as the walk predicts it."""

    near: LinkEnd
    far: LinkEnd
    form: Form

    def observations(self) -> tuple[Observation, Observation]:
        return Observation(self.near, True, self.form), Observation(self.far, False, self.form)


def legs(fabric: Fabric, followed: Trace) -> tuple[_Leg, ...]:
    """Return the wires that a packet crosses, in order, and how it looks there."""
    ends = [LinkEnd(hop.node, hop.ingress) for hop in followed.hops]
    return tuple(
        _Leg(fabric.far_ends[far], far, Form.predicted(hop.packet))
        for far, hop in zip(ends, followed.hops, strict=True)
    )


def _held(fabric: Fabric, walked: Walk, seen: _Observed) -> Live:
    steps: list[LiveStep] = []
    strays: list[Observation] = []
    traces = dict(zip(Phase, walked.traces, strict=False))
    for phase in Phase:
        predicted = [step for step in walked.steps if step.phase is phase]
        crossed = legs(fabric, traces[phase]) if phase in traces else ()
        observations = seen.of(phase)
        for step, own in zip(predicted, _owned(predicted, crossed), strict=True):
            steps.append(_held_step(step, own, observations))
        expected = {observation for leg in crossed for observation in leg.observations()}
        strays += [observation for observation in observations if observation not in expected]
    return Live(walked, tuple(steps), tuple(strays))


def _owned(steps: Sequence[Step], crossed: Sequence[_Leg]) -> list[list[_Leg]]:
    """Return, for each step, the wires that its packet crosses until the next step.

    Where two steps stand at one node, as at a CE router that translates, it leaves with the second. Nodes
    without a step of their own count for the one before.
    """
    entries = {step.at: position for position, step in enumerate(steps)}
    owned: list[list[_Leg]] = [[] for _ in steps]
    position = 0
    for leg in crossed:
        position = entries.get(leg.near.node, position)
        if owned:
            owned[position].append(leg)
    return owned


def _held_step(step: Step, own: Sequence[_Leg], observations: Sequence[Observation]) -> LiveStep:
    if own:
        expected = [observation for leg in own for observation in leg.observations()]
        leaving = [s for s in observations if s.leaving and s.end.node == step.at]
        happened = all(observations.count(observation) == 1 for observation in expected)
        shown = expected[0] if expected[0] in leaving else next(iter(leaving), None)
        return LiveStep(step.number, step.at, own[0].form, shown.form if shown else None, happened)
    refused = not step.ok
    here = [s for s in observations if s.end.node == step.at and s.leaving is refused]
    if refused:
        return LiveStep(step.number, step.at, None, here[0].form if here else None, not here)
    predicted = Form.predicted(step.before)
    observed = here[0].form if here else None
    return LiveStep(step.number, step.at, predicted, observed, observed == predicted)
