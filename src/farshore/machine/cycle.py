"""Keeping a machine right, in rounds of reading, comparing and changing: how each node fares. Pure but for the machine.

A node that cannot be changed is left alone for a while, longer after each failure, and rounds meanwhile work on the
others. There is a round where a node is new, or due again; and a full round, now and then, for what others may have
changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from farshore.fabric.names import NodeName

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0  # seconds after a first failure, and at most
FULL_ROUND = 600.0  # seconds between two full rounds


class State(StrEnum):
    """How a node is."""

    RIGHT = "right"
    DIFFERS = "differs"  # as a reading found it, which changes nothing
    CHANGING = "changing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """How a node is, since when, and why. Times are seconds of the clock that the rounds are given.

    Attributes:
        node: the node.
        state: how it is.
        since: when it came to be so: the first failure of those that followed each other, not the last.
        why: what failed last, empty where nothing has.
        failures: how many followed each other.
        next_try: when it is due again, None where it is right.
    """

    node: NodeName
    state: State
    since: float
    why: str = ""
    failures: int = 0
    next_try: float | None = None

    def document(self) -> dict[str, Any]:
        """Return the status for programs."""
        return {
            "node": self.node,
            "state": self.state,
            "since": self.since,
            "why": self.why,
            "failures": self.failures,
            "next_try": self.next_try,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """How a machine is. ``full`` is when everything was last read, None before the first round."""

    nodes: Mapping[NodeName, NodeStatus] = field(default_factory=dict)
    full: float | None = None
    changes: int = 0

    def of(self, state: State) -> tuple[NodeStatus, ...]:
        """Return the nodes that are in a state."""
        return tuple(each for each in self.nodes.values() if each.state is state)

    def sentence(self, now: float) -> str:
        """Return the status as a sentence, the worst first."""
        parts = [f"{len(self.of(State.RIGHT)):,} of {len(self.nodes):,} nodes are right"]
        if changing := self.of(State.CHANGING):
            parts.append(f"{len(changing):,} changing")
        if failed := sorted(self.of(State.FAILED), key=lambda each: (each.since, each.node)):
            first = failed[0]
            others = f" and {len(failed) - 1:,} more" if len(failed) > 1 else ""
            due = max(0.0, (first.next_try or now) - now)
            parts.append(
                f"{first.node}{others} failed for {now - first.since:.0f} s ({first.why}), next try in {due:.0f} s"
            )
        return "; ".join(parts)

    def document(self) -> dict[str, Any]:
        """Return the status for programs."""
        return {"nodes": [each.document() for each in self.nodes.values()], "full": self.full, "changes": self.changes}


NEVER = Status()  # before the first round


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What came of working on nodes: how many changes were made, and why some nodes could not be changed."""

    changes: int = 0
    failures: Mapping[NodeName, str] = field(default_factory=dict)


class Machine(Protocol):
    """What a round is given: the machine, and what is to be on it."""

    def nodes(self) -> Collection[NodeName]:
        """Return the nodes that are to be there, or are."""

    def bring(self, but: Collection[NodeName], *, full: bool) -> RoundResult:
        """Read, compare, change what differs on all nodes but these, and say what came of it.

        ``full`` is whether all is listed, also where the kernel says that nothing has changed.
        """


def due(status: Status, nodes: Iterable[NodeName], now: float) -> tuple[NodeName, ...]:
    """Return the nodes to work on: all but those that wait, or none where there is no reason for a round."""
    known = status.nodes
    waiting = {node for node, each in known.items() if each.next_try is not None and each.next_try > now}
    chosen = tuple(node for node in nodes if node not in waiting)
    new = any(node not in known or known[node].state is not State.RIGHT for node in chosen)
    return chosen if new or is_full(status, now) else ()


def is_full(status: Status, now: float) -> bool:
    """Tell whether it is time to read everything."""
    return status.full is None or now - status.full >= FULL_ROUND


def begun(status: Status, nodes: Collection[NodeName], now: float) -> Status:
    """Return the status while these nodes are worked on. What has failed stays so until it is right."""
    known = dict(status.nodes)
    for node in nodes:
        before = known.get(node)
        if before is None:
            known[node] = NodeStatus(node, State.CHANGING, now)
    return replace(status, nodes=known)


def ended(status: Status, nodes: Collection[NodeName], result: RoundResult, now: float, *, full: bool) -> Status:
    """Return the status after these nodes were worked on. Failures elsewhere, such as at the far end, count too."""
    known = dict(status.nodes)
    for node in dict.fromkeys((*nodes, *result.failures)):
        before = known.get(node)
        why = result.failures.get(node)
        if why is not None:
            failures = before.failures + 1 if before is not None else 1
            failing = before is not None and before.state is State.FAILED
            since = before.since if failing and before is not None else now
            known[node] = NodeStatus(node, State.FAILED, since, why, failures, now + pause(failures))
        elif before is None or before.state is not State.RIGHT:
            known[node] = NodeStatus(node, State.RIGHT, now)
    return Status(known, now if full else status.full, result.changes)


def pause(failures: int) -> float:
    """Return for how many seconds a node is left alone after so many failures that followed each other."""
    # From some number on the power alone would be beyond any clock.
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 32), LONGEST_PAUSE)


def cycle(status: Status, machine: Machine, now: float) -> Status:
    """Work on what is due, and return how the machine is then. ``now`` is the clock's time, in seconds."""
    present = machine.nodes()
    status = replace(status, nodes={name: each for name, each in status.nodes.items() if name in set(present)})
    full, nodes = is_full(status, now), due(status, present, now)
    if not nodes:
        return replace(status, changes=0, full=now if full else status.full)
    result = machine.bring([node for node in present if node not in nodes], full=full)
    return ended(begun(status, nodes, now), nodes, result, now, full=full)
