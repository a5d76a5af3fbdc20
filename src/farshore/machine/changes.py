"""What can be done to a machine: one value for each thing, with the node that it is done to and the reason."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import ClassVar

from farshore.fabric.names import NodeName
from farshore.machine.desired import BorrowedInterface, DesiredInterface, DesiredLink, DesiredRoute, DesiredRule
from farshore.machine.foreign import Foreign


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to be done to a node, and why. ``str`` is a line for people."""

    action: ClassVar[str]

    node: NodeName
    reason: str

    @property
    def what(self) -> str:
        """Return what is done, in words."""
        return self.action

    def __str__(self) -> str:
        """Return ``node: what: reason``."""
        return f"{self.node}: {self.what}: {self.reason}"


@dataclass(frozen=True, slots=True)
class RemoveInterface(Change):
    """Remove an interface, and with it the far end of its link."""

    action: ClassVar[str] = "remove interface"

    interface: str


@dataclass(frozen=True, slots=True)
class ReturnInterface(Change):
    """Move an interface back to where it was borrowed, under its name there."""

    action: ClassVar[str] = "return interface"

    interface: str
    home: str


@dataclass(frozen=True, slots=True)
class RestoreInterface(Change):
    """Give an interface that is back where it was borrowed what it had there: whoever returned it was cut off.

    ``interface`` is its name there now, ``port`` the one that it is to have.
    """

    action: ClassVar[str] = "restore interface"

    interface: str
    port: str


@dataclass(frozen=True, slots=True)
class DropRecord(Change):
    """Drop the record of what a borrowed interface had, which nothing can be given back to."""

    action: ClassVar[str] = "drop record of interface"

    port: str


@dataclass(frozen=True, slots=True)
class DeleteNamespace(Change):
    """Delete a namespace, which has no interface left but its loopback."""

    action: ClassVar[str] = "delete namespace"


@dataclass(frozen=True, slots=True)
class CreateNamespace(Change):
    """Make the node's namespace."""

    action: ClassVar[str] = "create namespace"


@dataclass(frozen=True, slots=True)
class EngineChange(Change):
    """A change that an engine carries out. ``noun`` is what one of its configurations is called."""

    engine: str
    noun: str

    @property
    def what(self) -> str:
        """Return ``load rule set``."""
        return f"{self.action} {self.noun}"


@dataclass(frozen=True, slots=True)
class LoadConfiguration(EngineChange):
    """Load the node's configuration; ``in_use`` says that there is one already.

    ``unit`` are the nodes that the engine loads at once, this one among them, where they are several.
    """

    action: ClassVar[str] = "load"

    configuration: str
    in_use: bool
    unit: frozenset[NodeName] = frozenset()


@dataclass(frozen=True, slots=True)
class UnloadConfiguration(EngineChange):
    """Take away what an engine finds that is not desired; ``surplus`` names it, and None is all of ours.

    ``unit`` are the nodes that the engine unloads at once, this one among them, where they are several.
    """

    action: ClassVar[str] = "remove"

    surplus: str | None
    unit: frozenset[NodeName] = frozenset()


@dataclass(frozen=True, slots=True)
class MakeSetting(Change):
    """Write one kernel setting."""

    action: ClassVar[str] = "set kernel setting"

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class CreateLink(Change):
    """Make both ends of a link; ``node`` is the left one."""

    action: ClassVar[str] = "create link"

    link: DesiredLink


@dataclass(frozen=True, slots=True)
class BorrowInterface(Change):
    """Move an interface in from where it belongs, marked with where that is."""

    action: ClassVar[str] = "borrow interface"

    interface: BorrowedInterface


@dataclass(frozen=True, slots=True)
class ConfigureBorrowed(Change):
    """Set a borrowed interface up, with its mark, and take from it the addresses in ``surplus``.

    It is refused where a ``program`` is attached, for that cannot be taken from an interface that is not ours.
    """

    action: ClassVar[str] = "configure borrowed interface"

    interface: BorrowedInterface
    surplus: frozenset[IPv4Address] = frozenset()
    program: str | None = None


@dataclass(frozen=True, slots=True)
class RemoveForeign(Change):
    """Remove something of a form that is never desired."""

    found: Foreign


@dataclass(frozen=True, slots=True)
class RemoveAddress(RemoveForeign):
    """Remove an address of any other form than ours."""

    action: ClassVar[str] = "remove address"


@dataclass(frozen=True, slots=True)
class RemoveNeighbour(RemoveForeign):
    """Remove a permanent neighbour."""

    action: ClassVar[str] = "remove neighbour"


@dataclass(frozen=True, slots=True)
class RemoveQdisc(RemoveForeign):
    """Remove a queueing discipline and the filters that hang on it."""

    action: ClassVar[str] = "remove queueing discipline"


@dataclass(frozen=True, slots=True)
class DetachProgram(RemoveForeign):
    """Detach a program from an interface."""

    action: ClassVar[str] = "detach program"


@dataclass(frozen=True, slots=True)
class RemoveNextHop(RemoveForeign):
    """Remove a next-hop object, and with it the routes by it."""

    action: ClassVar[str] = "remove next-hop object"


@dataclass(frozen=True, slots=True)
class RemoveAltname(RemoveForeign):
    """Take an alternative name from an interface."""

    action: ClassVar[str] = "remove alternative name"


@dataclass(frozen=True, slots=True)
class RemoveIpsec(RemoveForeign):
    """Remove IPsec policies, states or defaults: all of the kind of this one."""

    action: ClassVar[str] = "remove IPsec entry"


@dataclass(frozen=True, slots=True)
class LowerTunnel(RemoveForeign):
    """Set a tunnel down that the kernel makes in every namespace."""

    action: ClassVar[str] = "set tunnel down"


@dataclass(frozen=True, slots=True)
class RemoveForeignRoute(RemoveForeign):
    """Remove a route of any other form than ours."""

    action: ClassVar[str] = "remove route"


@dataclass(frozen=True, slots=True)
class RemoveForeignRule(RemoveForeign):
    """Remove a routing rule of any other form than ours."""

    action: ClassVar[str] = "remove routing rule"


@dataclass(frozen=True, slots=True)
class RaiseLoopback(Change):
    """Set the loopback up."""

    action: ClassVar[str] = "set loopback up"


@dataclass(frozen=True, slots=True)
class ConfigureInterface(Change):
    """Give an interface its neighbour and addresses, and set it up.

    ``surplus`` are the addresses to be taken away, and ``is_new`` says that it has just been made.
    """

    action: ClassVar[str] = "configure interface"

    interface: DesiredInterface
    surplus: frozenset[IPv4Address] = frozenset()
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class RemoveRule(Change):
    """Remove a rule of the routing policy."""

    action: ClassVar[str] = "remove routing rule"

    rule: DesiredRule


@dataclass(frozen=True, slots=True)
class AddRule(Change):
    """Add a rule of the routing policy."""

    action: ClassVar[str] = "add routing rule"

    rule: DesiredRule


@dataclass(frozen=True, slots=True)
class RemoveRoute(Change):
    """Remove a route."""

    action: ClassVar[str] = "remove route"

    route: DesiredRoute


@dataclass(frozen=True, slots=True)
class AddRoute(Change):
    """Add a route."""

    action: ClassVar[str] = "add route"

    route: DesiredRoute
