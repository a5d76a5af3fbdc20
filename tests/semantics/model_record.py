"""Injecting cases into a lab, remembering what was seen, and holding the model against it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from case_space import CaseSpace
from model_cases import Case, Next, Sort, Twist

from farshore.conformance.live import legs, observed_port
from farshore.fabric.names import LinkEnd
from farshore.port import Protocol
from farshore.realm import Address, Realm
from farshore.semantics import trace as tracing
from farshore.semantics.choice import Choices, held_route
from farshore.semantics.packet import Kind, Packet
from farshore.semantics.profile import profile_of
from farshore.traffic import packet as wire
from farshore.traffic.injection import Form, InjectedPacket, Observation, Observer

_FIRST_PORT, _LAST_PORT = 20000, 59999


@dataclass(frozen=True, slots=True)
class Injection:
    """A packet that was injected, where, and everything that was seen of it."""

    end: LinkEnd
    packet: Packet
    seen: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A case as it really went."""

    case: Case
    injections: tuple[Injection, ...]


class Recorder:
    """Injects cases into one lab. No two of them ever have a port in common, so none is part of another's flow.

    Every second port is left out: a case may turn to the other of a pair on purpose, which nobody's is then.
    """

    def __init__(self, space: CaseSpace, observer: Observer) -> None:
        self.space = space
        self.observer = observer
        self._ports = itertools.cycle(range(_FIRST_PORT, _LAST_PORT, 2))
        self._block_ports = {
            name: itertools.cycle(range(first, last + 1, 2)) for name, (first, last) in space.blocks.items()
        }
        self._realms = {end: link.realm for link in space.fabric.links for end in (link.left, link.right)}

    def record(self, cases: Sequence[Case]) -> list[Recorded]:
        """Inject the first packets of all cases at once, then the second ones, and so on."""
        injections: list[list[Injection]] = [[] for _ in cases]
        for number in range(1 + max((len(case.following) for case in cases), default=0)):
            batch = [
                (position, *self._packet(case, injections[position], number))
                for position, case in enumerate(cases)
                if number <= len(case.following)
            ]
            seen = self.observer.inject([InjectedPacket(end, as_wire(packet, icmp)) for _, end, packet, icmp in batch])
            for (position, end, packet, _), sightings in zip(batch, seen, strict=True):
                injections[position].append(Injection(end, packet, sightings))
        return [Recorded(case, tuple(injected)) for case, injected in zip(cases, injections, strict=True)]

    def _packet(self, case: Case, before: list[Injection], number: int) -> tuple[LinkEnd, Packet, tuple[int, int]]:
        if number == 0:
            return (*self._first(case), (0, 0))
        following = case.following[number - 1]
        # The host's own wire is always among them, for the packet was put on it.
        departures = [sighting for sighting in before[0].seen if sighting.leaving]
        sighting = departures[max(len(departures) - 1 - following.wires_back, 0)]
        if following.sort is Sort.ELSEWHERE:
            # With the same ports, so of all the wires the first packet's own form is what matters.
            sighting, end = departures[0], following.elsewhere
        elif following.sort in (Sort.AGAIN, Sort.ERROR_AHEAD):
            end = sighting.end
        else:
            end = self.space.fabric.far_ends[sighting.end]
        return end, follow(following, sighting.form, self._realms[end]), following.icmp

    def _first(self, case: Case) -> tuple[LinkEnd, Packet]:
        first = case.first
        in_block = first.in_block and first.caller in self._block_ports
        port = next(self._block_ports[first.caller] if in_block else self._ports)
        realm = self._realms[first.end]
        target = port if first.port.protocol is Protocol.ICMP else first.port.number
        source, destination = Address(realm, first.source), Address(realm, first.destination)
        return first.end, Packet(first.port.protocol, source, destination, port, target)


# --- packets -----------------------------------------------------------------------------------------


def follow(following: Next, form: Form, realm: Realm) -> Packet:
    """Make the packet that follows one that was seen in this form."""
    asked = Packet(
        form.protocol,
        Address(realm, form.source),
        Address(realm, form.destination),
        form.source_port,
        form.destination_port,
    )
    answer = asked.answered()
    match following.sort:
        case Sort.AGAIN | Sort.ELSEWHERE:
            return _twisted(asked, following)
        case Sort.ANSWER:
            return _twisted(answer, following)
        case Sort.ERROR:
            return _error(asked, following, realm)
        case Sort.ERROR_AHEAD:
            return _error(answer, following, realm)


