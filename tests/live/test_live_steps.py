"""Whoever applies may be killed between any two steps: nothing is open then, and the next application finishes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from dataclasses import replace

import pytest
from live_assault import Assault
from live_intents import DISTINCT, POOLED, case, without_tenant
from live_world import World

from farshore.engine.nftables.desired import compile_fabric
from farshore.engine.nftables.engine import Nftables
from farshore.fabric.model import Fabric
from farshore.machine.apply import apply, remove
from farshore.machine.desired import BorrowedInterface, DesiredState
from farshore.machine.steps import Step, Steps, phases
from farshore.machine.world import PRIVATE

pytestmark = pytest.mark.kernel

ENGINES = (Nftables(),)
PORT, OTHER_END, BORROWER = "wan0", "wan1", "customer-b/ce"


class Counting(Steps):
    """Counts steps, and kills the process before one of them: between that one and what went before."""

    def __init__(self, last: int | None = None) -> None:
        self.names: list[str] = []
        self.begun = 0
        self.last = last

    def before(self, step: Step) -> None:
        self.names.append(f"before {step.name}")
        self.begun += 1
        if self.begun == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def after(self, step: Step) -> None:
        self.names.append(f"after {step.name}")


def with_loan(fabric: Fabric) -> DesiredState:
    """Return the desired state of a fabric, with an interface that one node has from elsewhere."""
    desired = compile_fabric(fabric)
    borrower = replace(desired.nodes[BORROWER], borrowed=(BorrowedInterface("uplink", PORT),))  # type: ignore[index]
    return replace(desired, nodes={**desired.nodes, borrower.name: borrower})


def killed_at(desired: DesiredState, last: int) -> bool:
    """Apply in a process of its own, killed before a step; tell whether it was."""
    child = os.fork()
    if child == 0:
        try:
            apply(desired, ENGINES, PRIVATE, steps=Counting(last))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def make_port() -> None:
    """Make an interface that can be borrowed, where whoever applies runs."""
    subprocess.run(["/usr/sbin/ip", "link", "add", PORT, "type", "veth", "peer", "name", OTHER_END], check=True)


Outcome = tuple[str, list[str], list[str], bool]
PARTS = 4


def at_every_step(before: Fabric | None, after: Fabric, part: int) -> list[Outcome]:
    """Go from one fabric to another, killed before a step and finished, and so for every step of a part of them.

    Return of each: its number, what arrived untranslated, what is done after all was finished, and whether the
    interface that was borrowed is back. It ends where there is no such step any more.
    """
    make_port()
    loan = with_loan(before) if before is not None else None
    desired = compile_fabric(after)
    outcomes: list[Outcome] = []
    step = 1 + part
    while True:
        if loan is not None:
            apply(loan, ENGINES, PRIVATE)
            assert PORT not in dict(map(reversed, socket.if_nameindex()))  # type: ignore[arg-type]
        assault = Assault(after)
        assault.inject()
        if not killed_at(desired, step):
            break
        assault.inject()
        apply(desired, ENGINES, PRIVATE)
        assault.inject()
        again = [str(change) for change in apply(desired, ENGINES, PRIVATE)]
        back = PORT in [name for _, name in socket.if_nameindex()]
        outcomes.append((f"step {step}", assault.untranslated(), again, back))
        if before is None:
            remove(PRIVATE, PRIVATE.names())
        step += PARTS
    return outcomes


ONE = without_tenant(case(DISTINCT), "customer-b")
CHANGES: dict[str, tuple[Fabric | None, Fabric]] = {
    "a tenant goes": (case(DISTINCT).fabric, ONE),
    "a tenant goes and another changes": (case(DISTINCT).fabric, without_tenant(case(POOLED), "customer-b")),
    "all is made": (None, ONE),
}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_killed_between_any_two_steps(world: World, before: Fabric | None, after: Fabric, part: int) -> None:
    outcomes = world.call(at_every_step, before, after, part)
    assert len(outcomes) >= 2
    assert [each for each in outcomes if each[1:] != ([], [], True)] == []


def heard(fabric: Fabric) -> tuple[list[str], list[str]]:
    """Return what is heard of an application, and the steps that its changes come to."""
    counting = Counting()
    changes = apply(compile_fabric(fabric), ENGINES, PRIVATE, steps=counting)
    return counting.names, [step.name for phase in phases(changes) for step in phase]


def test_each_step_is_heard_before_and_after(world: World) -> None:
    names, steps = world.call(heard, case(DISTINCT).fabric)
    assert sorted(names) == sorted(f"{when} {name}" for name in steps for when in ("before", "after"))
    # A phase begins when the one before it is over.
    loads = [number for number, name in enumerate(names) if "load rule set" in name]
    links = [number for number, name in enumerate(names) if "create link" in name]
    assert max(loads) < min(links)


def lent(fabric: Fabric) -> tuple[list[str], str]:
    """Lend an interface and take it back: return the last changes, and what is listed of it."""
    make_port()
    apply(with_loan(fabric), ENGINES, PRIVATE)
    assert apply(with_loan(fabric), ENGINES, PRIVATE) == ()
    changes = [str(change) for change in apply(compile_fabric(fabric), ENGINES, PRIVATE)]
    listed = subprocess.run(["/usr/sbin/ip", "link", "show", PORT], check=True, capture_output=True, text=True).stdout
    return changes, listed


def test_what_was_borrowed_goes_back_by_its_name_there(world: World) -> None:
    changes, listed = world.call(lent, case(DISTINCT).fabric)
    assert changes == [f"{BORROWER}: return interface: not part of the fabric, or configured otherwise"]
    assert f"{PORT}@{OTHER_END}" in listed  # it is the one that was lent: its link is whole
    assert "alias" not in listed
