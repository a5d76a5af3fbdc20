"""What an engine loads at once is one step: as a whole where one of its nodes differs, and where one fails none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from live_world import World

from farshore.engine.nftables import nft
from farshore.errors import MachineError
from farshore.fabric.names import NodeName
from farshore.machine.apply import apply
from farshore.machine.cycle import State, Status, cycle
from farshore.machine.desired import DesiredNode, DesiredState
from farshore.machine.engine import Configurations, Engine, Reading
from farshore.machine.kept import KeptMachine
from farshore.machine.namespace import Namespaces, namespace_name
from farshore.machine.steps import Step, Steps
from farshore.machine.world import PRIVATE

pytestmark = pytest.mark.kernel

A, B, C = NodeName("a/nat"), NodeName("b/nat"), NodeName("c/nat")
TABLE = "inet fused"


@dataclass(frozen=True)
class Fusing(Engine):
    """Loads all nodes of one name at once: a table in the namespace of each says what all of them have."""

    fused: frozenset[NodeName]
    loads: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "fusing"

    @property
    def noun(self) -> str:
        return "program"

    def digest(self, configuration: str) -> str:
        return hashlib.sha256(configuration.encode()).hexdigest()[:16]

    def units(self, nodes: Iterable[NodeName]) -> Iterator[frozenset[NodeName]]:
        names = set(nodes)
        if names & self.fused:
            yield frozenset(names & self.fused)
        yield from (frozenset({each}) for each in sorted(names - self.fused))

    def check(self, namespaces: Namespaces, configurations: Configurations) -> None:
        del namespaces
        if "nonsense" in configurations.values():
            raise MachineError("no such program")

    def read(
        self, namespaces: Namespaces, nodes: Collection[NodeName], *, full: bool = False
    ) -> Mapping[NodeName, Reading]:
        del full
        found = {}
        for node in nodes:
            with namespaces.entered(namespace_name(node)):
                said = re.search(r"own:(\w+)", nft._listing())
            found[node] = Reading(said[1] if said else None)
        return found

    def load(self, namespaces: Namespaces, configurations: Configurations, *, in_use: bool) -> None:
        del in_use
        self.check(namespaces, configurations)
        self.loads.append(tuple(sorted(configurations)))
        for node, text in configurations.items():
            content = f'table {TABLE} {{ comment "own:{self.digest(text)} of:{len(configurations)}"; }}'
            with namespaces.entered(namespace_name(node)):
                nft._transact(f"table {TABLE}\ndelete table {TABLE}\n{content}\n")

    def unload(self, namespaces: Namespaces, nodes: Collection[NodeName], surplus: Collection[str] = ()) -> None:
        assert not surplus
        self.loads.append(("-", *sorted(nodes)))
        for node in nodes:
            with namespaces.entered(namespace_name(node)):
                nft.unload([TABLE])


class Names(Steps):
    """Keeps the names of steps."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, tuple[str, ...]]] = []

    def after(self, step: Step) -> None:
        self.taken.append((step.name, tuple(sorted(step.nodes))))


def desired(**programs: str) -> DesiredState:
    """Return three nodes, and the programs of some."""
    nodes = {name: DesiredNode(name, namespace_name(name), (), frozenset(), ()) for name in (A, B, C)}
    return DesiredState(nodes, (), {"fusing": {NodeName(f"{name}/nat"): text for name, text in programs.items()}})


Taken = list[tuple[list[str], list[tuple[str, tuple[str, ...]]], list[tuple[str, ...]]]]


def taken(steps: list[dict[str, str]]) -> Taken:
    """Apply programs one after another: of each, the changes, the steps and what the engine was given."""
    outcomes = []
    for programs in steps:
        engine, heard = Fusing(frozenset({A, B})), Names()
        changes = apply(desired(**programs), (engine,), PRIVATE, steps=heard)
        loads = [each for each in heard.taken if "program" in each[0]]
        outcomes.append(([str(each) for each in changes if "program" in str(each)], loads, engine.loads))
    return outcomes


def test_what_is_loaded_at_once_is_one_step(world: World) -> None:
    first, other, one, same, gone = world.call(
        taken,
        [
            {"a": "1", "b": "1", "c": "1"},
            {"a": "1", "b": "2", "c": "1"},
            {"a": "1", "b": "2", "c": "3"},
            {"a": "1", "b": "2", "c": "3"},
            {"c": "3"},
        ],
    )
    assert sorted(first[1]) == [(f"{A}: load program", (A, B)), (f"{C}: load program", (C,))]
    assert sorted(first[2]) == [(A, B), (C,)]
    assert other[0] == [
        f"{A}: load program: loaded together with {B}",
        f"{B}: load program: the desired program has changed",
    ]
    assert other[2] == [(A, B)]
    assert one[2] == [(C,)]
    assert same == ([], [], [])
    assert gone[1] == [(f"{A}: remove program", (A, B))]
    assert gone[2] == [("-", A, B)]


def failing() -> tuple[Status, Status]:
    """Keep a machine right on which one of two nodes that are loaded at once has no program that loads."""
    engine = Fusing(frozenset({A, B}))
    first = cycle(Status(), KeptMachine(desired(a="1", b="nonsense", c="1"), (engine,), PRIVATE), 0)
    return first, cycle(first, KeptMachine(desired(a="1", b="2", c="1"), (engine,), PRIVATE), 5)


def test_what_is_loaded_at_once_fails_at_once(world: World) -> None:
    first, later = world.call(failing)
    assert sorted(each.node for each in first.of(State.FAILED)) == [A, B]
    assert first.nodes[C].state is State.RIGHT
    assert "load program: no such program" in first.nodes[A].why
    assert not later.of(State.FAILED)
