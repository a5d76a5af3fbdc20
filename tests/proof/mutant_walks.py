"""Whether two fabrics do the same to packets, by the walk: one packet after the other, with replies and errors.

Packets are put together from what the fabrics know: the first and last addresses of every prefix and those beside
them, and every port. All that a host would send is walked, and a sample of the rest, the same for every run. A
packet that never comes to the node in which two fabrics differ needs no second walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address
from random import Random

from mutant_sets import realm_at, starts

from farshore.fabric.model import NO_ADDRESS, Device, EndSystem, Fabric, Node, Proxy
from farshore.fabric.names import LinkEnd
from farshore.port import Port, Protocol
from farshore.realm import Address, Prefix, Realm, RealmKind
from farshore.semantics.choice import Choices, held_route, kept_port
from farshore.semantics.packet import Kind, Packet
from farshore.semantics.profile import profile_of
from farshore.semantics.trace import Trace, trace
from farshore.translation import BasicNat
from farshore.walk.tell.journey import DEFAULT_SOURCE_PORT

SAMPLE = 1_000
# A real table holds one of two equal routes, and takes it.
AS_TABLES_DO = Choices(held_route, kept_port)
# Apparent sources of errors: none, one of the Internet, one of the provider, and one in the lake.
SIGNERS = (NO_ADDRESS, *map(IPv4Address, ("192.0.2.1", "10.1.1.254", "100.65.1.77")))
# What is seen of a packet: where, and what stands in its headers.
Sight = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """A packet to be walked, and the interface that it is sent out of."""

    start: LinkEnd
    packet: Packet


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen of a packet, of its reply and of the errors about both, and the nodes that they came to."""

    sights: tuple[Sight, ...]
    nodes: frozenset[str]


# --- walks -------------------------------------------------------------------------------------------


def walked(fabric: Fabric, probe: Probe, *, errors: bool) -> Outcome:
    """Walk a packet and its reply, and the errors that routers on their way might send."""
    request = trace(fabric, profile_of(None), probe.start, probe.packet, {}, choices=AS_TABLES_DO)
    sights = [*_sights(fabric, request, probe.packet.source.realm)]
    traces = [request]
    server = request.arrived_at
    if server is not None and _port(request.last_packet) in server.listens:
        back = LinkEnd(server.name, server.interface.name)
        answer = request.last_packet.answered()
        reply = trace(fabric, profile_of(None), back, answer, request.memory, choices=AS_TABLES_DO)
        traces.append(reply)
        sights += _sights(fabric, reply, answer.source.realm)
        if errors:
            for error in _errors(fabric, request, reply):
                traces.append(error)
                sights.append(("error", *_sights(fabric, error, None)))
    return Outcome(tuple(sights), frozenset(hop.node for each in traces for hop in each.hops))


def _port(packet: Packet) -> Port:
    number = 0 if packet.protocol is Protocol.ICMP else packet.destination_port
    return Port(packet.protocol, number)


def _sights(fabric: Fabric, walk: Trace, home: Realm | None) -> Iterator[Sight]:
    """Yield what is seen of a packet where it gets into another realm, and where it arrives.

    As with sets, packets in the lake are not compared, except errors: they have no ``home``.
    """
    for hop in walk.hops:
        if hop.crossing is None or hop.crossing.egress is None:
            continue
        out = realm_at(fabric, LinkEnd(hop.node, hop.crossing.egress))
        hidden = home is not None and out.kind is RealmKind.LAKE
        if out != realm_at(fabric, LinkEnd(hop.node, hop.ingress)) and not hidden:
            yield hop.node, hop.crossing.egress, _headers(hop.crossing.packet)
    if walk.arrived_at is not None and walk.arrived_at.address.realm != home:
        yield walk.arrived_at.name, _headers(walk.last_packet), _port(walk.last_packet) in walk.arrived_at.listens


def _headers(packet: Packet) -> tuple[object, ...]:
    quoted = () if packet.quoted is None else (packet.quoted.header(),)
    return packet.kind, packet.header(), *quoted


def _errors(fabric: Fabric, request: Trace, reply: Trace) -> Iterator[Trace]:
    """Walk errors from every wire of a flow's way, about what was on it, from every source.

    In the lake there are only the provider's boxes, which have no address to send errors from.
    """
    for walk in (request, reply):
        for hop in walk.hops:
            start = LinkEnd(hop.node, hop.ingress)
            realm = realm_at(fabric, start)
            for ip in SIGNERS[:1] if realm.kind is RealmKind.LAKE else (hop.packet.destination.ip, *SIGNERS):
                source = Address(realm, ip)
                error = Packet(Protocol.ICMP, source, hop.packet.source, 0, 0, Kind.ERROR, hop.packet)
                yield trace(fabric, profile_of(None), start, error, reply.memory, choices=AS_TABLES_DO)


