"""Three labs up at once, measured in turn: each sample of one has partners from the others, seconds apart."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

from farshore.errors import MachineError
from farshore.lab import lifecycle
from farshore.machine.inside import Child, running

from . import inside
from .inside import Answer, Request
from .progress import Log
from .summary import rotated
from .variants import SERVICE_NODE, Kind, Variant, variants

MOST_CALLERS = 50

_Details = ParamSpec("_Details")
_Result = TypeVar("_Result", bound=Answer)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: how often, for how many seconds each time, and how many round trips."""

    repetitions: int
    seconds: float
    round_trips: int


@dataclass(frozen=True, slots=True)
class Samples:
    """What was measured with so many tenants: by metric and variant, the n-th of each belong together."""

    tenants: int
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, kind: Kind, measured: dict[str, float]) -> None:
        """Add what one turn of one variant gave."""
        for metric, value in measured.items():
            self.values.setdefault(metric, {}).setdefault(str(kind), []).append(value)


class Agent:
    """A process inside a lab that does what is requested."""

    def __init__(self, process: Child[Answer, Request, NoReturn]) -> None:
        """Take over a process that answers."""
        self._process = process

    def ask(self, do: Callable[_Details, _Result], *details: _Details.args, **named: _Details.kwargs) -> _Result:
        """Return what came of a request. Raises MachineError where it failed."""
        assert not details
        self._process.send((do, named))  # type: ignore[arg-type] # functions of :mod:`.inside`
        answer = self._process.receive()
        if isinstance(answer, MachineError):
            raise answer
        return answer  # type: ignore[return-value] # what that function returns


def measured(tenants: int, effort: Effort, log: Log) -> Samples:
    """Bring all variants up, measure them in turn, and take them down."""
    samples = Samples(tenants)
    with contextlib.ExitStack() as labs:
        present = {}
        for variant in variants(tenants):
            with log.time(f"labs for measuring, {tenants:,} tenants"):
                present[str(variant.kind)] = (variant, labs.enter_context(_lab(variant, log)))
        for turn in range(effort.repetitions):
            for kind in rotated([str(kind) for kind in Kind], turn):
                log.step(f"{tenants:,} tenants, round {turn + 1} of {effort.repetitions}: {kind}")
                with log.time(f"measuring, {tenants:,} tenants"):
                    variant, agent = present[kind]
                    samples.add(variant.kind, _turn(variant, agent, turn, effort))
        log.step(f"{tenants:,} tenants: taking the labs down")
    return samples


def _turn(variant: Variant, agent: Agent, turn: int, effort: Effort) -> dict[str, float]:
    """Measure everything once. Each turn another tenant calls."""
    node, address = variant.targets[turn * 7919 % len(variant.targets)]
    callers = _spread(variant.targets)
    found = {
        **agent.ask(inside.throughput, node=node, address=address, seconds=effort.seconds),
        **agent.ask(inside.connections, nodes=callers, address=address, seconds=effort.seconds),
    }
    if variant.carries_packets:
        found |= agent.ask(inside.datagrams, node=node, address=address, seconds=effort.seconds)
        found |= agent.ask(inside.round_trips, node=node, address=address, samples=effort.round_trips)
    return found


def _spread(targets: Sequence[tuple[str, str]]) -> list[str]:
    """Return as many hosts as are to connect at once, evenly from the first tenant to the last."""
    count = min(len(targets), MOST_CALLERS)
    return [targets[number * len(targets) // count][0] for number in range(count)]


@contextlib.contextmanager
def _lab(variant: Variant, log: Log) -> Iterator[Agent]:
    """Bring a variant's lab up, with everything in it that is needed, for the length of the body."""
    name = f"bench-{os.getpid()}-{variant.kind}"
    progress = log.reporter(f"{variant.kind} lab")
    with (
        lifecycle.passing(name, Path("bench.yaml"), variant.fabric, progress) as record,
        running(record.world, inside.answering) as process,
    ):
        agent = Agent(process)
        agent.ask(inside.load_rules, rules=dict(variant.rules))
        agent.ask(inside.serve, node=SERVICE_NODE, address=variant.service_address)
        yield agent
