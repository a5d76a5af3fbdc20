"""A machine that is kept right: what a cycle works on, where one node's failure keeps no other from being changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from farshore.errors import MachineError
from farshore.fabric.names import LinkEnd, NodeName
from farshore.machine.apply import NodeError, carry_out, read_all
from farshore.machine.changes import AddRoute, Change, ConfigureInterface, CreateLink, LoadConfiguration
from farshore.machine.cycle import Machine, RoundResult
from farshore.machine.desired import DesiredState
from farshore.machine.difference import difference
from farshore.machine.engine import Engine
from farshore.machine.namespace import Namespaces
from farshore.machine.steps import UNHEARD, Steps
from farshore.reporter import SILENT, Reporter


@dataclass(frozen=True, slots=True)
class KeptMachine(Machine):
    """The machine, and what is to be on it. Arguments are those of :func:`farshore.machine.apply.apply`."""

    desired: DesiredState
    engines: Sequence[Engine]
    namespaces: Namespaces
    steps: Steps = UNHEARD
    reporter: Reporter = SILENT

    def nodes(self) -> Collection[NodeName]:
        """Return the nodes that are to be there. What else is there goes, without a status."""
        return tuple(self.desired.nodes)

    def bring(self, but: Collection[NodeName], *, full: bool = False) -> RoundResult:
        """Change what differs. A node that fails is left as it is from there on, closed or as before, and its links."""
        failures: dict[NodeName, str] = {}
        while True:
            left = {*but, *failures}
            try:
                actual = read_all(self.desired, self.engines, self.namespaces, full=full)
                changes = without(difference(self.desired, actual, tuple(self.engines)), left)
                carry_out(changes, self.desired, self.engines, self.namespaces, self.reporter, self.steps)
            except (MachineError, OSError) as error:
                failed = error.nodes if isinstance(error, NodeError) else frozenset()
                if not failed - left:
                    # Nothing can be said of any node: what cannot even be read is not known to be right.
                    rest = {name: str(error) for name in self.nodes() if name not in left}
                    return RoundResult(0, {**failures, **rest})
                failures |= dict.fromkeys(failed, str(error))
            else:
                return RoundResult(len(changes), failures)


def without(changes: Iterable[Change], left: Collection[NodeName]) -> tuple[Change, ...]:
    """Return changes less those of nodes that are left alone, of links to them, and of what stands on these links.

    What an engine loads at once is loaded as a whole, or not while one of its nodes is left alone.
    """
    changes = tuple(changes)
    dropped = {
        end
        for change in changes
        if isinstance(change, CreateLink) and {change.link.left.node, change.link.right.node} & set(left)
        for end in (change.link.left, change.link.right)
    }

    def is_kept(change: Change) -> bool:
        match change:
            case CreateLink(link=link):
                return link.left not in dropped
            case LoadConfiguration(unit=unit) if unit:
                return unit.isdisjoint(left)
            case ConfigureInterface(interface=interface):
                return change.node not in left and LinkEnd(change.node, interface.name) not in dropped
            case AddRoute(route=route) if route.interface is not None:
                return change.node not in left and LinkEnd(change.node, route.interface) not in dropped
        return change.node not in left

    return tuple(change for change in changes if is_kept(change))
