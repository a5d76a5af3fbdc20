"""One packet, or a fragment of one, from node to node until it arrives, is dropped, or exceeds the hop limit.

Hops only, no words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from farshore.fabric.model import Attachment, Device, EndSystem, Fabric, Proxy
from farshore.fabric.names import LinkEnd, NodeName
from farshore.semantics.choice import DEFAULT_CHOICES, Choices
from farshore.semantics.crossing import Crossing, Event, Verb
from farshore.semantics.device import cross, inbound_refusal
from farshore.semantics.flow import Flow
from farshore.semantics.fragments import Fragment, Run, Waiting, gather, place_of
from farshore.semantics.packet import Packet
from farshore.semantics.profile import Profile
from farshore.semantics.proxy import cross_proxy

Memory = Mapping[str, tuple[Flow, ...]]
ProfileOf = Callable[[Device], Profile]

MAX_HOPS = 64  # a packet's own time to live


@dataclass(frozen=True, slots=True)
class Hop:
    """A packet arriving at a node, and what came of it. ``crossing`` is None at an end system."""

    node: NodeName
    ingress: str
    packet: Packet
    crossing: Crossing | None


@dataclass(frozen=True, slots=True)
class Trace:
    """A packet's hops in order, and what the devices remember afterwards.

    ``arrived_at`` is the end system that took it, None where none did. ``left_at`` is where it left the fabric, None
    where it did not: what becomes of it there, no fabric knows.
    """

    hops: tuple[Hop, ...]
    memory: Memory
    arrived_at: EndSystem | None
    left_at: Attachment | None = None

    @property
    def last_packet(self) -> Packet:
        """Return the packet as it was at its last hop."""
        last = self.hops[-1]
        return last.packet if last.crossing is None else last.crossing.packet


def trace(
    fabric: Fabric,
    profile_of: ProfileOf,
    start: LinkEnd,
    packet: Packet,
    memory: Memory,
    *,
    choices: Choices = DEFAULT_CHOICES,
) -> Trace:
    """Follow a packet that a node sends out of an interface. ``memory`` has the flows of devices before it.

    It goes on past ambiguous routes as ``choices`` decides; each hop's events say so.
    """
    hops: list[Hop] = []
    known = dict(memory)
    out = start
    while len(hops) < MAX_HOPS:
        if out in fabric.attachments:
            return Trace(tuple(hops), known, None, fabric.attachments[out])
        end = fabric.far_ends[out]
        node = fabric.nodes[end.node]
        if isinstance(node, EndSystem):
            hops.append(Hop(node.name, end.interface, packet, None))
            return Trace(tuple(hops), known, node if packet.destination.ip == node.address.ip else None)
        remembered = known.get(node.name, ())
        if isinstance(node, Proxy):
            crossing = cross_proxy(node, packet, end.interface, remembered, choices=choices)
        else:
            crossing = cross(node, profile_of(node), packet, end.interface, remembered, choices=choices)
        hops.append(Hop(node.name, end.interface, packet, crossing))
        if crossing.flow is not None:
            known[node.name] = (*known.get(node.name, ()), crossing.flow)
        if crossing.egress is None:
            break
        packet = crossing.packet
        out = LinkEnd(node.name, crossing.egress)
    return Trace(tuple(hops), known, None)


# --- fragments -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FragmentTrace:
    """A fragment's hops, those of the packet that it made whole included, and what is kept afterwards.

    ``whole`` are the fragments of that packet, by their places, None where the fragment waits somewhere or is dropped.
    """

    hops: tuple[Hop, ...]
    memory: Memory
    waiting: Waiting
    whole: Run | None = None
    arrived_at: EndSystem | None = None


def trace_fragment(
    fabric: Fabric, profile_of: ProfileOf, start: LinkEnd, fragment: Fragment, *, memory: Memory, waiting: Waiting
) -> FragmentTrace:
    """Follow a fragment that a node sends out of an interface, and the packet that it makes whole.

    ``waiting`` are the fragments that devices keep, and ``memory`` has the flows of devices before it.
    """
    hops: list[Hop] = []
    packet, out = fragment.packet, start
    while out in fabric.far_ends and len(hops) < MAX_HOPS:
        end = fabric.far_ends[out]
        node = fabric.nodes[end.node]
        place = place_of(node, fragment, end.interface)
        refused = inbound_refusal(node, packet, end.interface) if isinstance(node, Device) else None
        if refused is not None:
            hops.append(Hop(node.name, end.interface, packet, refused))
            break
        if place is not None:
            gathered = gather(waiting, place, fragment)
            if gathered.whole is not None:
                # It is the packet of which the first part has come, and comes in where the last missing part does.
                went = trace(fabric, profile_of, out, gathered.whole[0].packet, memory)
                hops += went.hops
                return FragmentTrace(tuple(hops), went.memory, gathered.waiting, gathered.whole, went.arrived_at)
            says = f"fragment {fragment.start} to {fragment.end} of {fragment.identification} waits for the rest"
            crossing = Crossing((Event(Verb.GATHERED, says, packet, packet),), packet, None, None)
            hops.append(Hop(node.name, end.interface, packet, crossing))
            return FragmentTrace(tuple(hops), memory, gathered.waiting)
        assert isinstance(node, Device)  # noqa: S101 - only a plain router forwards a fragment by itself
        crossing = cross(node, profile_of(node), packet, end.interface, ())
        hops.append(Hop(node.name, end.interface, packet, crossing))
        if crossing.egress is None:
            break
        out = LinkEnd(node.name, crossing.egress)
    return FragmentTrace(tuple(hops), memory, waiting)
