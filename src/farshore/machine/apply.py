"""Applying a desired state to the machine: read, compare, change; and taking it down again."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from farshore.errors import MachineError
from farshore.fabric.names import NodeName
from farshore.machine import actual, execution, home, ipsec, programs, settings
from farshore.machine.actual import ActualNode, ActualState
from farshore.machine.changes import Change, ConfigureInterface, LoadConfiguration
from farshore.machine.desired import DesiredState
from farshore.machine.difference import difference
from farshore.machine.engine import Engine
from farshore.machine.links import wait_until_up
from farshore.machine.namespace import Namespaces, namespace_name, node_name
from farshore.machine.steps import UNHEARD, Step, Steps, phases
from farshore.reporter import SILENT, Reporter

_logger = logging.getLogger(__name__)

# Loading is mostly waiting for programs and until all processors have let go of what was there: many nodes can wait at
# once. Reading is work, half of it in the kernel: more than two threads wait for each other, and eight take half as
# long again. All else is work, which more threads would not speed up.
_LOADING_AT_ONCE = 16
_READING_AT_ONCE = 2


class NodeError(MachineError):
    """The kernel or an engine refuses what is asked for a node, or for all that an engine loads at once."""

    def __init__(self, message: str, node: NodeName | None = None, nodes: frozenset[NodeName] = frozenset()) -> None:
        """Keep which node it is, and which others are changed together with it."""
        super().__init__(message)
        self.node = node
        self.nodes = nodes or (frozenset({node}) if node is not None else nodes)


def apply(
    desired: DesiredState,
    engines: Sequence[Engine],
    namespaces: Namespaces,
    reporter: Reporter = SILENT,
    steps: Steps = UNHEARD,
    *,
    full: bool = False,
) -> tuple[Change, ...]:
    """Bring the machine to the desired state and return what was changed, nothing on a second call.

    Args:
        desired: what is to be there.
        engines: what loads the configurations that it holds.
        namespaces: where its namespaces live.
        reporter: is given the number of changes done, of all, and the node at hand.
        steps: hears of each step.
        full: whether engines list all that is loaded, also where the kernel says that nothing has changed.

    Raises:
        MachineError: The kernel or an engine refuses; what had been done until then stays, and another call goes on
            from there.
    """
    changes = difference(desired, read_all(desired, engines, namespaces, full=full), tuple(engines))
    carry_out(changes, desired, engines, namespaces, reporter, steps)
    return changes


def carry_out(  # noqa: PLR0917 - as apply, after the changes
    changes: tuple[Change, ...],
    desired: DesiredState,
    engines: Sequence[Engine],
    namespaces: Namespaces,
    reporter: Reporter = SILENT,
    steps: Steps = UNHEARD,
) -> None:
    """Make the changes that a difference says. Arguments and errors are those of :func:`apply`."""
    _logger.info("%d nodes, %d changes", len(desired.nodes), len(changes))
    _check(changes, engines, namespaces, desired)
    done = 0
    reporter.started("configuration")
    with settings.Instances() as instances:
        work = execution.Execution(desired, {engine.name: engine for engine in engines}, namespaces, instances)
        for phase in phases(changes):
            loads = isinstance(phase[0].changes[0], LoadConfiguration)
            with _threads(_LOADING_AT_ONCE if loads else 1) as pool:
                taken = [pool.submit(_take, step, work, desired, steps) for step in phase]
                for finished in as_completed(taken):
                    step = finished.result()
                    done += len(step.changes)
                    reporter.advanced(done, len(changes), step.node)
    _wait_for_links(desired, namespaces, changes)
    reporter.finished("configuration")


def _take(step: Step, work: execution.Execution, desired: DesiredState, steps: Steps) -> Step:
    steps.before(step)
    with _naming(desired, step.node, step.changes[0].what, step.nodes):
        work.take(step)
    for change in step.changes:
        _logger.debug("%s", change)
    steps.after(step)
    return step


def _check(changes: Iterable[Change], engines: Iterable[Engine], namespaces: Namespaces, desired: DesiredState) -> None:
    """Have engines check what they are to load where something is at work already, all of it before any is loaded."""
    by_name = {engine.name: engine for engine in engines}
    in_use = (
        change
        for change in changes
        # What needs links cannot be checked before they stand.
        if isinstance(change, LoadConfiguration) and change.in_use and not by_name[change.engine].needs_links
    )
    loads = [step for phase in phases(in_use) for step in phase]
    if len(loads) < 2:  # noqa: PLR2004 - a single one is loaded or refused as a whole
        return
    with _threads(_LOADING_AT_ONCE) as pool:

        def check(step: Step) -> None:
            unit = [change for change in step.changes if isinstance(change, LoadConfiguration)]
            with _naming(desired, step.node, f"check {unit[0].noun}", step.nodes):
                by_name[unit[0].engine].check(namespaces, {change.node: change.configuration for change in unit})

        for _ in pool.map(check, loads):
            pass


def _wait_for_links(desired: DesiredState, namespaces: Namespaces, changes: Iterable[Change]) -> None:
    configured = (change for change in changes if isinstance(change, ConfigureInterface))
    for name, of_node in itertools.groupby(configured, key=lambda change: change.node):
        with _naming(desired, name, "wait for links"):
            wait_until_up(namespaces, namespace_name(name), [change.interface.name for change in of_node])


def read_all(
    desired: DesiredState, engines: Sequence[Engine], namespaces: Namespaces, *, full: bool = False
) -> ActualState:
    """Read what is there: of every desired node, and of every other namespace of ours. Raises MachineError.

    With ``full`` engines list all that is loaded.
    """
    there = namespaces.names()
    wanted = {node.namespace: node for node in desired.nodes.values()}
    present = [wanted[name].name for name in there if name in wanted]
    borrowing = any(node.borrowed for node in desired.nodes.values())
    at_home = home.look(namespaces, borrowing=borrowing)
    loaded = {engine.name: engine.read(namespaces, present, full=full) for engine in engines}
    nodes: dict[NodeName, ActualNode | None] = dict.fromkeys(desired.nodes)

    def read(name: NodeName) -> ActualNode:
        with _naming(desired, name, "read the actual state"):
            node = reader.read(namespace_name(name), desired.nodes[name])
        if not (namespaces.private or node.ours):
            found = f"a network namespace {namespace_name(name)!r} exists that farshore has not made"
            raise MachineError(f"{name}: {found}; delete it or rename it")
        return replace(node, loaded={engine: readings[name] for engine, readings in loaded.items()})

    with settings.Instances() as instances, _threads(_READING_AT_ONCE) as pool:
        reader = actual.Reader(namespaces, instances, at_home, programs.loaded(), ipsec.is_there())
        nodes |= zip(present, pool.map(read, present), strict=True)
        others = {node_name(name): reader.read(name) for name in there if name not in wanted}
    unwanted = {name: node for name, node in others.items() if namespaces.private or node.ours}
    return ActualState(nodes, unwanted, at_home, {engine.name: engine.held() for engine in engines})


def remove(namespaces: Namespaces, names: Iterable[str]) -> None:
    """Take namespaces down, by name. Links go with them, what is borrowed returns. Those not there are passed over.

    Raises MachineError where what is borrowed cannot return: its namespace stays then.
    """
    at_home = home.look(namespaces, borrowing=False)
    borrowers = {record.namespace for record in at_home.records.values()}
    for name in names:
        if name in borrowers and namespaces.exists(name):
            with settings.Instances() as instances:
                node = actual.Reader(namespaces, instances, at_home).read(name)
            nothing = DesiredState({}, ())
            there = ActualState({}, {node_name(name): node}, replace(at_home, records={}, marked={}))
            carry_out(difference(nothing, there), nothing, (), namespaces)
        namespaces.delete(name)


@contextlib.contextmanager
def _threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads; when the body ends in an error, nothing that has not begun is begun."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _naming(
    desired: DesiredState, name: NodeName, what: str, nodes: frozenset[NodeName] = frozenset()
) -> Iterator[None]:
    """Turn what the kernel or an engine refuses in the body into an error that names the node."""
    try:
        yield
    except (OSError, MachineError) as error:
        node = desired.nodes.get(name)
        what = error.what if isinstance(error, execution.ChangeError) else what
        where = f"{name} ({node.origin})" if node is not None and node.origin is not None else name
        raise NodeError(f"{where}: {what}: {error}", name, nodes) from error
