"""What a device does to a packet: the one definition, for the walk, the proof and the tests against the kernel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from farshore.fabric.model import NO_ADDRESS, Device, Direction, Guard, Permit, Policy
from farshore.port import Protocol
from farshore.realm import Address, Prefix, Realm
from farshore.semantics.choice import DEFAULT_CHOICES, Choices
from farshore.semantics.crossing import Crossing, Event, Verb
from farshore.semantics.flow import Flow, Way, find
from farshore.semantics.packet import Kind, Packet
from farshore.semantics.profile import FilterView, Profile, Stage, remembers_ingress, stages
from farshore.semantics.routing import Found, LookUp, look_up
from farshore.translation import BasicNat, PortBlockNapt


@dataclass(frozen=True, slots=True)
class _Known:
    """The flow that a packet belongs to, and its way along it."""

    flow: Flow
    way: Way


def cross(
    device: Device,
    profile: Profile,
    packet: Packet,
    ingress: str,
    flows: Iterable[Flow],
    *,
    choices: Choices = DEFAULT_CHOICES,
) -> Crossing:
    """Take a packet through a device and return its crossing.

    After an ambiguous route it goes on by the one that ``choices`` takes, by default that of the destination's
    own realm. ``flows`` are those that the device remembers; the result's ``flow`` is the new one, if the
    packet opened one.
    """
    refused = inbound_refusal(device, packet, ingress)
    if refused is not None:
        return refused
    found = find(flows, packet, ingress) if device.policy is not None else None
    known = _Known(*found) if found else None
    crossing = _Stages(device, profile, ingress, known, packet, choices).run(packet)
    return _departing(device, crossing)


def inbound_refusal(device: Device, packet: Packet, ingress: str) -> Crossing | None:
    """Return the end of a packet that the guard of an interface drops on arrival, None where it passes.

    A fragment has the addresses of its packet: it is judged like it, before it is put together with others.
    """
    guard = _guard(device, ingress, Direction.IN)
    if guard is None or _passes(guard, packet):
        return None
    says = f"dropped by anti-spoofing on {ingress}: {_why(guard, packet)}"
    return Crossing((Event(Verb.GUARDED, says, packet, packet, wrong=True),), packet, None, None)


def _departing(device: Device, crossing: Crossing) -> Crossing:
    if crossing.egress is None:
        return crossing
    guard = _guard(device, crossing.egress, Direction.OUT)
    if guard is None or _passes_out(guard, crossing.packet):
        return crossing
    says = f"dropped by the outbound guard on {crossing.egress}: {_why(guard, crossing.packet)}"
    event = Event(Verb.GUARDED, says, crossing.packet, crossing.packet, wrong=True)
    return Crossing((*crossing.events, event), crossing.packet, None, None)


@dataclass(frozen=True, slots=True)
class _Stages:
    """One packet's passage through the stages of its profile."""

    device: Device
    profile: Profile
    ingress: str
    known: _Known | None
    arrived: Packet
    choices: Choices

    def run(self, packet: Packet) -> Crossing:
        """Go through the stages in the profile's order."""
        events: list[Event] = []
        egress = self._remembered_egress()
        for stage in self._order():
            match stage:
                case Stage.DESTINATION | Stage.SOURCE:
                    before, packet = packet, self._translated(stage, packet, egress)
                    if packet != before:
                        says = _translation_says(stage, before, packet)
                        events.append(Event(Verb.TRANSLATED, says, before, packet))
                case Stage.ROUTE:
                    found = look_up(self.device.routes, packet.destination)
                    route = self.choices.route(found)
                    egress = route.interface if route is not None else None
                    wrong = found.found is not Found.ROUTE
                    events.append(Event(Verb.ROUTED, _route_says(found, packet), packet, packet, wrong, found.found))
                    if egress is None:
                        return Crossing(tuple(events), packet, None, None)
                case Stage.FILTER:
                    event = self._filtered(packet, egress)
                    if event is not None:
                        events.append(event)
                        if event.wrong:
                            return Crossing(tuple(events), packet, None, None)
        opened = None
        if self.known is None and self.device.policy is not None and egress is not None:
            zone = self.ingress if self.device.last_hop else None
            opened = Flow(self.arrived, packet, self.ingress, egress, zone)
        return Crossing(tuple(events), packet, egress, opened)

    def _order(self) -> tuple[Stage, ...]:
        returning = self.known is not None and self.known.way is Way.BACK
        return stages(self.device, self.profile, returning=returning)

    def _remembered_egress(self) -> str | None:
        if self.known is None or self.known.way is not Way.BACK:
            return None
        return self.known.flow.ingress if remembers_ingress(self.device, self.profile) else None

    # --- translation ---

    def _translated(self, stage: Stage, packet: Packet, egress: str | None) -> Packet:
        if self.known is not None:
            return _by_flow(stage, packet, self.known)
        if packet.kind is not Kind.DATA:
            return packet
        if stage is Stage.DESTINATION:
            return self._new_destination(packet)
        return self._new_source(packet, egress)

    def _new_destination(self, packet: Packet) -> Packet:
        realm = _realm(self.device, self.ingress)
        for nat in self.device.destination_nat:
            # Names of realms are unique and quick to compare: a box may have a hundred thousand rules.
            if nat.inside.realm.name == realm.name and packet.destination.ip in nat.inside.network:
                here = Address(realm, packet.destination.ip)
                return packet.with_destination(nat.outward(here), packet.destination_port)
        return packet

    def _new_source(self, packet: Packet, egress: str | None) -> Packet:
        entered = _realm(self.device, self.ingress)
        # A box that translates before it routes knows the way out by the rule itself.
        leaves = _realm(self.device, egress) if egress is not None else None
        for nat in self.device.source_nat:
            outside = nat.outside.realm if isinstance(nat, BasicNat) else nat.first.realm
            if nat.inside.realm.name != entered.name or leaves not in (None, outside):
                continue
            if packet.source.ip in nat.inside.network:
                return self._with_new_source(packet, nat, Address(entered, packet.source.ip))
        return packet

    def _with_new_source(self, packet: Packet, nat: BasicNat | PortBlockNapt, source: Address) -> Packet:
        if isinstance(nat, BasicNat):
            return packet.with_source(nat.outward(source), packet.source_port)
        block = nat.block(source)
        # Any free port of the block will do.
        return packet.with_source(block.address, self.choices.port(self.device, block, packet))

    # --- filter ---

    def _filtered(self, packet: Packet, egress: str | None) -> Event | None:
        policy = self.device.policy
        if policy is None:
            return None
        if self.known is not None:
            return Event(Verb.FILTERED, "the filter passes it: established flow", packet, packet)
        permit = self._permit(policy, packet, egress)
        if permit is None:
            says = f"dropped by the filter: no permit for {_what(packet)}"
            return Event(Verb.FILTERED, says, packet, packet, wrong=True)
        return Event(Verb.FILTERED, f"the filter permits {permit.service} {permit.port}", packet, packet)

    def _permit(self, policy: Policy, packet: Packet, egress: str | None) -> Permit | None:
        if packet.kind is not Kind.DATA:
            return None
        entered = _realm(self.device, self.ingress)
        leaves = _realm(self.device, egress) if egress is not None else None
        for permit in policy.permits:
            if permit.ingress.name != entered.name or leaves not in (None, permit.egress):
                continue
            if self._judged(permit, packet) and _is_port(permit, packet):
                return permit
        return None

    def _judged(self, permit: Permit, packet: Packet) -> bool:
        """Compare a permit with the form of the destination that this profile's filter reads."""
        if self.profile.filter_reads is FilterView.ARRIVED:
            return self.arrived.destination.ip in permit.destination.network
        return packet.destination.ip in permit.translated.network