def _error(about: Packet, following: Next, realm: Realm) -> Packet:
    sender = Address(realm, following.sender) if following.sender is not None else about.destination
    receiver = about.source
    if following.twist is Twist.OUTER_DESTINATION:
        receiver = _other(following, receiver)
    quoted = _twisted(about, following)
    return Packet(Protocol.ICMP, sender, receiver, 0, 0, Kind.ERROR, quoted)


def _other(following: Next, right: Address) -> Address:
    return Address(right.realm, following.other if following.other is not None else right.ip + 1)


def _twisted(packet: Packet, following: Next) -> Packet:
    match following.twist:
        case Twist.SOURCE_PORT:
            return packet.with_source(packet.source, packet.source_port ^ 1)
        case Twist.DESTINATION_PORT:
            return packet.with_destination(packet.destination, packet.destination_port ^ 1)
        case Twist.SOURCE:
            return packet.with_source(_other(following, packet.source), packet.source_port)
        case Twist.DESTINATION:
            return packet.with_destination(_other(following, packet.destination), packet.destination_port)
        case Twist.KIND if packet.protocol is Protocol.ICMP:
            return replace(packet, kind=Kind.ECHO_REPLY if packet.kind is Kind.DATA else Kind.DATA)
        case _:
            return packet


def as_wire(packet: Packet, icmp: tuple[int, int]) -> wire.WirePacket:
    """Return the packet as it is injected; what is TCP and answers is a SYN and ACK that fits its SYN."""
    if packet.quoted is not None:
        kind, code = icmp
        mtu = 1400 if icmp == (wire.DESTINATION_UNREACHABLE, wire.FRAGMENTATION_NEEDED) else 0
        outer = wire.WirePacket(packet.protocol, packet.source.ip, packet.destination.ip, 0, 0)
        return replace(outer, icmp_type=kind, icmp_code=code, next_mtu=mtu, quoted=as_wire(packet.quoted, icmp))
    plain = wire.WirePacket(
        packet.protocol, packet.source.ip, packet.destination.ip, packet.source_port, packet.destination_port
    )
    if packet.kind is Kind.ECHO_REPLY:
        return replace(plain, icmp_type=wire.ECHO_REPLY)
    # Callers' ports are the high ones.
    if packet.protocol is Protocol.TCP and packet.destination_port > packet.source_port:
        return replace(plain, tcp_flags=wire.TCP_SYN | wire.TCP_ACK, acknowledgment=2)
    return plain


# --- the comparison ----------------------------------------------------------------------------------


def difference(space: CaseSpace, recorded: Recorded) -> str | None:
    """Return in what the model and the kernel differ in a case, None where they agree on every wire."""
    memory: tracing.Memory = {}
    for number, injection in enumerate(recorded.injections, 1):
        choices = Choices(held_route, observed_port(injection.seen))
        followed = tracing.trace(
            space.fabric, profile_of(None), injection.end, injection.packet, memory, choices=choices
        )
        memory = followed.memory
        predicted = [sighting for leg in legs(space.fabric, followed) for sighting in leg.observations()]
        if Counter(predicted) != Counter(injection.seen):
            return "\n".join(_told(space, recorded, number, predicted))
    return None


def _told(space: CaseSpace, recorded: Recorded, number: int, predicted: list[Observation]) -> Iterator[str]:
    injection = recorded.injections[number - 1]
    yield f"{space.name}: {recorded.case}"
    for earlier in recorded.injections[: number - 1]:
        yield f"  after {Form.predicted(earlier.packet)} at {earlier.end.node} {earlier.end.interface}"
    sent = f"{Form.predicted(injection.packet)} injected at {injection.end.node} {injection.end.interface}"
    yield f"  packet {number}: {sent}"
    for heading, own, others in (
        ("the model only", predicted, injection.seen),
        ("the kernel only", injection.seen, predicted),
    ):
        for sighting in (Counter(own) - Counter(others)).elements():
            how = "leaving" if sighting.leaving else "arriving at"
            yield f"  {heading}: {how} {sighting.end.node} by {sighting.end.interface}: {sighting.form}"
