"""Wrong models: each is the model with one thing changed, and each must be caught by what the kernel did.

Left out are changes that no packet can show, for what one stage would let through another refuses: a device
that ignores its discard routes (its filter has no permit for what they would discard), a filter that passes
errors of no flow (they keep their addresses, and no guard lets those out), one that forgets which realms a
permit leads between (the guards know them, too).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import pytest

from farshore.fabric.model import Device, Direction, Guard, Permit, Route
from farshore.realm import Address
from farshore.semantics import device, profile, trace
from farshore.semantics.crossing import Crossing
from farshore.semantics.flow import Flow, Way
from farshore.semantics.packet import Kind, Packet
from farshore.semantics.profile import Stage
from farshore.semantics.routing import LookUp
from farshore.translation import BasicNat, PortBlock, PortBlockNapt

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A wrong model: what it does, and how to make it of the right one."""

    name: str
    apply: Patch


MUTATIONS: list[Mutation] = []


def mutation(name: str) -> Callable[[Patch], Patch]:
    """Enter the function that follows into the list."""

    def enter(patch: Patch) -> Patch:
        MUTATIONS.append(Mutation(name, patch))
        return patch

    return enter


def _stages(patch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any]) -> None:
    patch.setattr(device._Stages, name, wrong)


# --- order and routes ------------------------------------------------------------------------------


@mutation("routes before it translates the destination")
def _swapped(patch: pytest.MonkeyPatch) -> None:
    linux = profile.PROFILES["linux"]
    order = (Stage.ROUTE, Stage.DESTINATION, Stage.FILTER, Stage.SOURCE)
    patch.setattr(profile, "PROFILES", MappingProxyType({"linux": replace(linux, forward=order)}))


@mutation("routes replies before it translates them")
def _swapped_back(patch: pytest.MonkeyPatch) -> None:
    linux = profile.PROFILES["linux"]
    order = (Stage.ROUTE, Stage.DESTINATION, Stage.FILTER, Stage.SOURCE)
    patch.setattr(profile, "PROFILES", MappingProxyType({"linux": replace(linux, backward=order)}))


@mutation("takes the first route that matches, not the longest")
def _first_match(patch: pytest.MonkeyPatch) -> None:
    def wrong(routes: Iterable[Route], destination: Address) -> LookUp:
        return right([r for r in routes if destination.ip in r.destination.network][:1], destination)

    right = device.look_up
    patch.setattr(device, "look_up", wrong)


@mutation("of two equal routes takes the second")
def _second_route(patch: pytest.MonkeyPatch) -> None:
    def wrong(routes: Iterable[Route], destination: Address) -> LookUp:
        return right(reversed(tuple(routes)), destination)

    right = device.look_up
    patch.setattr(device, "look_up", wrong)


# --- filter and guards -----------------------------------------------------------------------------


@mutation("has no filter")
def _no_filter(patch: pytest.MonkeyPatch) -> None:
    _stages(patch, "_filtered", lambda *_: None)


@mutation("filters by the destination as it arrived")
def _arrived(patch: pytest.MonkeyPatch) -> None:
    def wrong(stages: Any, permit: Permit, _packet: Packet) -> bool:
        return bool(stages.arrived.destination.ip in permit.translated.network)

    _stages(patch, "_judged", wrong)