# --- translation by flow -----------------------------------------------------------------------------


def _by_flow(stage: Stage, packet: Packet, known: _Known) -> Packet:
    """Translate a packet of a known flow, in either way, and what an ICMP error quotes along with it."""
    if known.way is Way.FORWARD:
        source, destination = known.flow.left.source, known.flow.left.destination
        source_port, destination_port = known.flow.left.source_port, known.flow.left.destination_port
    else:
        source, destination = known.flow.arrived.destination, known.flow.arrived.source
        source_port, destination_port = known.flow.arrived.destination_port, known.flow.arrived.source_port
    if packet.kind is Kind.ERROR:
        return _error_by_flow(stage, packet, known, source, destination)
    if stage is Stage.DESTINATION:
        return packet.with_destination(destination, destination_port)
    return packet.with_source(source, source_port)


def _error_by_flow(stage: Stage, packet: Packet, known: _Known, source: Address, destination: Address) -> Packet:
    """Translate an ICMP error: its destination, its apparent source, and the packet that it quotes.

    Whichever router sent it, it then appears to come from the flow's far end (RFC 5508 section 4.2), so that no address
    from beyond the device shows; but only where the device translates that end.
    """
    if stage is Stage.DESTINATION:
        quoted = known.flow.arrived if known.way is Way.BACK else known.flow.left.answered()
        return replace(packet, destination=destination, quoted=quoted)
    far_end_before = known.flow.left.destination if known.way is Way.BACK else known.flow.arrived.source
    if far_end_before == source:
        return packet
    return replace(packet, source=source)


