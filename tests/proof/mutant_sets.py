"""Whether two fabrics do the same to every packet, by the proof's own engine.

Every possible packet is injected on every link that packets come from. Compared are all packets that enter another
realm or arrive there, with what they were and have become, and those without a reply. Two things are left
out. What stays in its own realm concerns no other. And no node listens in the lake: a packet that one box
no longer refuses, and the next one does, has got nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from farshore.fabric.model import Fabric
from farshore.fabric.names import LinkEnd
from farshore.proof.judges.sources import Sources
from farshore.proof.sets.senders import Senders, every_source, one_source
from farshore.proof.sets.targets import every_target
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.returning import Clean, strayed
from farshore.proof.spread.spread import Terrain, spread
from farshore.realm import Realm, RealmKind
from farshore.semantics.profile import profile_of

# Streams by what is done to them and where.
Seen = dict[tuple[str, ...], list[Stream]]


@dataclass(frozen=True, slots=True)
class Start:
    """Where packets come from, and which: every possible packet, or what a host sends by its own address."""

    end: LinkEnd
    realm: Realm
    senders: tuple[Senders, ...]


def starts(fabric: Fabric) -> Iterator[Start]:
    """Yield every wire that packets come from."""
    there = Sources.of(fabric)
    for tenant in there.tenants:
        for uplink in there.site(tenant).uplinks:
            realm = realm_at(fabric, uplink)
            yield Start(uplink, realm, every_source(realm))
    for host in fabric.end_systems:
        realm, plug = host.address.realm, LinkEnd(host.name, host.interface.name)
        yield Start(plug, realm, one_source(host.address))
        if realm.kind is not RealmKind.TENANT:
            yield Start(plug, realm, every_source(realm))


def realm_at(fabric: Fabric, end: LinkEnd) -> Realm:
    """Return the realm of an interface."""
    return next(each.realm for each in fabric.nodes[end.node].interfaces if each.name == end.interface)


def seen(fabric: Fabric, start: Start) -> Seen:
    """Return all that becomes of what a wire carries."""
    terrain = Terrain(fabric, profile_of(None), {})
    found = spread(terrain, start.end, Stream(start.senders, every_target(start.realm)))
    noted: Seen = {}
    clean: Clean = {}
    for hop in found.visits:
        out = realm_at(fabric, LinkEnd(hop.node, hop.passage.egress))
        if out.kind is not RealmKind.LAKE and out != realm_at(fabric, LinkEnd(hop.node, hop.ingress)):
            noted.setdefault(("wire", hop.node, hop.passage.egress), []).append(hop.passage.left)
    for arrival in found.arrivals:
        if all(realm_at(fabric, LinkEnd(hop.node, hop.passage.egress)) == start.realm for hop in arrival.path):
            continue
        if not arrival.own:
            continue  # the node does not take it, and how it got into that realm is noted
        noted.setdefault(("arrives", arrival.node.name), []).append(arrival.stream)
        heard = tuple(
            each._replace(low=port_index, high=port_index)
            for each in arrival.stream.targets
            for port_index in arrival.listening(each)
        )
        noted.setdefault(("heard", arrival.node.name), []).append(Stream(arrival.stream.senders, heard))
        for fault in strayed(terrain, arrival, clean):
            lost = noted.setdefault(("unanswered", arrival.node.name), [])
            lost.append(Stream(fault.senders, fault.targets))
        if any(hop.passage.doubtful for hop in arrival.path):
            noted.setdefault(("doubtful", arrival.node.name), []).append(arrival.stream)
    return noted


def differences(good: Seen, other: Seen) -> Iterator[str]:
    """Yield where two fabrics do not do the same."""
    for where in dict.fromkeys((*good, *other)):
        if not same(good.get(where, []), other.get(where, [])):
            yield " ".join(where)


def same(one: list[Stream], other: list[Stream]) -> bool:
    """Tell whether two lists of sets hold the same packets: cut alike, they are the same cells."""
    if one == other:
        return True
    both = (*one, *other)
    sources = _cuts((s.first, s.last) for each in both for s in each.senders)
    destinations = _cuts((t.first, t.last) for each in both for t in each.targets)
    port_indices = _cuts((t.low, t.high) for each in both for t in each.targets)
    return _cells(one, sources, destinations, port_indices) == _cells(other, sources, destinations, port_indices)


def _cuts(bounds: Iterable[tuple[int, int]]) -> list[int]:
    return sorted({edge for first, last in bounds for edge in (first, last + 1)})


def _cells(
    streams: list[Stream], sources: list[int], destinations: list[int], port_indices: list[int]
) -> set[tuple[object, object]]:
    found: set[tuple[object, object]] = set()
    for stream in streams:
        senders = {
            sender.which_were(first, last)
            for sender in stream.senders
            for first, last in _between(sources, sender.first, sender.last)
        }
        targets = {
            (
                target.first + first - target.first,
                target.at + first - target.first,
                last - first,
                low,
                high,
                target.realm,
            )
            for target in stream.targets
            for first, last in _between(destinations, target.first, target.last)
            for low, high in _between(port_indices, target.low, target.high)
        }
        found.update((sender, target) for sender in senders for target in targets)
    return found


def _between(cuts: list[int], first: int, last: int) -> Iterator[tuple[int, int]]:
    inside = [cut for cut in cuts if first <= cut <= last + 1]
    yield from ((start, end - 1) for start, end in pairwise(inside))
