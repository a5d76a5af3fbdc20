"""What a proof keeps of each place that packets come from: what was checked, and every property that was refuted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from farshore.fabric.model import LinkEnd
from farshore.proof.crossing import TwoSided
from farshore.proof.intervals import Interval, Intervals
from farshore.proof.senders import Senders
from farshore.proof.targets import Targets


class Property(StrEnum):
    """What must always hold, by the names under which it is reported."""

    REACH = "reach"
    NOTHING_ELSE = "nothing-else"
    ISOLATION = "tenant-isolation"
    FORGED = "no-forged-source"
    LEAKS = "no-address-leaks"
    ONE_TO_ONE = "one-to-one"
    AMBIGUITY = "no-ambiguity"
    INTERNET = "internet-containment"
    RETURN_PATH = "return-path"


class Refuted(NamedTuple):
    """A packet that refutes a property: how it is sent out of an interface, where that shows, and why."""

    what: Property
    start: LinkEnd
    source: int
    destination: int
    place: int
    node: str
    reason: str


class Print(NamedTuple):
    """How flows look on one side of a device that remembers flows: no other flow may look so.

    ``end`` are bounds of addresses and of ports, of the senders; ``targets`` bounds of addresses and of places.
    ``start`` and ``sent`` tell one packet of them, as it is sent.
    """

    node: str
    side: str
    first: int
    last: int
    ports: Interval
    targets: tuple[tuple[int, int, int, int], ...]
    start: LinkEnd
    sent: tuple[int, int, int]


class Reached(NamedTuple):
    """What is reached at a node from a wire: of all that was sent, which part, and as whom the node sees it."""

    start: LinkEnd
    node: str
    sources: Intervals
    destination: Interval
    places: Interval
    seen: Intervals


class Packets(NamedTuple):
    """A set of packets, as they are sent out of an interface."""

    start: LinkEnd
    senders: tuple[Senders, ...]
    targets: tuple[Targets, ...]


class Usual(NamedTuple):
    """A packet such as is sent every day: from a named host to an address that it knows, and a port that is offered."""

    start: LinkEnd
    source: int
    destination: int
    place: int

    def is_of(self, packets: Packets) -> bool:
        """Tell whether it is one of a set; its host is behind the interface where the set starts."""
        return any(each.first <= self.source <= each.last for each in packets.senders) and any(
            each.first <= self.destination <= each.last and each.low <= self.place <= each.high
            for each in packets.targets
        )


@dataclass(slots=True)
class Account:
    """One place that packets come from; it is written once, while that place is looked at.

    ``checked`` counts cases by property, ``touched`` are the nodes that its packets and their replies met.
    ``usual`` are packets such as are sent every day: the best examples of what goes wrong.
    """

    origin: str
    checked: dict[Property, int] = field(default_factory=dict)
    refuted: list[Refuted] = field(default_factory=list)
    prints: list[Print] = field(default_factory=list)
    reached: list[Reached] = field(default_factory=list)
    usual: tuple[Usual, ...] = ()
    touched: set[str] = field(default_factory=set)

    def count(self, what: Property, cases: int) -> None:
        """Count cases that were looked at."""
        self.checked[what] = self.checked.get(what, 0) + cases

    def refute(self, what: Property, packets: Packets, node: str, reason: str) -> None:
        """Enter one packet of a set as one that refutes a property: a usual one, if there is one, or the smallest."""
        for usual in self.usual:
            if usual.is_of(packets):
                self.refuted.append(Refuted(what, *usual, node, reason))
                return
        source = min(each.first for each in packets.senders)
        first = min(packets.targets, key=lambda each: (each.first, each.low))
        self.refuted.append(Refuted(what, packets.start, source, first.first, first.low, node, reason))


def two_sided_says(each: TwoSided) -> str:
    """Return why a look-up cannot be right."""
    return f"the destination of what arrives is {each.found}"
