"""Throw packets into a lab that is up and see what becomes of each on every wire."""

from __future__ import annotations

import contextlib
import pickle
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from farshore.errors import MachineError
from farshore.fabric.model import Fabric, LinkEnd
from farshore.lab.registry import Record
from farshore.port import Protocol
from farshore.semantics.packet import Kind, Packet
from farshore.traffic import packet as wire
from farshore.traffic.capture import LENGTH, Cast, Sight, Task, Volley, framed

SILENCE = 0.3  # seconds without any arrival after which nothing more is expected
PATIENCE = 10.0  # seconds in which all must have arrived, though others keep the wires busy
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
    def seen(cls, packet: wire.Packet) -> Form:
        """Return the form of a packet that was read from a wire."""
        kind = _KINDS.get(packet.icmp_type) if packet.protocol is Protocol.ICMP else Kind.DATA
        quoted = cls.seen(packet.quoted) if packet.quoted is not None else None
        ports = (packet.source_port, packet.destination_port)
        return cls(packet.protocol, packet.source, packet.destination, *ports, kind, quoted)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A packet leaving a node by an interface, or arriving at it."""

    end: LinkEnd
    leaving: bool
    form: Form


@dataclass(frozen=True, slots=True)
class Injected:
    """A made-up packet and the interface behind which it is put on the wire."""

    end: LinkEnd
    packet: wire.Packet


class Observer:
    """The process in a lab that injections and sees, for as long as it is wanted."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Take over a process that has been given its task."""
        self._process = process
        # Nobody else's packets carry it, nor those of an earlier observer.
        self._series = secrets.token_hex(_SERIES_LENGTH // 2).encode()

    def injection(self, injections: Sequence[Injected], silence: float = SILENCE) -> list[tuple[Sighting, ...]]:
        """Throw packets at once and return what was seen of each: its own copies, on every wire.

        Errors that devices send about a packet are packets of their own and are left out.
        """
        casts = tuple(
            Cast(injection.end, wire.encode(injection.packet, self._token(number)))
            for number, injection in enumerate(injections)
        )
        mine: list[list[Sighting]] = [[] for _ in injections]
        for sight in self.sights(Volley(casts, (self._series,), silence, PATIENCE)):
            _, _, rest = sight.content.partition(self._series)
            number = int(rest[:_TOKEN_LENGTH])
            packet = wire.decode(sight.content)
            if packet is None:
                continue
            form = Form.seen(packet)
            if form.kind is Kind.ERROR and injections[number].packet.quoted is None:
                continue
            mine[number].append(Sighting(sight.end, sight.leaving, form))
        return [tuple(sightings) for sightings in mine]

    def sights(self, volley: Volley) -> list[Sight]:
        """Send a volley and return everything that was seen of it. Raises MachineError where that cannot be."""
        self.tell(volley)
        seen = self.hear()
        if isinstance(seen, Exception):
            raise MachineError(f"the lab's wires are too busy to be watched: {seen}") from seen
        assert isinstance(seen, list)  # noqa: S101 - what the process answers to a volley
        return seen

    def tell(self, value: object) -> None:
        """Hand a value to the process."""
        assert self._process.stdin is not None  # noqa: S101 - started with pipes
        with contextlib.suppress(BrokenPipeError):  # it has ended, which hear will find out
            self._process.stdin.write(framed(value))
            self._process.stdin.flush()

    def hear(self) -> Any:
        """Return the process's next value. Raises MachineError where it has ended instead."""
        assert self._process.stdout is not None  # noqa: S101 - started with pipes
        length = self._process.stdout.read(LENGTH)
        content = self._process.stdout.read(int.from_bytes(length, "big"))
        if not content:
            raise MachineError("nothing could be observed in the lab: see the message above")
        # The bytes come from a process that we started ourselves, over its own pipe.
        return pickle.loads(content)  # noqa: S301

    def _token(self, number: int) -> bytes:
        return self._series + str(number).zfill(_TOKEN_LENGTH).encode()


@contextlib.contextmanager
def observing(record: Record, fabric: Fabric, *, mute: bool = False) -> Iterator[Observer]:
    """Watch all wires of a lab that is up, in the body.

    With ``mute`` its end systems never again answer by themselves. Raises MachineError where the lab cannot
    be entered.
    """
    command = [sys.executable, "-m", "farshore.traffic.capture"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        observer = Observer(process)
        observer.tell(Task(record, fabric, mute))
        observer.hear()
        yield observer