# --- guards ------------------------------------------------------------------------------------------


def _guard(device: Device, interface: str, direction: Direction) -> Guard | None:
    return next((g for g in device.guards if g.interface == interface and g.direction is direction), None)


def _passes(guard: Guard, packet: Packet) -> bool:
    """Judge by addresses only, as a guard sees the packet on the link; an error by its destination only."""
    source_is_good = packet.kind is Kind.ERROR or _holds(guard.sources, packet.source.ip)
    return source_is_good and _holds(guard.destinations, packet.destination.ip)


def _passes_out(guard: Guard, packet: Packet) -> bool:
    # An error from a device without an address of its own reveals none.
    unsigned = packet.kind is Kind.ERROR and packet.source.ip == NO_ADDRESS
    source_is_good = unsigned or _holds(guard.sources, packet.source.ip)
    return source_is_good and _holds(guard.destinations, packet.destination.ip)


def _holds(prefixes: tuple[Prefix, ...], ip: IPv4Address) -> bool:
    return any(ip in prefix.network for prefix in prefixes)


def _why(guard: Guard, packet: Packet) -> str:
    if not _holds(guard.sources, packet.source.ip) and packet.kind is not Kind.ERROR:
        return f"source {packet.source.ip} is not allowed"
    return f"destination {packet.destination.ip} is not allowed"


# --- words and small things ---------------------------------------------------------------------------


def _realm(device: Device, interface: str) -> Realm:
    return next(i.realm for i in device.interfaces if i.name == interface)


def _is_port(permit: Permit, packet: Packet) -> bool:
    if permit.port.protocol is not packet.protocol:
        return False
    return packet.protocol is Protocol.ICMP or permit.port.number == packet.destination_port


def _what(packet: Packet) -> str:
    if packet.kind is not Kind.DATA:
        return f"an ICMP {packet.kind} outside of any flow"
    port = "icmp" if packet.protocol is Protocol.ICMP else f"{packet.protocol}/{packet.destination_port}"
    return f"{port} to {packet.destination.ip}"


def _translation_says(stage: Stage, before: Packet, after: Packet) -> str:
    if stage is Stage.DESTINATION:
        return f"destination {before.destination.ip} becomes {after.destination.ip}"
    port = "" if before.source_port == after.source_port else f" port {after.source_port}"
    return f"source {before.source.ip} becomes {after.source.ip}{port}"


def _route_says(found: LookUp, packet: Packet) -> str:
    ip = packet.destination.ip
    match found.found:
        case Found.NONE:
            return f"no route to {ip}"
        case Found.DISCARDED:
            return f"{ip} is null-routed: it belongs to no flow"
        case Found.AMBIGUOUS | Found.WRONG_SIDE:
            assert found.rival is not None  # noqa: S101 - both outcomes have one
            where = found.rival.interface or "nowhere"
            return f"ambiguous route to {packet.destination}: interface {where} leads to the same address"
        case Found.ROUTE:
            assert found.route is not None  # noqa: S101 - the outcome has one
            return f"out of interface {found.route.interface}"
