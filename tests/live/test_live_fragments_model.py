"""The model against the kernel, for fragments: two hosts with one address, and datagrams with one identification.

The parts overlap, come twice, are tiny, out of order, of datagrams of two lengths, and often never all of them. What
the service's host receives is what the model says, for each design; and a model that is wrong in one thing is seen.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import live_tools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_fragments import Sender
from live_intents import DISTINCT, case
from live_world import World

from farshore.design.catalogue import build
from farshore.fabric.model import EndSystem, Fabric
from farshore.fabric.names import LinkEnd, NodeName
from farshore.port import Protocol
from farshore.realm import Address
from farshore.semantics import fragments as model
from farshore.semantics import trace as tracing
from farshore.semantics.fragments import Fragment, Waiting
from farshore.semantics.packet import Packet
from farshore.semantics.profile import profile_of
from farshore.traffic.packet import WirePacket, encode, fragment

DESIGNS = ("lake", "last-hop", "single-nat")
HOSTS = (NodeName("customer-a/alice"), NodeName("customer-b/bill"))
HERE, PORTAL, REAL_PORTAL = "10.1.1.1", "10.2.2.1", "10.3.3.1"
# Of the payload, 8 bytes of which are the datagram's own header; that of the longer one says that it is short.
LENGTHS = (72, 96)
LETTERS = "AB"
AT_ONCE, BATCHES = 80, 4
FIRST_PORT = 20000


@dataclass(frozen=True, slots=True)
class Part:
    """What one of the hosts sends: bytes of the payload of a datagram that has so many."""

    host: int
    start: int
    end: int
    length: int


# A source address as the service sees it, and a letter for each eight bytes of what it received.
Received = tuple[str, str]


@st.composite
def parts(draw: st.DrawFn) -> Part:
    length = draw(st.sampled_from((*[LENGTHS[0]] * 5, LENGTHS[1])))
    # Most are cut at one of a few places, so that they come to whole datagrams.
    places = [0, 24, 48, length] if draw(st.integers(0, 4)) else list(range(0, length + 1, 8))
    start, end = sorted(draw(st.lists(st.sampled_from(places), min_size=2, max_size=2, unique=True)))
    if (start, end) == (0, length):
        end -= 8
    return Part(draw(st.integers(0, 1)), start, end, length)


def whole_ones(draw_order: Sequence[int]) -> list[Part]:
    """Return both hosts' datagrams in three parts each, in any order."""
    everything = [Part(host, start, start + 24, 72) for host in (0, 1) for start in (0, 24, 48)]
    return [everything[n] for n in draw_order]


def _with(whole: list[Part], others: list[tuple[int, Part]]) -> list[Part]:
    found = list(whole)
    for place, other in others:
        found.insert(place, other)
    return found


# Two of which say that they are the last.
TWO_ENDS = (Part(0, 0, 24, 72), Part(0, 24, 48, 72), Part(0, 48, 72, 72), Part(0, 72, 96, 96))

cases = st.one_of(
    st.permutations(range(6)).map(whole_ones),
    st.builds(
        _with, st.permutations(range(6)).map(whole_ones), st.lists(st.tuples(st.integers(0, 6), parts()), max_size=3)
    ),
    st.permutations(TWO_ENDS),
    st.lists(parts(), min_size=1, max_size=7),
)


def fabric_of(design: str) -> Fabric:
    whole = case(DISTINCT)
    return build(whole.intent, whole.plan, design)


# --- the kernel ----------------------------------------------------------------------------------------


def sent(whole: Fabric, drawn: list[list[Part]], first: int) -> list[list[Received]]:
    """Send all cases at once, first the first part of each, then the second, and return what came of each."""
    with live_tools.udp("provider/portal", REAL_PORTAL, 5000) as portal:
        portal.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        senders = [Sender(whole, host) for host in HOSTS]
        for column in itertools.zip_longest(*drawn):
            for number, part in enumerate(column):
                if part is not None:
                    packet = _bytes_of(part, first + number)
                    senders[part.host].send(fragment(packet, first + number, part.start, part.end))
            live_tools.settle()
        found: list[list[Received]] = [[] for _ in drawn]
        while live_tools.comes(portal):
            data, (source, port) = portal.recvfrom(65535)
            found[port - first].append((source, data.decode()[::8]))
        for sender in senders:
            sender.socket.close()
    return found


