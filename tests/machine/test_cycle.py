"""Rounds: what fails waits longer each time, the others do not wait for it, and everything is read now and then."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from farshore.fabric.names import NodeName
from farshore.machine.cycle import (
    FIRST_PAUSE,
    FULL_ROUND,
    LONGEST_PAUSE,
    RoundResult,
    State,
    Status,
    begun,
    cycle,
    pause,
)

A, B, C = NodeName("a/ce"), NodeName("b/ce"), NodeName("c/ce")


@dataclass
class Fake:
    """A machine of which some nodes cannot be changed."""

    there: list[NodeName] = field(default_factory=lambda: [A, B])
    broken: dict[NodeName, str] = field(default_factory=dict)
    rounds: list[tuple[NodeName, ...]] = field(default_factory=list)
    full: list[bool] = field(default_factory=list)

    def nodes(self) -> Collection[NodeName]:
        return self.there

    def bring(self, but: Collection[NodeName], *, full: bool) -> RoundResult:
        self.full.append(full)
        nodes = tuple(node for node in self.there if node not in but)
        self.rounds.append(nodes)
        return RoundResult(len(nodes), {node: why for node, why in self.broken.items() if node in nodes})


def test_what_is_right_is_looked_at_in_full_rounds_only() -> None:
    machine = Fake()
    status = cycle(Status(), machine, 0)
    assert status.sentence(0) == "2 of 2 nodes are right"
    assert cycle(status, machine, FULL_ROUND - 1) == Status(status.nodes, 0, 0)
    assert cycle(status, machine, FULL_ROUND).full == FULL_ROUND
    assert machine.rounds == [(A, B), (A, B)]


def test_a_round_for_one_node_is_no_full_one() -> None:
    machine = Fake(broken={A: "no such device"})
    cycle(cycle(Status(), machine, 0), machine, 1)
    assert machine.full == [True, False]


def test_what_fails_waits_and_the_others_do_not_wait_for_it() -> None:
    machine = Fake(broken={A: "no such device"})
    status = cycle(Status(), machine, 100)
    assert status.nodes[B].state is State.RIGHT
    failed = status.nodes[A]
    assert (failed.state, failed.since, failed.why, failed.next_try) == (State.FAILED, 100, "no such device", 101)
    assert status.sentence(100.5) == ("1 of 2 nodes are right; a/ce failed for 0 s (no such device), next try in 0 s")
    status = cycle(status, machine, 100.5)
    status = cycle(status, machine, 101)
    assert machine.rounds == [(A, B), (A, B)]
    assert (status.nodes[A].since, status.nodes[A].failures, status.nodes[A].next_try) == (100, 2, 103)
    machine.broken = {}
    status = cycle(status, machine, 103)
    assert (status.nodes[A].state, status.nodes[A].since, status.nodes[A].failures) == (State.RIGHT, 103, 0)


def test_in_a_full_round_too_what_fails_waits() -> None:
    machine = Fake(broken={A: "refused"})
    status = Status()
    clock = 0.0
    while clock < FULL_ROUND:
        status = cycle(status, machine, clock)
        clock = status.nodes[A].next_try or clock
    waiting = status.nodes[A].next_try
    assert waiting is not None
    machine.rounds.clear()
    cycle(status, machine, FULL_ROUND)
    assert machine.rounds == [(B,)]


def test_pauses_double_and_are_bounded() -> None:
    pauses = [pause(failures) for failures in range(1, 12)]
    assert pauses[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert pauses == sorted(pauses)
    assert pauses[-1] == pause(10**9) == LONGEST_PAUSE


@pytest.mark.parametrize("now", [1.0, 50.0])
def test_what_is_new_is_changing_until_it_is_right_and_what_goes_is_forgotten(now: float) -> None:
    machine = Fake()
    status = cycle(Status(), machine, 0)
    assert begun(status, [C], now).nodes[C].state is State.CHANGING
    assert "1 changing" in begun(status, [C], now).sentence(now)
    machine.there = [B, C]
    status = cycle(status, machine, now)
    assert machine.rounds[1:] == [(B, C)]
    assert {name: each.since for name, each in status.nodes.items()} == {B: 0, C: now}


def test_a_failure_at_the_far_end_counts_there() -> None:
    class Entangled(Fake):
        def bring(self, but: Collection[NodeName], *, full: bool) -> RoundResult:  # noqa: ARG002 - every round fails
            return RoundResult(0, {} if A in but else {B: "its link cannot be created"})

    status = cycle(Status(), Entangled(there=[A]), 0)
    assert status.nodes[B].state is State.FAILED


def test_the_status_can_be_read_by_programs() -> None:
    status = cycle(Status(), Fake(broken={A: "refused"}), 7)
    document = json.loads(json.dumps(status.document()))
    assert document["full"] == 7
    assert document["nodes"][0] == {
        "node": "a/ce",
        "state": "failed",
        "since": 7,
        "why": "refused",
        "failures": 1,
        "next_try": 8,
    }
