"""The result of the proof for one packet: where it arrives, with which source, and whether the reply returns.

Nothing is walked here. Everything that a link can carry is spread once, as for a proof, and the packet is looked
up in what came of that: so whatever is tried for real can be held against the very sets that a proof judges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NamedTuple

from farshore.fabric.model import Fabric
from farshore.fabric.names import LinkEnd, NodeName
from farshore.port import Port
from farshore.proof.sets.intervals import Interval, of_port
from farshore.proof.sets.senders import Senders, every_source
from farshore.proof.sets.targets import Targets, every_target
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.returning import Clean, Strayed, strayed
from farshore.proof.spread.spread import Arrival, Terrain, spread
from farshore.realm import Address, Realm
from farshore.semantics.profile import ProfileOf


class Arrived(NamedTuple):
    """One packet at one end system.

    It is seen as coming from ``source``, with one of ``ports``, all of them where nothing gave it another.
    ``through`` are the nodes on its way. It is the node's ``own`` where it is addressed to it. A ``doubtful`` one met
    a look-up that has no one right answer, and need not arrive. Where it is ``answered``, the answer comes back.
    """

    node: NodeName
    own: bool
    source: IPv4Address
    ports: Interval
    through: tuple[NodeName, ...]
    doubtful: bool
    answered: bool


class _Replied(NamedTuple):
    """An arrival of all that a link can carry, and those of it that get no reply."""

    arrival: Arrival
    astray: tuple[Strayed, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A fabric that answers queries about single packets. A link is spread at its first query, and only then."""

    terrain: Terrain
    links: dict[tuple[LinkEnd, Realm], tuple[_Replied, ...]]

    @classmethod
    def of(cls, fabric: Fabric, profile_of: ProfileOf) -> Query:
        """Make a fabric ready for queries."""
        return cls(Terrain(fabric, profile_of, {}), {})

    def arrivals(self, start: LinkEnd, source: IPv4Address, destination: Address, port: Port) -> tuple[Arrived, ...]:
        """Return where the first packet of a flow arrives that is sent out of an interface.

        The destination's realm is what its sender means: it tells which of two rival routes is the right one.
        """
        found = self.links.get((start, destination.realm))
        if found is None:
            found = self.links[start, destination.realm] = tuple(self._everything(start, destination.realm))
        sent, target, port_index = int(source), int(destination.ip), of_port(port)
        return tuple(
            _arrived(each, sender, answered=not _among(each.astray, sent, target, port_index))
            for each in found
            if _holds(each.arrival.stream.targets, target, port_index)
            for sender in _those(each.arrival.stream.senders, sent)
        )

    def _everything(self, start: LinkEnd, realm_of_target: Realm) -> Iterator[_Replied]:
        node = self.terrain.fabric.nodes[start.node]
        realm = next(interface.realm for interface in node.interfaces if interface.name == start.interface)
        found, clean = spread(self.terrain, start, Stream(every_source(realm), every_target(realm_of_target))), Clean()
        for arrival in found.arrivals:
            # A node does not answer what is not addressed to it.
            yield _Replied(arrival, tuple(strayed(self.terrain, arrival, clean)) if arrival.own else ())


def _arrived(there: _Replied, sender: Senders, *, answered: bool) -> Arrived:
    ((source, _, ports),) = sender.ports()
    path = there.arrival.path
    return Arrived(
        there.arrival.node.name,
        there.arrival.own,
        IPv4Address(source),
        ports,
        tuple(visit.node for visit in path),
        any(visit.passage.doubtful for visit in path),
        answered and there.arrival.own,
    )


def _among(astray: tuple[Strayed, ...], sent: int, target: int, port_index: int) -> bool:
    return any(
        _holds(each.targets, target, port_index) and any(s.first <= sent <= s.last for s in each.senders)
        for each in astray
    )


def _holds(targets: tuple[Targets, ...], target: int, port_index: int) -> bool:
    return any(each.first <= target <= each.last and each.low <= port_index <= each.high for each in targets)


def _those(senders: tuple[Senders, ...], sent: int) -> Iterator[Senders]:
    return (one for each in senders if (one := each.which_were(sent, sent)) is not None)
