"""A box as a decision diagram: an oracle that shares neither arithmetic nor code with the proof.

A packet is a row of bits: its source, its destination and the port that it asks for. What it is within the box
is one function of these bits for each bit; which packets are still under way is one more. It is read off
``farshore.fabric.model`` and the order of operations alone. Addresses are those of a network of few bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any

from dd.autoref import BDD

from farshore.fabric.model import Device, Direction, Permit, Route
from farshore.port import Port, Protocol
from farshore.realm import Prefix, Realm
from farshore.semantics.profile import FilterView, Profile, Stage
from farshore.translation import BasicNat

# The library has no types; what it calls a function is a node of a diagram.
Node = Any
Bits = tuple[Node, ...]

PORT_BITS = 18
_START_OF = {Protocol.TCP: 0, Protocol.UDP: 65536, Protocol.ICMP: 131072}


@dataclass(frozen=True, slots=True)
class Under:
    """Packets on their way through a box: which, and what they are by now."""

    which: Node
    source: Bits
    destination: Bits
    realm: Realm
    egress: str | None = None


def differ(one: Node, other: Node) -> Node:
    """Return when one of two holds and the other does not."""
    return (one & ~other) | (~one & other)


class Diagram:
    """The variables of one network: each address as it was sent and as it is when it leaves, and the port."""

    def __init__(self, network: IPv4Network, manager: Any = None) -> None:
        self.network = network
        self.width = 32 - network.prefixlen
        self.bdd = BDD() if manager is None else manager
        # An address beside what becomes of it keeps the diagrams of translations small.
        names = [f"{name}{n}" for end in ("s", "d") for n in range(self.width) for name in (end, f"{end}_out")]
        names += [f"p{n}" for n in range(PORT_BITS)]
        self.bdd.declare(*names)
        self.variables = len(names)
        self.true, self.false = self.bdd.true, self.bdd.false
        self.source, self.destination = self._bits("s", self.width), self._bits("d", self.width)
        self.source_out, self.destination_out = self._bits("s_out", self.width), self._bits("d_out", self.width)
        self.port_index = self._bits("p", PORT_BITS)

    def _bits(self, name: str, width: int) -> Bits:
        return tuple(self.bdd.var(f"{name}{n}") for n in range(width))

    # --- numbers, the highest bit first ---

    def is_number(self, bits: Bits, number: int) -> Node:
        """Return when bits are a number."""
        return self._starts(bits, number, len(bits))

    def at_most(self, bits: Bits, number: int) -> Node:
        """Return when bits are a number or less."""
        found = self.true
        for position, bit in enumerate(reversed(bits)):
            found = (~bit | found) if number >> position & 1 else (~bit & found)
        return found

    def between(self, bits: Bits, first: int, last: int) -> Node:
        """Return when bits are between two numbers."""
        return self.at_most(bits, last) & (~self.at_most(bits, first - 1) if first else self.true)

    def _starts(self, bits: Bits, number: int, length: int) -> Node:
        found = self.true
        for n in range(length):
            found &= bits[n] if number >> (len(bits) - 1 - n) & 1 else ~bits[n]
        return found

    def offset(self, ip: int) -> int:
        """Return an address's number within the network."""
        assert 0 <= ip - int(self.network.network_address) < self.network.num_addresses
        return ip - int(self.network.network_address)

    def in_prefix(self, bits: Bits, prefix: Prefix) -> Node:
        """Return when an address is in a prefix of the network."""
        number = self.offset(int(prefix.network.network_address))
        return self._starts(bits, number, prefix.network.prefixlen - self.network.prefixlen)

    def in_any(self, bits: Bits, prefixes: Iterable[Prefix]) -> Node:
        """Return when an address is in any of these prefixes."""
        found = self.false
        for prefix in prefixes:
            found |= self.in_prefix(bits, prefix)
        return found

    def translated(self, bits: Bits, outside: Prefix) -> Bits:
        """Return bits with those of a prefix in front."""
        number = self.offset(int(outside.network.network_address))
        length = outside.network.prefixlen - self.network.prefixlen
        front = tuple(self.true if number >> (self.width - 1 - n) & 1 else self.false for n in range(length))
        return front + bits[length:]

    def equal(self, left: Bits, right: Bits) -> Node:
        """Return when two rows of bits are the same."""
        found = self.true
        for one, other in zip(left, right, strict=True):
            found &= ~differ(one, other)
        return found

    def plus(self, bits: Bits, number: int) -> Bits:
        """Return bits with a number added, which may be below zero; what runs over is lost."""
        carry, found = self.false, []
        for position, bit in enumerate(reversed(bits)):
            digit = self.true if number >> position & 1 else self.false
            found.append(differ(differ(bit, digit), carry))
            carry = (bit & digit) | (carry & (bit | digit))
        return tuple(reversed(found))

    def is_port(self, port: Port) -> Node:
        """Return when a packet asks for a port."""
        return self.is_number(self.port_index, _START_OF[port.protocol] + port.number)


def on_the_wire(diagram: Diagram, realm: Realm, last_position: int) -> Under:
    """Return every packet of a wire, as it is sent; not all that the bits can say is a port index."""
    return Under(diagram.at_most(diagram.port_index, last_position), diagram.source, diagram.destination, realm)


