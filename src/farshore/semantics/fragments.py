"""Fragments (RFC 791 section 3.2): where a device waits for all of a packet, and what it takes for a whole one.

A device that keeps flows, and a proxy, need whole packets; a plain router forwards each fragment. Which fragments are
one packet's is judged by source, destination, protocol and identification: a device that tells flows apart by where
they came in (a zone), and a proxy (a routing instance), keep fragments apart likewise. Sources of two tenants may be
equal, so without that fragments of both would be put together. Their order does not matter. A fragment that is there
already is passed over; one that overlaps another, or the end, discards all that was kept (RFC 5722 for IPv6, and Linux
for IPv4 too).

Time and memory are left out: what is kept, is kept until the rest comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farshore.fabric.model import Device, Node, Proxy
from farshore.fabric.names import NodeName
from farshore.port import Protocol
from farshore.semantics.packet import Packet


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a packet's payload, from one byte to another. ``more`` says that the payload goes on behind it."""

    packet: Packet
    identification: int
    start: int
    end: int
    more: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where fragments wait for one another: at a node, in a zone of it, by the fields that a device can read."""

    node: NodeName
    zone: str | None
    protocol: Protocol
    source: int
    destination: int
    identification: int


# Fragments in runs, each without a gap, by their places in the packet.
Run = tuple[Fragment, ...]
Waiting = Mapping[Place, tuple[Run, ...]]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What waits after a fragment has come, and the packet's fragments, in order, where it was the last one missing."""

    waiting: Waiting
    whole: Run | None = None


def place_of(node: Node, fragment: Fragment, ingress: str) -> Place | None:
    """Return where a fragment waits at a node that it came to, None where it is forwarded by itself."""
    if isinstance(node, Device) and node.policy is None:
        return None
    apart = isinstance(node, Proxy) or (isinstance(node, Device) and node.last_hop)
    packet = fragment.packet
    return Place(
        node.name,
        ingress if apart else None,
        packet.protocol,
        int(packet.source.ip),
        int(packet.destination.ip),
        fragment.identification,
    )


def gather(waiting: Waiting, place: Place, fragment: Fragment) -> Gathered:
    """Add a fragment to those that wait at its place."""
    kept = waiting.get(place, ())
    others = {each: runs for each, runs in waiting.items() if each != place}
    if _contradicts(kept, fragment):
        return Gathered(others)
    runs = _inserted(kept, fragment)
    if runs is None:
        return Gathered(others)
    parts = tuple(part for run in runs for part in run)
    ends = [0, *(part.end for part in parts)]
    if not parts[-1].more and all(part.start == end for part, end in zip(parts, ends, strict=False)):
        return Gathered(others, parts)
    return Gathered({**others, place: runs})


def _contradicts(runs: tuple[Run, ...], fragment: Fragment) -> bool:
    """Tell whether a fragment and those before it disagree on where the packet ends."""
    parts = [part for run in runs for part in run]
    furthest = max((part.end for part in parts), default=0)
    end = next((part.end for part in parts if not part.more), None)
    if not fragment.more:
        return fragment.end < furthest or end not in (None, fragment.end)
    return end is not None and fragment.end > end


def _inserted(runs: tuple[Run, ...], fragment: Fragment) -> tuple[Run, ...] | None:
    """Return the runs with a fragment in its place, or as they are where it is there; None where it overlaps."""
    if runs and fragment.start == runs[-1][-1].end:
        return (*runs[:-1], (*runs[-1], fragment))
    for run in runs:
        if fragment.end > run[0].start and fragment.start < run[-1].end:
            return runs if run[0].start <= fragment.start and fragment.end <= run[-1].end else None
    return tuple(sorted((*runs, (fragment,)), key=lambda run: run[0].start))
