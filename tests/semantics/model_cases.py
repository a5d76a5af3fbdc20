"""Drawn cases: an intention to send, then what is made of what the wires showed of it. Values only.

A case opens with one packet: one that is allowed, or one that differs from such a one, or anything from anywhere.
Then follow up to two more, each made from a wire that the opening crossed, and injected there in either direction:
its answer, itself again, an ICMP error about it or about its answer; each right or wrong in one thing. Or it is
the same once more on any other wire, as from another tenant with the same addresses.

Left out: fragments, which tests/live/test_live_fragments_model.py has; and, for the model does not speak of them, TCP
flags but for a first SYN and its SYN and ACK, ICMP errors about ICMP errors, and addresses that Linux refuses
everywhere (see ``case_space.NEVER``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from case_space import NEVER, STRANGERS, Caller, CaseSpace
from hypothesis import strategies as st

from farshore.fabric.names import LinkEnd
from farshore.port import Port, Protocol

UNOFFERED = (Port(Protocol.TCP, 9), Port(Protocol.UDP, 9), Port(Protocol.ICMP))


class Opening(StrEnum):
    """What the first packet is."""

    ALLOWED = "allowed"
    WRONG_PORT = "wrong port"
    UNPRESENTED = "unpresented"
    STRAIGHT = "straight to the lake or the real address"
    FORGED = "forged source"
    ANYTHING = "anything from anywhere"


@dataclass(frozen=True, slots=True)
class First:
    """The first packet, all but its source port: ``in_block`` asks for one of the host's own block."""

    opening: Opening
    end: LinkEnd
    caller: str
    source: IPv4Address
    destination: IPv4Address
    port: Port
    in_block: bool = False


class Sort(StrEnum):
    """What a following packet is, seen from the packet that was on the wire."""

    ANSWER = "answer"
    AGAIN = "again"
    ELSEWHERE = "the same from elsewhere"
    ERROR = "error about it"
    ERROR_AHEAD = "error about its answer"


class Twist(StrEnum):
    """The one thing that is wrong with it, if any is. Of an error, ports and addresses of what it quotes."""

    NONE = "as it should be"
    SOURCE_PORT = "other source port"
    DESTINATION_PORT = "other destination port"
    SOURCE = "other source"
    DESTINATION = "other destination"
    KIND = "request for reply"
    OUTER_DESTINATION = "sent to another"


@dataclass(frozen=True, slots=True)
class Next:
    """A following packet: made from, and injected at, the wire that is so many wires from the last one crossed.

    ``sender`` is an error's own source, None for that of the packet's receiver; ``other`` is what a twist puts
    in an address's place, None for that address's neighbour. ``icmp`` is an error's type and code, ``elsewhere`` the
    wire of what is sent from elsewhere.
    """

    sort: Sort
    wires_back: int
    twist: Twist
    sender: IPv4Address | None
    other: IPv4Address | None
    icmp: tuple[int, int]
    elsewhere: LinkEnd


@dataclass(frozen=True, slots=True)
class Case:
    """A first packet and what follows."""

    first: First
    following: tuple[Next, ...]

    def __str__(self) -> str:
        """Return what it is about, on one line."""
        return "; ".join([str(self.first.opening), *(f"then {n.sort}, {n.twist}" for n in self.following)])


def cases(space: CaseSpace) -> st.SearchStrategy[Case]:
    """Return the cases of a space, the allowed ones first."""
    openings = [_allowed(space), _wrong_port(space), _unpresented(space), _straight(space), _forged(space)]
    # Most follow-ups are about packets that arrive, so these are drawn more often.
    first = st.one_of(_allowed(space), _allowed(space), _allowed(space), *openings, _anything(space))
    return first.flatmap(
        lambda opening: st.builds(
            Case, st.just(opening), st.lists(_next(space, opening.port.protocol), max_size=2).map(tuple)
        )
    )


def _callers(space: CaseSpace) -> st.SearchStrategy[Caller]:
    return st.sampled_from([caller for caller in space.callers if caller.known])


@st.composite
def _sources(draw: st.DrawFn, caller: Caller) -> tuple[IPv4Address, LinkEnd]:
    """Draw the host's own address, or another of its networks, and a wire on its own side of all translation."""
    own = [w for w in caller.wires if w.node != caller.node.name and w.node.endswith(("/ce", "/wan"))]
    toward_provider = [w for w in own if not w.interface.startswith("to-")]
    start = draw(st.sampled_from([caller.wires[0], caller.wires[0], *toward_provider]))
    if draw(st.booleans()):
        network = draw(st.sampled_from(caller.networks))
        return network[draw(st.integers(0, network.num_addresses - 1))], start
    return caller.node.address.ip, start