def through(diagram: Diagram, device: Device, profile: Profile, ingress: str, under: Iterable[Under]) -> list[Under]:
    """Return which packets leave a box, as what and where. ``under`` are those on the wire of an interface of it."""
    realm_of = {interface.name: interface.realm for interface in device.interfaces}
    found: list[Under] = []
    for each in under:
        box = _Oracle(diagram, device, profile, realm_of, ingress, each.destination)
        inside = [box.guarded(replace(each, egress=None), ingress, Direction.IN)]
        for stage in profile.forward if device.policy is not None else (Stage.ROUTE,):
            inside = [after for one in inside for after in box.stage(stage, one) if after.which != diagram.false]
        found += [box.guarded(one, one.egress, Direction.OUT) for one in inside if one.egress is not None]
    return [one for one in found if one.which != diagram.false]


def leaving(diagram: Diagram, under: Iterable[Under]) -> dict[str, Node]:
    """Return, by interface, a relation of what was sent and what leaves."""
    found: dict[str, Node] = {}
    for each in under:
        assert each.egress is not None
        image = diagram.equal(diagram.source_out, each.source)
        image &= diagram.equal(diagram.destination_out, each.destination)
        found[each.egress] = found.get(each.egress, diagram.false) | (each.which & image)
    return found


@dataclass(frozen=True, slots=True)
class _Oracle:
    diagram: Diagram
    device: Device
    profile: Profile
    realm_of: dict[str, Realm]
    ingress: str
    arrived: Bits

    @property
    def entered(self) -> Realm:
        return self.realm_of[self.ingress]

    def stage(self, stage: Stage, under: Under) -> Iterator[Under]:
        match stage:
            case Stage.DESTINATION:
                return self._destination(under)
            case Stage.ROUTE:
                return self._routed(under)
            case Stage.FILTER:
                return self._filtered(under)
            case Stage.SOURCE:
                return self._source(under)

    def guarded(self, under: Under, interface: str, direction: Direction) -> Under:
        for guard in self.device.guards:
            if (guard.interface, guard.direction) == (interface, direction):
                good = self.diagram.in_any(under.source, guard.sources)
                good &= self.diagram.in_any(under.destination, guard.destinations)
                return replace(under, which=under.which & good)
        return under

    def _destination(self, under: Under) -> Iterator[Under]:
        left = under.which
        for nat in self.device.destination_nat:
            if nat.inside.realm == self.entered:
                held = left & self.diagram.in_prefix(under.destination, nat.inside)
                to = self.diagram.translated(under.destination, nat.outside)
                yield replace(under, which=held, destination=to, realm=nat.outside.realm)
                left &= ~held
        yield replace(under, which=left)

    def _source(self, under: Under) -> Iterator[Under]:
        left = under.which
        for nat in self.device.source_nat:
            assert isinstance(nat, BasicNat)
            leads = under.egress is None or self.realm_of[under.egress] == nat.outside.realm
            if nat.inside.realm == self.entered and leads:
                held = left & self.diagram.in_prefix(under.source, nat.inside)
                yield replace(under, which=held, source=self.diagram.translated(under.source, nat.outside))
                left &= ~held
        yield replace(under, which=left)

    def _filtered(self, under: Under) -> Iterator[Under]:
        assert self.device.policy is not None
        found = self.diagram.false
        for permit in self.device.policy.permits:
            leads = under.egress is None or self.realm_of[under.egress] == permit.egress
            if permit.ingress == self.entered and leads:
                found |= self._judged(permit, under) & self.diagram.is_port(permit.port)
        yield replace(under, which=under.which & found)

    def _judged(self, permit: Permit, under: Under) -> Node:
        if self.profile.filter_reads is FilterView.ARRIVED:
            return self.diagram.in_prefix(self.arrived, permit.destination)
        return self.diagram.in_prefix(under.destination, permit.translated)

    def _routed(self, under: Under) -> Iterator[Under]:
        """Split packets by the routes that hold them; where there are two sides, they take both."""
        regions: list[tuple[Node, list[Route]]] = [(under.which, [])]
        for route in self.device.routes:
            here = self.diagram.in_prefix(under.destination, route.destination)
            regions = [
                (part, holding)
                for which, so_far in regions
                for part, holding in ((which & here, [*so_far, route]), (which & ~here, so_far))
                if part != self.diagram.false
            ]
        for which, holding in regions:
            for way in _ways(holding, under.realm):
                yield replace(under, which=which, egress=way)


def _ways(holding: list[Route], realm: Realm) -> set[str]:
    """Return the interfaces that a packet may leave by.

    A table knows no realms and takes the first of the longest; the walk by default takes the intended one: of
    the longest the first of the destination's own realm, or else the longest of that realm's.
    """
    lengths = [route.destination.network.prefixlen for route in holding]
    longest = [route for route, length in zip(holding, lengths, strict=True) if length == max(lengths)]
    own = [route for route in holding if route.destination.realm == realm]
    own.sort(key=lambda route: -route.destination.network.prefixlen)
    table = longest[:1]
    intended = own[:1] or table
    # Where all of the longest lead where the right one does, there is no difference.
    return {route.interface for route in (*table, *intended) if route.interface is not None}
