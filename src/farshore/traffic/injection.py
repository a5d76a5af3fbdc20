"""Inject packets into a world, and observe each on every link."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NoReturn

from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.fabric.names import LinkEnd
from farshore.machine.inside import Channel, Child, running
from farshore.machine.world import World
from farshore.port import Protocol
from farshore.semantics.packet import Kind, Packet
from farshore.traffic import packet as wire
from farshore.traffic.capture import Batch, Capture, CapturedPacket, RawPacket, TooBusyError

_TOKEN_LENGTH = 8
_SERIES_LENGTH = 12
_KINDS = {
    wire.ECHO_REQUEST: Kind.DATA,
    wire.ECHO_REPLY: Kind.ECHO_REPLY,
    **dict.fromkeys(wire.ICMP_ERRORS, Kind.ERROR),
}


@dataclass(frozen=True, slots=True)
class Form:
    """What a wire shows of a packet. There are no realms on a wire; ``kind`` is None for other ICMP."""

    protocol: Protocol
    source: IPv4Address
    destination: IPv4Address
    source_port: int
    destination_port: int
    kind: Kind | None
    quoted: Form | None = None

    def __str__(self) -> str:
        """Return ``udp 10.1.1.1:5000 > 10.2.2.1:53``, and what an error quotes."""
        if self.kind is Kind.ERROR:
            return f"icmp error {self.source} > {self.destination} about ({self.quoted})"
        name = self.protocol if self.kind is Kind.DATA else f"{self.protocol} {self.kind}"
        return f"{name} {self.source}:{self.source_port} > {self.destination}:{self.destination_port}"

    @classmethod
    def predicted(cls, packet: Packet) -> Form:
        """Return the form of a packet of the walk. An error has no ports; those of what it quotes count."""
        quoted = cls.predicted(packet.quoted) if packet.quoted is not None else None
        ports = (packet.source_port, packet.destination_port) if packet.kind is not Kind.ERROR else (0, 0)
        return cls(packet.protocol, packet.source.ip, packet.destination.ip, *ports, packet.kind, quoted)

    @classmethod
    def observed(cls, packet: wire.WirePacket) -> Form:
        """Return the form of a packet that was read from a wire."""
        kind = _KINDS.get(packet.icmp_type) if packet.protocol is Protocol.ICMP else Kind.DATA
        quoted = cls.observed(packet.quoted) if packet.quoted is not None else None
        ports = (packet.source_port, packet.destination_port)
        return cls(packet.protocol, packet.source, packet.destination, *ports, kind, quoted)


@dataclass(frozen=True, slots=True)
class Observation:
    """What was observed of a packet that left a node by an interface, or arrived at it."""

    end: LinkEnd
    leaving: bool
    form: Form


@dataclass(frozen=True, slots=True)
class InjectedPacket:
    """A made-up packet and the interface behind which it is put on the wire."""

    end: LinkEnd
    packet: wire.WirePacket


class Observer:
    """The senders and receivers in a world, for as long as they are wanted."""

    def __init__(self, process: Child[list[CapturedPacket] | TooBusyError | None, Batch, NoReturn]) -> None:
        """Take over a process that runs :func:`capturing` and has said that it is ready."""
        self._process = process
        # No packet of another carries it, nor one of an earlier observer.
        self._series = secrets.token_hex(_SERIES_LENGTH // 2).encode()

    def inject(self, injections: Sequence[InjectedPacket]) -> list[tuple[Observation, ...]]:
        """Inject packets at once and return what was observed of each: its own copies, on every wire.

        Errors that devices send about a packet are packets of their own and are left out.
        """
        packets = tuple(
            RawPacket(injection.end, wire.encode(injection.packet, self._token(number)))
            for number, injection in enumerate(injections)
        )
        observed: list[list[Observation]] = [[] for _ in injections]
        for captured in self.capture(Batch(packets, (self._series,))):
            _, _, rest = captured.content.partition(self._series)
            number = int(rest[:_TOKEN_LENGTH])
            packet = wire.decode(captured.content)
            if packet is None:
                continue
            form = Form.observed(packet)
            if form.kind is Kind.ERROR and injections[number].packet.quoted is None:
                continue
            observed[number].append(Observation(captured.end, captured.leaving, form))
        return [tuple(observations) for observations in observed]

    def capture(self, batch: Batch) -> list[CapturedPacket]:
        """Send a batch and return everything that was captured of it. Raises MachineError where that is not all."""
        self._process.send(batch)
        captured = self._process.receive()
        if isinstance(captured, list):
            return captured
        raise MachineError(f"the lab's links are too busy for a complete capture: {captured}")

    def _token(self, number: int) -> bytes:
        return self._series + str(number).zfill(_TOKEN_LENGTH).encode()


@contextlib.contextmanager
def observing(world: World, fabric: Fabric, *, mute: bool = False) -> Iterator[Observer]:
    """Capture on all wires of a world that holds a fabric, in the body.

    With ``mute`` its end systems never again answer by themselves. Raises MachineError where the world is gone.
    """
    with running(world, capturing, fabric, mute=mute) as process:
        process.receive()
        yield Observer(process)


def capturing(
    caller: Channel[list[CapturedPacket] | TooBusyError | None, Batch], fabric: Fabric, *, mute: bool
) -> NoReturn:
    """Send None when all receivers are open, then for each batch what was captured of it."""
    with Capture(fabric, mute=mute) as capture:
        caller.send(None)
        while True:
            try:
                caller.send(capture.run(caller.receive()))
            except TooBusyError as error:
                caller.send(error)