def _bytes_of(part: Part, port: int) -> bytes:
    header = WirePacket(Protocol.UDP, IPv4Address(HERE), IPv4Address(PORTAL), port, 5000)
    packet = bytearray(encode(header, LETTERS[part.host].encode() * (part.length - 8)))
    # No checksum, and the shorter length: whatever is put together of it is a datagram.
    packet[24:28] = LENGTHS[0].to_bytes(2, "big") + b"\0\0"
    return bytes(packet)


# --- the model -----------------------------------------------------------------------------------------


def predicted(whole: Fabric, drawn: Sequence[Part], number: int) -> list[Received]:
    """Return what the model says that the service receives."""
    memory: tracing.Memory = {}
    waiting: Waiting = {}
    found = []
    for part in drawn:
        host = whole.nodes[HOSTS[part.host]]
        assert isinstance(host, EndSystem)
        realm = host.address.realm
        packet = Packet(
            Protocol.UDP, Address(realm, IPv4Address(HERE)), Address(realm, IPv4Address(PORTAL)), number, 5000
        )
        piece = Fragment(packet, number, part.start, part.end, part.end < part.length)
        went = tracing.trace_fragment(
            whole, profile_of(None), LinkEnd(host.name, host.interface.name), piece, memory=memory, waiting=waiting
        )
        memory, waiting = went.memory, went.waiting
        if went.whole is not None and went.arrived_at is not None:
            found.append((str(went.hops[-1].packet.source.ip), _letters(went.whole)))
    return found


def _letters(pieces: Sequence[Fragment]) -> str:
    letters = "".join(
        LETTERS[piece.packet.source.realm.name == "customer-b"] * (piece.end - piece.start) for piece in pieces
    )
    return letters[8 : LENGTHS[0] : 8]


# --- both ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wrong:
    """A model that is wrong in one thing, and in which designs that can be seen."""

    name: str
    change: Callable[[pytest.MonkeyPatch], None]
    seen_in: tuple[str, ...]


def _one_zone(patch: pytest.MonkeyPatch) -> None:
    right = model.place_of

    def place_of(*given: object) -> model.Place | None:
        place = right(*given)  # type: ignore[arg-type]
        return None if place is None else replace(place, zone=None)

    patch.setattr(tracing, "place_of", place_of)


def _inserted_as(
    change: Callable[[tuple[model.Run, ...], Fragment, object], object],
) -> Callable[[pytest.MonkeyPatch], None]:
    def apply(patch: pytest.MonkeyPatch) -> None:
        right = model._inserted
        patch.setattr(model, "_inserted", lambda runs, piece: change(runs, piece, right(runs, piece)))

    return apply


WRONG = (
    Wrong("fragments of all zones wait together", _one_zone, ("last-hop",)),
    Wrong(
        "what overlaps is passed over",
        _inserted_as(lambda runs, _piece, found: runs if found is None else found),
        DESIGNS,
    ),
    Wrong(
        "what comes twice discards all",
        _inserted_as(lambda runs, _piece, found: None if found == runs else found),
        DESIGNS,
    ),
    Wrong(
        "ends may differ",
        lambda patch: patch.setattr(model, "_contradicts", lambda _runs, _piece: False),
        DESIGNS,
    ),
)


@pytest.fixture(scope="module", params=DESIGNS)
def design(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def built(design: str) -> Iterator[World]:
    with World() as made:
        made.call(live_tools.build, fabric_of(design))
        yield made


@pytest.mark.kernel
def test_the_model_says_what_becomes_of_fragments(design: str, built: World) -> None:
    whole = fabric_of(design)
    numbers = itertools.count(FIRST_PORT, AT_ONCE)
    recorded: list[tuple[list[Part], int, list[Received]]] = []

    @settings(
        max_examples=BATCHES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],
    )
    @given(st.lists(cases, min_size=AT_ONCE, max_size=AT_ONCE))
    def batch(drawn: list[list[Part]]) -> None:
        first = next(numbers)
        found = built.call(sent, whole, drawn, first)
        for number, (parts_of_it, got) in enumerate(zip(drawn, found, strict=True), first):
            assert got == predicted(whole, parts_of_it, number), (design, parts_of_it)
            recorded.append((parts_of_it, number, got))

    batch()
    assert sum(bool(got) for _, _, got in recorded) > AT_ONCE
    assert any(not got for _, _, got in recorded)
    for wrong in WRONG:
        with pytest.MonkeyPatch.context() as patch:
            wrong.change(patch)
            caught = sum(predicted(whole, parts_of_it, number) != got for parts_of_it, number, got in recorded)
        assert (caught > 0) == (design in wrong.seen_in), (wrong.name, caught)