@st.composite
def _allowed(draw: st.DrawFn, space: CaseSpace) -> First:
    caller = draw(_callers(space))
    service = draw(st.sampled_from(caller.known))
    port = draw(st.sampled_from(service.ports))
    source, start = draw(_sources(caller))
    assert service.presented is not None
    return First(Opening.ALLOWED, start, caller.node.name, source, service.presented, port, draw(st.booleans()))


@st.composite
def _wrong_port(draw: st.DrawFn, space: CaseSpace) -> First:
    good = draw(_allowed(space))
    swapped = Port(Protocol.UDP if good.port.protocol is Protocol.TCP else Protocol.TCP, good.port.number or 443)
    port = draw(st.sampled_from([*UNOFFERED, swapped]))
    return First(Opening.WRONG_PORT, good.end, good.caller, good.source, good.destination, port)


@st.composite
def _unpresented(draw: st.DrawFn, space: CaseSpace) -> First:
    good = draw(_allowed(space))
    destination = good.destination + draw(st.integers(1, 20))
    return First(Opening.UNPRESENTED, good.end, good.caller, good.source, destination, good.port)


@st.composite
def _straight(draw: st.DrawFn, space: CaseSpace) -> First:
    caller = draw(_callers(space))
    service = draw(st.sampled_from(caller.services))
    destination = draw(st.sampled_from([service.lake, service.real]))
    source, _ = draw(_sources(caller))
    start = draw(st.sampled_from(caller.wires))
    port = draw(st.sampled_from(service.ports))
    return First(Opening.STRAIGHT, start, caller.node.name, source, destination, port)


@st.composite
def _forged(draw: st.DrawFn, space: CaseSpace) -> First:
    good = draw(_allowed(space))
    caller = next(c for c in space.callers if c.node.name == good.caller)
    start = draw(st.sampled_from([good.end, *caller.wires]))
    return First(Opening.FORGED, start, good.caller, draw(_addresses(space)), good.destination, good.port)


@st.composite
def _anything(draw: st.DrawFn, space: CaseSpace) -> First:
    services = space.callers[0].services
    ports = [*UNOFFERED, *(port for service in services for port in service.ports)]
    return First(
        Opening.ANYTHING,
        draw(st.sampled_from(space.ends)),
        space.callers[0].node.name,
        draw(_addresses(space)),
        draw(_addresses(space)),
        draw(st.sampled_from(ports)),
    )


def _addresses(space: CaseSpace) -> st.SearchStrategy[IPv4Address]:
    """Return addresses that mean something to somebody, and now and then any other."""
    anywhere = st.integers(1 << 24, 223 << 24).map(IPv4Address).filter(lambda ip: not any(ip in n for n in NEVER))
    return st.one_of(*[st.sampled_from(space.addresses)] * 4, anywhere)


_ERRORS = ((3, 3), (3, 4), (3, 1), (11, 0), (12, 0))
_HEADER_TWISTS = [Twist.SOURCE_PORT, Twist.DESTINATION_PORT, Twist.SOURCE, Twist.DESTINATION]


@st.composite
def _next(draw: st.DrawFn, space: CaseSpace, protocol: Protocol) -> Next:
    sort = draw(st.sampled_from([*Sort, Sort.ANSWER, Sort.ELSEWHERE, Sort.ERROR, *[Sort.ERROR_AHEAD] * 3]))
    twists = list(_HEADER_TWISTS)
    if sort in (Sort.ERROR, Sort.ERROR_AHEAD):
        twists += [Twist.OUTER_DESTINATION] * 3
    if protocol is Protocol.ICMP:
        twists += [Twist.KIND] * 4
    # As often right as wrong. From elsewhere, the wire is what is wrong with it: mostly that of another host.
    right = st.just(Twist.NONE)
    twist = draw(right if sort is Sort.ELSEWHERE else st.one_of(right, st.sampled_from(twists)))
    hosts = st.sampled_from([caller.wires[0] for caller in space.callers])
    return Next(
        sort,
        draw(st.integers(0, 5)),
        twist,
        draw(st.none() | st.sampled_from(STRANGERS) | st.sampled_from(space.addresses)),
        draw(st.none() | _addresses(space)),
        draw(st.sampled_from(_ERRORS)),
        draw(st.one_of(hosts, hosts, st.sampled_from(space.ends))),
    )
