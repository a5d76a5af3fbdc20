"""The account of one source of packets: the checked cases, and every property that is refuted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from farshore.fabric.names import LinkEnd, NodeName
from farshore.proof.sets.intervals import Interval, Intervals
from farshore.proof.sets.senders import Senders, addresses, origins
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.spread import Met


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


class Packets(NamedTuple):
    """A set of packets, as they are sent out of an interface."""

    start: LinkEnd
    senders: tuple[Senders, ...]
    targets: tuple[Targets, ...]

    def hold(self, source: int, destination: int, port_index: int) -> bool:
        """Tell whether a packet is one of them."""
        return any(each.first <= source <= each.last for each in self.senders) and any(
            each.first <= destination <= each.last and each.low <= port_index <= each.high for each in self.targets
        )


class Refuted(NamedTuple):
    """A packet that refutes a property: how it is sent out of an interface, where that shows, and why.

    It is the smallest of ``packets``, where there are more.
    """

    what: Property
    start: LinkEnd
    source: int
    destination: int
    port_index: int
    node: str
    reason: str
    packets: Packets | None = None


# Of targets: the first and the last address, the first and the last port index.
Bounds = tuple[int, int, int, int]


def as_sent(targets: tuple[Targets, ...]) -> tuple[Bounds, ...]:
    """Return the bounds of targets as they were sent."""
    return tuple((each.first, each.last, each.low, each.high) for each in targets)


def as_now(targets: tuple[Targets, ...]) -> tuple[Bounds, ...]:
    """Return the bounds of targets as they are now."""
    # Written out, for there are a hundred thousand of them: each.end is a call for each.
    return tuple([(at, at + last - first, low, high) for first, last, at, low, high, _ in targets])


class Print(NamedTuple):
    """How flows look on one side of a device that remembers flows: no other flow may look so.

    ``first`` to ``last`` and ``ports`` are the senders' addresses and ports.
    ``start`` and ``sent`` tell one packet of them, as it is sent.
    """

    node: NodeName
    side: str
    first: int
    last: int
    ports: Interval
    targets: tuple[Bounds, ...]
    start: LinkEnd
    sent: tuple[int, int, int]


class Reached(NamedTuple):
    """What is reached at a node from a link: which sources that were sent, and which targets, as bounds.

    ``seen`` are the addresses by which the node knows the sources.
    """

    start: LinkEnd
    node: NodeName
    sources: Intervals
    asked: tuple[Bounds, ...]
    seen: Intervals


@dataclass(slots=True)
class Account:
    """One place that packets come from; it is written once, while that place is looked at.

    ``checked`` counts cases by property, ``touched`` are the nodes that are its own, ``met`` the
    boxes that its packets came to.
    """

    source: str
    checked: dict[Property, int] = field(default_factory=dict)
    refuted: list[Refuted] = field(default_factory=list)
    prints: list[Print] = field(default_factory=list)
    reached: list[Reached] = field(default_factory=list)
    touched: set[NodeName] = field(default_factory=set)
    met: list[Met] = field(default_factory=list)

    def reach(self, start: LinkEnd, node: NodeName, senders: tuple[Senders, ...], targets: tuple[Targets, ...]) -> None:
        """Enter what is reached, and how it is seen."""
        self.reached.append(Reached(start, node, origins(senders), as_sent(targets), addresses(senders)))

    def count(self, what: Property, cases: int) -> None:
        """Count cases that were looked at."""
        self.checked[what] = self.checked.get(what, 0) + cases

    def refute(self, what: Property, packets: Packets, node: str, reason: str) -> None:
        """Enter a set of packets as one that refutes a property, with the smallest of them."""
        source = min(each.first for each in packets.senders)
        first = min(packets.targets, key=lambda each: (each.first, each.low))
        self.refuted.append(Refuted(what, packets.start, source, first.first, first.low, node, reason, packets))
