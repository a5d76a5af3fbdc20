"""One packet as the walk sees it and as the proof does, in one form that can be compared.

The walk takes a packet by one of two rival routes and gives it one port of its block; the proof follows both
routes and gives the whole block. So the walk is asked again and again, until it has made every choice there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TypeVar

from hypothesis import strategies as st

from farshore.fabric.model import Device, Proxy, Route
from farshore.port import Port, Protocol
from farshore.proof.sets.intervals import EVERY_PORT, Interval, of_port, port_at
from farshore.proof.sets.senders import SHARED_BY_ALL, Senders
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.crossing import Stream
from farshore.realm import Address, Realm
from farshore.semantics.choice import Choices, PortChoice, kept_port
from farshore.semantics.packet import Packet
from farshore.semantics.routing import Found, LookUp
from farshore.translation import PortBlock

Result = TypeVar("Result")
TWO_SIDED = (Found.AMBIGUOUS, Found.WRONG_SIDE)
# What a proxy's own connections may have.
ANY_PORT: Interval = (1, 65535)
LAST_ADDRESS = (1 << 32) - 1
near_ports = st.integers(1, 65535)


@dataclass(frozen=True, slots=True)
class Now:
    """What a packet has become. ``ports`` are what its source port may be, None for the one that it was sent with."""

    source: tuple[Realm, int]
    ports: Interval | None
    destination: tuple[Realm, int]


def port_index(packet: Packet) -> int:
    """Return the place of what a packet asks for; an echo has an identifier instead."""
    return of_port(Port(packet.protocol, 0 if packet.protocol is Protocol.ICMP else packet.destination_port))


def first_port(_box: Device | Proxy, block: PortBlock, _packet: Packet) -> int:
    """Take the first port of a block."""
    return block.first_port


def last_port(_box: Device | Proxy, block: PortBlock, _packet: Packet) -> int:
    """Take the last port of a block."""
    return block.last_port


def every_choice(run: Callable[[Choices], Result], port: PortChoice = kept_port) -> Iterator[Result]:
    """Yield what comes of every way to choose between rival routes, one look-up after the other."""
    pending: list[tuple[int, ...]] = [()]
    while pending:
        script = pending.pop()
        taken: list[int] = []

        def route(found: LookUp, script: tuple[int, ...] = script, taken: list[int] = taken) -> Route | None:
            if found.found not in TWO_SIDED:
                return found.route
            chosen = script[len(taken)] if len(taken) < len(script) else 0
            taken.append(chosen)
            return (found.route, found.held)[chosen]

        yield run(Choices(route, port))
        pending.extend((*taken[:number], 1) for number in range(len(script), len(taken)))


def now_of(sent: Packet, first: Packet, last: Packet) -> Now:
    """Return what a packet has become, given the first and the last port of each block."""
    assert (first.source, first.destination) == (last.source, last.destination)
    assert port_index(first) == port_index(sent)
    kept = first.source_port == last.source_port == sent.source_port
    ports = None if kept else (first.source_port, last.source_port)
    source = (first.source.realm, int(first.source.ip))
    return Now(source, ports, (first.destination.realm, int(first.destination.ip)))


def nows(stream: Stream, sent: Packet) -> Iterator[Now]:
    """Yield what a packet has become by what the proof says of a whole set; nothing where it is not of the set."""
    sources = [_source(each, int(sent.source.ip)) for each in stream.senders]
    targets = [_destination(each, int(sent.destination.ip), port_index(sent)) for each in stream.targets]
    for source in sources:
        for destination in targets:
            if source is not None and destination is not None:
                yield Now(*source, destination)


def has(stream: Stream, sent: Packet) -> bool:
    """Tell whether a packet is of a set, by what it was when it was sent."""
    return any(True for _ in nows(stream, sent))


def _source(each: Senders, ip: int) -> tuple[tuple[Realm, int], Interval | None] | None:
    one = each.which_were(ip, ip)
    if one is None:
        return None
    ((first, last, ports),) = one.ports()
    assert first == last
    kept = ANY_PORT if one.stride == SHARED_BY_ALL else None
    return (one.realm, first), (kept if one.block is None else ports)


def _destination(each: Targets, ip: int, asked: int) -> tuple[Realm, int] | None:
    if not (each.first <= ip <= each.last and each.low <= asked <= each.high):
        return None
    return each.realm, each.at + ip - each.first


def paired(firsts: Iterable[Result], lasts: Iterable[Result]) -> Iterator[tuple[Result, Result]]:
    """Yield what came of the same choices of routes with the first and with the last port of each block."""
    yield from zip(firsts, lasts, strict=True)


def edge_packets(streams: Iterable[Stream], realm: Realm) -> st.SearchStrategy[Packet]:
    """Return packets at the edges of sets, just within or just beyond them, as they are sent on a wire of a realm."""
    listed = [stream for stream in streams if stream.senders and stream.targets]
    if not listed:
        return st.nothing()
    return st.sampled_from(listed).flatmap(lambda stream: _edge_of(stream, realm))


def _edge_of(stream: Stream, realm: Realm) -> st.SearchStrategy[Packet]:
    beside = st.sampled_from([0, 0, 0, 1])
    sources = st.sampled_from(stream.senders).flatmap(lambda s: _ends(s.first, s.last, LAST_ADDRESS, beside))
    targets = st.sampled_from(stream.targets).flatmap(
        lambda t: st.tuples(_ends(t.first, t.last, LAST_ADDRESS, beside), _ends(t.low, t.high, EVERY_PORT[1], beside))
    )
    return st.builds(lambda source, target, near: packet_of(realm, source, *target, near), sources, targets, near_ports)


def _ends(first: int, last: int, most: int, beside: st.SearchStrategy[int]) -> st.SearchStrategy[int]:
    low = beside.map(lambda by: max(first - by, 0))
    high = beside.map(lambda by: min(last + by, most))
    return low | high | st.integers(first, last)


def packet_of(realm: Realm, source: int, destination: int, asked: int, near: int) -> Packet:
    """Return a packet on a wire of a realm that asks for a place."""
    port = port_at(asked)
    far = near if port.protocol is Protocol.ICMP else port.number
    ends = Address(realm, IPv4Address(source)), Address(realm, IPv4Address(destination))
    return Packet(port.protocol, *ends, near, far)