@mutation("filters by address and protocol, not by port")
def _any_port(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(device, "_is_port", lambda permit, packet: permit.port.protocol is packet.protocol)


@mutation("filters by address and port, not by protocol")
def _any_protocol(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(device, "_is_port", lambda permit, packet: permit.port.number in (0, packet.destination_port))


def _without_guards(patch: pytest.MonkeyPatch, direction: Direction) -> None:
    def wrong(box: Device, interface: str, asked: Direction) -> Guard | None:
        return None if asked is direction else right(box, interface, asked)

    right = device._guard
    patch.setattr(device, "_guard", wrong)


@mutation("has no guard where packets arrive")
def _no_guard_in(patch: pytest.MonkeyPatch) -> None:
    _without_guards(patch, Direction.IN)


@mutation("has no guard where packets depart")
def _no_guard_out(patch: pytest.MonkeyPatch) -> None:
    _without_guards(patch, Direction.OUT)


@mutation("judges an arriving error by its source, too")
def _errors_by_source(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(device, "_passes", device._passes_out)


# --- translation -----------------------------------------------------------------------------------


@mutation("does not translate the destination")
def _no_destination(patch: pytest.MonkeyPatch) -> None:
    _stages(patch, "_new_destination", lambda _stages, packet: packet)


@mutation("does not translate the source")
def _no_source(patch: pytest.MonkeyPatch) -> None:
    _stages(patch, "_new_source", lambda _stages, packet, _egress: packet)


@mutation("forgets the host bits")
def _host_bits(patch: pytest.MonkeyPatch) -> None:
    def wrong(nat: BasicNat, _address: Address) -> Address:
        return Address(nat.outside.realm, nat.outside.network.network_address)

    patch.setattr(BasicNat, "outward", wrong)


@mutation("keeps the source port, whatever the host's block")
def _no_block(patch: pytest.MonkeyPatch) -> None:
    def wrong(_stages: Any, packet: Packet, nat: BasicNat | PortBlockNapt, source: Address) -> Packet:
        if isinstance(nat, BasicNat):
            return packet.with_source(nat.outward(source), packet.source_port)
        return packet.with_source(nat.block(source).address, packet.source_port)

    _stages(patch, "_with_new_source", wrong)


@mutation("gives a host its neighbour's block of ports")
def _next_block(patch: pytest.MonkeyPatch) -> None:
    def wrong(nat: PortBlockNapt, address: Address) -> PortBlock:
        following = Address(address.realm, address.ip + 1)
        return right(nat, following if following in nat.inside else address)

    right = PortBlockNapt.block
    patch.setattr(PortBlockNapt, "block", wrong)


# --- replies ---------------------------------------------------------------------------------------


def _by_flow(patch: pytest.MonkeyPatch, wrong_stage: Stage, wrong: Callable[[Packet, Packet], Packet]) -> None:
    def by_flow(stage: Stage, packet: Packet, known: Any) -> Packet:
        translated = right(stage, packet, known)
        data = packet.kind is not Kind.ERROR
        return wrong(packet, translated) if data and known.way is Way.BACK and stage is wrong_stage else translated

    right = device._by_flow
    patch.setattr(device, "_by_flow", by_flow)


@mutation("does not translate a reply's source back")
def _reply_source(patch: pytest.MonkeyPatch) -> None:
    _by_flow(patch, Stage.SOURCE, lambda packet, _translated: packet)


@mutation("does not translate a reply's destination back")
def _reply_destination(patch: pytest.MonkeyPatch) -> None:
    _by_flow(patch, Stage.DESTINATION, lambda packet, _translated: packet)


@mutation("does not translate a reply's port back")
def _reply_port(patch: pytest.MonkeyPatch) -> None:
    def wrong(packet: Packet, translated: Packet) -> Packet:
        return translated.with_destination(translated.destination, packet.destination_port)

    _by_flow(patch, Stage.DESTINATION, wrong)


@mutation("remembers no flow")
def _no_flows(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(device, "find", lambda *_: None)


@mutation("tells flows apart by addresses, not by ports")
def _flows_by_address(patch: pytest.MonkeyPatch) -> None:
    def blurred(packet: Packet) -> Packet:
        return replace(packet, source_port=0, destination_port=0, quoted=packet.quoted and blurred(packet.quoted))

    def wrong(flow: Flow, packet: Packet, ingress: str) -> Way | None:
        return right(replace(flow, arrived=blurred(flow.arrived), left=blurred(flow.left)), blurred(packet), ingress)

    right = Flow.way_of
    patch.setattr(Flow, "way_of", wrong)


@mutation("takes an echo request for the answer to one")
def _request_for_reply(patch: pytest.MonkeyPatch) -> None:
    def wrong(flow: Flow, packet: Packet, ingress: str) -> Way | None:
        answers = packet.kind is Kind.DATA and packet.header() == flow.left.header().reversed()
        return Way.BACK if answers else right(flow, packet, ingress)

    right = Flow.way_of
    patch.setattr(Flow, "way_of", wrong)


@mutation("remembers a flow that it refused")
def _remembers_refused(patch: pytest.MonkeyPatch) -> None:
    def wrong(box: Device, profile: Any, packet: Packet, ingress: str, *rest: Any, **choices: Any) -> Crossing:
        crossing = right(box, profile, packet, ingress, *rest, **choices)
        if crossing.egress is None and box.policy is not None:
            return replace(crossing, flow=Flow(packet, crossing.packet, ingress, ""))
        return crossing

    right = trace.cross
    patch.setattr(trace, "cross", wrong)


@mutation("does not tell flows apart by where they came in")
def _one_zone(patch: pytest.MonkeyPatch) -> None:
    def wrong(flow: Flow, packet: Packet, ingress: str) -> Way | None:
        return right(replace(flow, zone=None), packet, ingress)

    right = Flow.way_of
    patch.setattr(Flow, "way_of", wrong)


@mutation("looks up where an answer goes, whatever it came in by")
def _no_last_hop(patch: pytest.MonkeyPatch) -> None:
    def wrong(box: Device, *rest: Any, **choices: Any) -> Crossing:
        return right(replace(box, last_hop=False), *rest, **choices)

    right = trace.cross
    patch.setattr(trace, "cross", wrong)


# --- errors ----------------------------------------------------------------------------------------


def _errors(patch: pytest.MonkeyPatch, wrong: Callable[[Packet, Packet], Packet]) -> None:
    def error_by_flow(stage: Stage, packet: Packet, *rest: Any) -> Packet:
        return wrong(packet, right(stage, packet, *rest))

    right = device._error_by_flow
    patch.setattr(device, "_error_by_flow", error_by_flow)


@mutation("leaves what an error quotes as it is")
def _quoted(patch: pytest.MonkeyPatch) -> None:
    _errors(patch, lambda packet, translated: replace(translated, quoted=packet.quoted))


@mutation("leaves an error's own source as it is")
def _error_source(patch: pytest.MonkeyPatch) -> None:
    _errors(patch, lambda packet, translated: replace(translated, source=packet.source))


@mutation("leaves an error's own destination as it is")
def _error_destination(patch: pytest.MonkeyPatch) -> None:
    _errors(patch, lambda packet, translated: replace(translated, destination=packet.destination))


def _way_of_error(patch: pytest.MonkeyPatch, wrong: Callable[[Packet, Flow], Packet]) -> None:
    def way_of(flow: Flow, packet: Packet, ingress: str) -> Way | None:
        return right(flow, wrong(packet, flow) if packet.quoted is not None else packet, ingress)

    right = Flow.way_of
    patch.setattr(Flow, "way_of", way_of)


@mutation("takes an error to anybody for one of the flow")
def _error_to_anybody(patch: pytest.MonkeyPatch) -> None:
    def wrong(packet: Packet, _flow: Flow) -> Packet:
        assert packet.quoted is not None
        return replace(packet, destination=packet.quoted.source)

    _way_of_error(patch, wrong)


@mutation("takes a quoted echo reply for the request, and the other way round")
def _quoted_kind(patch: pytest.MonkeyPatch) -> None:
    def wrong(packet: Packet, flow: Flow) -> Packet:
        quoted = packet.quoted
        assert quoted is not None
        kind = Kind.DATA if quoted.header() == flow.left.header() else flow.arrived.answered().kind
        return replace(packet, quoted=replace(quoted, kind=kind))

    _way_of_error(patch, wrong)


@mutation("refuses every error")
def _no_errors(patch: pytest.MonkeyPatch) -> None:
    def wrong(flow: Flow, packet: Packet, ingress: str) -> Way | None:
        return None if packet.kind is Kind.ERROR else right(flow, packet, ingress)

    right = Flow.way_of
    patch.setattr(Flow, "way_of", wrong)