# --- packets -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Walks:
    """A good fabric's packets, walked once."""

    fabric: Fabric
    seed: str

    @cached_property
    def usual(self) -> Mapping[Probe, Outcome]:
        """Return what hosts send every day, to every address that means something anywhere."""
        return {probe: walked(self.fabric, probe, errors=False) for probe in _usual(self.fabric)}

    @cached_property
    def flows(self) -> Mapping[Probe, Outcome]:
        """Return one packet of each two ends that exchange, with the errors about it."""
        ends = {
            (probe.start, probe.packet.destination): probe for probe, outcome in self.usual.items() if outcome.sights
        }
        return {probe: walked(self.fabric, probe, errors=True) for probe in ends.values()}

    @cached_property
    def sampled(self) -> Mapping[Probe, Outcome]:
        """Return a sample of everything that may be on a wire, most of it near to what gets through."""
        through = tuple(probe for probe, outcome in self.usual.items() if outcome.sights)
        probes = _sample(self.fabric, through, Random(self.seed), SAMPLE)  # noqa: S311 - no secret
        return {probe: walked(self.fabric, probe, errors=False) for probe in probes}

    def differences(self, other: Fabric) -> Iterator[Probe]:
        """Yield packets to which another fabric does something else."""
        changed = {name for name, node in self.fabric.nodes.items() if node != other.nodes[name]}
        changed |= {end.node for end, far in self.fabric.far_ends.items() if other.far_ends.get(end) != far}
        for probes, errors in ((self.usual, False), (self.flows, True), (self.sampled, False)):
            for probe, outcome in probes.items():
                if outcome.nodes & changed and walked(other, probe, errors=errors).sights != outcome.sights:
                    yield probe
        for probe in self._near(other, changed):
            good = walked(self.fabric, probe, errors=False)
            if good.nodes & changed and walked(other, probe, errors=False).sights != good.sights:
                yield probe

    def _near(self, other: Fabric, changed: Iterable[str]) -> Iterator[Probe]:
        """Yield packets with addresses that only one of the two fabrics' nodes knows."""
        for name in changed:
            one, two = set(_addresses([self.fabric.nodes[name]])), set(_addresses([other.nodes[name]]))
            new = sorted(one ^ two)
            for probe in (probe for probe, outcome in self.usual.items() if outcome.sights):
                packet = probe.packet
                for ip in new:
                    yield replace(probe, packet=replace(packet, source=replace(packet.source, ip=ip)))
                    yield replace(probe, packet=replace(packet, destination=replace(packet.destination, ip=ip)))


def _usual(fabric: Fabric) -> Iterator[Probe]:
    ports = _ports(fabric)
    wanted = sorted({ip for node in fabric.nodes.values() for ip in _meant(node)})
    for host in fabric.end_systems:
        for ip in wanted:
            for port in ports:
                packet = _packet(host.address, Address(host.address.realm, ip), port)
                yield Probe(LinkEnd(host.name, host.interface.name), packet)


def _meant(node: Node) -> Iterator[IPv4Address]:
    """Yield the addresses that a node does something about: that it translates, answers or has."""
    match node:
        case Device():
            yield from (
                nat.inside.network.network_address + (nat.inside.network.num_addresses > 1)
                for nat in node.destination_nat
            )
        case Proxy():
            yield from (front.presented.ip for front in node.fronts)
        case EndSystem():
            yield node.address.ip


def _sample(fabric: Fabric, through: tuple[Probe, ...], random: Random, size: int) -> Iterator[Probe]:
    known, ports, ends = tuple(_addresses(fabric.nodes.values())), _ports(fabric), tuple(starts(fabric))
    for number in range(size):
        if number % 4 == 0:
            start = random.choice(ends)
            source, destination = (Address(start.realm, random.choice(known)) for _ in range(2))
            yield Probe(start.end, _packet(source, destination, random.choice(ports)))
            continue
        near = random.choice(through)
        old, ip = near.packet, random.choice(known)
        match number % 4:
            case 1:
                packet = replace(old, source=replace(old.source, ip=ip))
            case 2:
                packet = replace(old, destination=replace(old.destination, ip=ip))
            case _:
                packet = _packet(old.source, old.destination, random.choice(ports))
        wires = [start.end for start in ends if start.realm == old.source.realm]
        yield Probe(random.choice(wires), packet)


def _packet(source: Address, destination: Address, port: Port) -> Packet:
    far = DEFAULT_SOURCE_PORT if port.protocol is Protocol.ICMP else port.number
    return Packet(port.protocol, source, destination, DEFAULT_SOURCE_PORT, far)


def _ports(fabric: Fabric) -> tuple[Port, ...]:
    """Return every port that anything says something about, and some that nothing does."""
    offered = {port for node in fabric.end_systems for port in node.listens}
    return tuple(sorted({*offered, Port(Protocol.TCP, 22), Port(Protocol.UDP, 444)}))


def _addresses(nodes: Iterable[Node]) -> Iterator[IPv4Address]:
    """Yield the first and last addresses of every prefix that nodes know, and those beside them."""
    bounds = {
        number
        for node in nodes
        for prefix in _prefixes(node)
        for number in (
            int(prefix.network.network_address) - 1,
            int(prefix.network.network_address),
            int(prefix.network.broadcast_address),
            int(prefix.network.broadcast_address) + 1,
        )
    }
    yield from (IPv4Address(number) for number in sorted(bounds) if 0 <= number < 1 << 32)


def _prefixes(node: Node) -> Iterator[Prefix]:
    match node:
        case EndSystem():
            yield Prefix.of(node.address)
        case Proxy():
            for front in node.fronts:
                yield from (Prefix.of(front.presented), Prefix.of(front.server), Prefix.of(front.own), *front.sources)
        case Device():
            yield from (route.destination for route in node.routes)
            for guard in node.guards:
                yield from (*guard.sources, *guard.destinations)
            for nat in (*node.destination_nat, *node.source_nat):
                yield from (nat.inside, nat.outside if isinstance(nat, BasicNat) else Prefix.of(nat.first))
            for permit in () if node.policy is None else node.policy.permits:
                yield from (permit.destination, permit.translated)
