"""The steps of an application: what is done at once to a node, named, and what hears of each before and after.

Whoever applies can end between any two steps, or within one: what stands then lets through no more than what stood
before or what is to stand, and the next application goes on from there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from farshore.fabric.names import NodeName
from farshore.machine.changes import (
    BorrowInterface,
    Change,
    CreateLink,
    CreateNamespace,
    DeleteNamespace,
    DropRecord,
    LoadConfiguration,
    MakeSetting,
    RemoveInterface,
    RestoreInterface,
    ReturnInterface,
    UnloadConfiguration,
)

# What is done alone, each in a step of its own kind; all else is a node's wiring.
_KINDS: tuple[tuple[type[Change], ...], ...] = (
    (RemoveInterface, ReturnInterface, RestoreInterface, DropRecord),
    (DeleteNamespace,),
    (CreateNamespace,),
    (LoadConfiguration,),
    (UnloadConfiguration,),
    (MakeSetting,),
    (CreateLink,),
    (BorrowInterface,),
)


@dataclass(frozen=True, slots=True)
class Step:
    """Changes that are made together: of one node, or of all that an engine loads at once.

    ``node`` is the first of them.
    """

    node: NodeName
    changes: tuple[Change, ...]

    @property
    def nodes(self) -> frozenset[NodeName]:
        """Return the nodes that are changed."""
        return frozenset(change.node for change in self.changes)

    @property
    def name(self) -> str:
        """Return ``customer-a/ce: create link``."""
        return f"{self.node}: {self.changes[0].what}"


class Steps:
    """Hears of each step. Every event does nothing here: a journal, or a test, overrides some.

    Steps that wait for no other are taken at the same time, so events may come from several threads.
    """

    def before(self, step: Step) -> None:
        """Hear that a step is about to be taken."""

    def after(self, step: Step) -> None:
        """Hear that a step has been taken."""


UNHEARD = Steps()  # has no state, so that one serves everybody


def phases(changes: Iterable[Change]) -> Iterator[tuple[Step, ...]]:
    """Yield the steps that changes come to, in phases: within one, no node waits for another."""
    for _, of_kind in itertools.groupby(changes, key=_kind):
        together = (tuple(changes) for _, changes in itertools.groupby(of_kind, key=_unit))
        yield tuple(Step(changes[0].node, changes) for changes in together)


def _unit(change: Change) -> tuple[str, frozenset[NodeName] | NodeName]:
    if isinstance(change, LoadConfiguration | UnloadConfiguration):
        return change.engine, change.unit or change.node
    return "", change.node


def _kind(change: Change) -> int:
    return next((number for number, kinds in enumerate(_KINDS) if isinstance(change, kinds)), len(_KINDS))
