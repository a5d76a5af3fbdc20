"""A lab that is up, made what another intent says, by difference; and whether each of its nodes is as it should be.

Reading, comparing and changing happen in a process inside the lab, which asks the lab's first process for what only
that one can do: its servers. A node that fails keeps no other from being changed. Cut off anywhere, this leaves what
the next application finishes.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farshore.engine.haproxy import master
from farshore.engine.nftables import nft
from farshore.engine.placement import namespaced_nodes
from farshore.errors import MachineError, shell_word
from farshore.fabric.model import Fabric
from farshore.fabric.names import NodeName
from farshore.lab.lab_init import SOCKET, Answer, Job, Order, Passing, Progress, Request, engines_of, read_keys
from farshore.lab.record import Record
from farshore.lab.registry import LabEntry
from farshore.machine.cycle import NodeStatus, RoundResult, State, ended
from farshore.machine.inside import Channel, Child, call, running
from farshore.reporter import SILENT, Reporter

if TYPE_CHECKING:
    from farshore.machine.changes import Change


class Go(Enum):
    """What the command sends when what was found is to be changed."""

    GO = "go"


@dataclass(frozen=True, slots=True)
class NodeState:
    """How a node is, with what an application would do to it."""

    node: NodeName
    state: State
    changes: tuple[Change, ...] = ()
    failure: NodeStatus | None = None

    def __str__(self) -> str:
        """Return ``customer-a/ce: differs: add route: 10.2.2.0/28 is missing (3 changes)``, or why it failed."""
        if self.failure is not None:
            since = datetime.datetime.fromtimestamp(self.failure.since, datetime.UTC).isoformat(timespec="seconds")
            return f"{self.node}: {self.state} since {since}: {self.failure.why}; tried again by farshore lab apply"
        if not self.changes:
            return f"{self.node}: {self.state}"
        first, number = self.changes[0], len(self.changes)
        more = f" ({number} changes)" if number > 1 else ""
        return f"{self.node}: {self.state}: {first.what}: {first.reason}{more}"


# --- the command's side ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pending:
    """What a lab needs to become what an intent says. It is of use in the body of :func:`compared` only."""

    changes: tuple[Change, ...]
    _entry: LabEntry
    _record: Record
    _child: Child[tuple[Change, ...] | Progress, Go, Mapping[NodeName, str]]

    def carry_out(self, reporter: Reporter = SILENT) -> Mapping[NodeName, str]:
        """Make the changes, and return why nodes could not be changed, by their names.

        Raises MachineError where the lab ends, or its first process refuses. What had been done until then stays.
        """
        # Written before anything changes: who is cut off in between has the lab on record that it is to be.
        self._entry.write(self._record)
        reporter.started("lab")
        self._child.send(Go.GO)
        for progress in self._child:
            if isinstance(progress, Progress):
                reporter.advanced(progress.done, progress.total, progress.item)
        reporter.finished("lab")
        return self._child.result()


@contextlib.contextmanager
def compared(entry: LabEntry, intent: Path, fabric: Fabric) -> Iterator[Pending]:
    """Compare a lab that is up with a fabric; the body may have the changes made. Another application waits.

    Raises MachineError where the lab is not up, or a tool is missing.
    """
    nft.program()
    if fabric.proxies:
        master.program()
    record = entry.read()
    if record is None or not record.is_up:
        fix = f"bring it up with: farshore lab up {shell_word(str(intent))} --name {entry.name}"
        raise MachineError(f"lab {entry.name!r} is down; {fix}")
    job = Job(entry.name, fabric, read_keys(fabric, intent))
    renewed = replace(record, design=fabric.design, intent=str(intent.resolve()), nodes=namespaced_nodes(fabric))
    with running(record.world, apply_inside, job) as child:
        changes = child.receive()
        assert isinstance(changes, tuple)  # noqa: S101 - the first thing it sends
        yield Pending(changes, entry, renewed, child)


def states(record: Record) -> tuple[NodeState, ...]:
    """Return how each node of a lab is. Raises MachineError where the lab is gone."""
    return call(record.world, states_inside)


# --- inside the lab --------------------------------------------------------------------------------


def apply_inside(command: Channel[tuple[Change, ...] | Progress, Go], job: Job) -> Mapping[NodeName, str]:
    """Send what must change and, when asked, change it. Return why nodes could not be changed."""
    from farshore.engine.linux import desired_state
    from farshore.lab.services import ServersFirst
    from farshore.machine.apply import read_all
    from farshore.machine.difference import difference
    from farshore.machine.kept import KeptMachine
    from farshore.machine.world import PRIVATE

    desired, engines = desired_state(job.fabric), engines_of(job)
    with _first_process() as first:
        _ask(first, Request(Order.CLAIM))
        services = _ask(first, Request(Order.LOOK, job)).changes
        command.send((*difference(desired, read_all(desired, engines, PRIVATE), engines), *services))
        command.receive()
        _ask(first, Request(Order.WITHDRAW, job))
        before = _ask(first, Request(Order.LOOK)).status
        provide = Request(Order.PROVIDE, job)
        steps = ServersFirst(lambda: _ask(first, provide))
        result = KeptMachine(desired, engines, PRIVATE, steps, Passing(command)).bring((), full=True)
        failures = {**_ask(first, provide).failures, **result.failures}
        status = ended(before, tuple(desired.nodes), RoundResult(result.changes, failures), time.time(), full=True)
        _ask(first, Request(Order.NOTE, status=status))
    return failures


def states_inside(_command: Channel[None, None]) -> tuple[NodeState, ...]:
    """Return how each node of this lab is, of those that it should have and of those that it has."""
    from farshore.engine.linux import desired_state
    from farshore.machine.apply import read_all
    from farshore.machine.difference import difference
    from farshore.machine.world import PRIVATE

    with _first_process() as first:
        answer = _ask(first, Request(Order.LOOK))
    desired, engines = desired_state(answer.job.fabric), engines_of(answer.job)
    changes = (*difference(desired, read_all(desired, engines, PRIVATE), engines), *answer.changes)
    by_node: dict[NodeName, tuple[Change, ...]] = dict.fromkeys(desired.nodes, ())
    for node, of_node in itertools.groupby(changes, key=lambda change: change.node):
        by_node[node] = (*by_node.get(node, ()), *of_node)
    wrong = State.CHANGING if answer.changing else State.DIFFERS
    # Nothing here tries again by itself.
    failed = {each.node: replace(each, next_try=None) for each in answer.status.of(State.FAILED)}

    def state(node: NodeName, found: tuple[Change, ...]) -> NodeState:
        if not found:
            return NodeState(node, State.RIGHT)
        failure = failed.get(node) if wrong is State.DIFFERS else None
        return NodeState(node, wrong if failure is None else State.FAILED, found, failure)

    return tuple(state(node, found) for node, found in by_node.items())


def _first_process() -> Connection[Any, Any]:
    try:
        return Client(str(SOCKET), "AF_UNIX")
    except OSError as error:
        raise MachineError(f"the lab's first process does not answer: {error.strerror}") from error


def _ask(first: Connection[Any, Any], request: Request) -> Answer:
    try:
        first.send(request)
        answer: Answer = first.recv()
    except (EOFError, OSError) as error:
        raise MachineError("the lab's first process has ended") from error
    if answer.refusal:
        raise MachineError(answer.refusal)
    return answer
