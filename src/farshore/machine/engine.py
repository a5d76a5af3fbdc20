"""What an engine is to the machine: something that loads configurations into nodes, and reads what is loaded.

The machine makes namespaces, links, addresses, routes, rules and settings by itself. What a packet meets inside a
node is the engines' business: a rule set, a proxy, a program. Of each the machine knows a name, a digest, and whether
what was loaded is still there; the configuration itself is opaque to it.

An engine is given a set of nodes, for one may fuse many: what it says to load at once is loaded at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from farshore.fabric.names import NodeName
from farshore.machine.namespace import Namespaces

# By node, in a form that only the engine reads.
Configurations = Mapping[NodeName, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an engine finds in a node.

    Attributes:
        loaded: the digest of the configuration that was loaded last, None where none is loaded, empty where something
            is there that no load has finished.
        intact: whether all that was loaded is there as it was loaded.
        surplus: what is there besides, by names that :meth:`Engine.unload` takes and people understand.
    """

    loaded: str | None = None
    intact: bool = True
    surplus: tuple[str, ...] = ()


NOTHING = Reading()


class Engine(Protocol):
    """Loads configurations into nodes. Methods that touch the kernel raise MachineError or OSError.

    All of them may be called from several threads at once, for different nodes.
    """

    @property
    def name(self) -> str:
        """Return the name by which a desired state holds this engine's configurations."""

    @property
    def noun(self) -> str:
        """Return what one of its configurations is called in messages, such as "rule set"."""

    @property
    def needs_links(self) -> bool:
        """Return whether it loads into nodes whose links and addresses stand, as a program that listens there.

        What filters is loaded before there is a link, and so is all that does not say otherwise.
        """
        return False

    def digest(self, configuration: str) -> str:
        """Return what tells a configuration from every other."""

    def units(self, nodes: Iterable[NodeName]) -> Iterable[frozenset[NodeName]]:
        """Yield which of these nodes are loaded at once: one by one, or all that are fused."""

    def held(self) -> frozenset[NodeName]:
        """Return the nodes for which it holds what does not end with their namespace, as a process.

        They may have no namespace any more. Unloading there opens nothing, and comes before all else. An engine whose
        configurations end with their namespace holds nothing.
        """
        return frozenset()

    def check(self, namespaces: Namespaces, configurations: Configurations) -> None:
        """Raise MachineError where one of these could not be loaded. Nothing is changed."""

    def read(
        self, namespaces: Namespaces, nodes: Collection[NodeName], *, full: bool = False
    ) -> Mapping[NodeName, Reading]:
        """Return what is there, of every node: also where nothing of this engine is to be.

        With ``full`` all that is loaded is listed; without, an engine may trust what tells it that nothing has changed.
        """

    def load(self, namespaces: Namespaces, configurations: Configurations, *, in_use: bool) -> None:
        """Load a unit, compare what is there then with what was meant, and remember it.

        A unit is given as a whole, also where the configuration of one of its nodes alone has changed. ``in_use`` says
        that another configuration is at work there, whose flows are to lose no packet. Where MachineError is raised
        what was at work still is, or nothing passes.
        """

    def unload(self, namespaces: Namespaces, nodes: Collection[NodeName], surplus: Collection[str] = ()) -> None:
        """Take away what a reading names as surplus or, where nothing is named, all that this engine has loaded."""
