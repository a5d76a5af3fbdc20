"""The desired state of a machine, as plain values.

Links are unnumbered. The far end of every link is one permanent neighbour, by the name of NEXT_HOP, which
stands in routes only and is no node's address: no packet ever carries it, no ARP ever asks for it, and
permanent neighbours do not count against the kernel's neighbour table, which all namespaces share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from farshore.fabric.names import LinkEnd, NodeName
from farshore.origin import Origin

NEXT_HOP = IPv4Address("169.254.0.1")
MAIN_TABLE = 254
EVERYWHERE = IPv4Network("0.0.0.0/0")
# By this protocol number (rtnetlink(7)) a route or routing rule of ours is known, wherever it is. No routing daemon in
# iproute2's list of them has it, nor one of FRR; it is the letter f.
ROUTING_PROTOCOL = 102


@dataclass(frozen=True, slots=True)
class DesiredInterface:
    """One end of a veth pair. ``mtu`` in bytes. MAC addresses are those of this end and of the far one."""

    name: str
    mac: str
    far_mac: str
    mtu: int
    addresses: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class DesiredRoute:
    """A route out of an interface, or a blackhole where ``interface`` is None. ``table`` is the table's number."""

    destination: IPv4Network
    interface: str | None
    table: int = MAIN_TABLE


class RuleAction(StrEnum):
    """What a routing rule does with a packet that it matches (ip-rule(8))."""

    LOOK_UP = "lookup"
    GO_TO = "goto"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, order=True)
class DesiredRule:
    """A rule of the routing policy: in the order of ``priority``, the first that matches decides.

    ``mark`` and ``mask`` are of the packet's mark, 0 and 0 for any; ``interface`` is where it came in, ``lo``
    for what is sent from here, None for any. ``target`` is a table, or the priority to go on at.
    """

    priority: int
    action: RuleAction
    target: int = 0
    mark: int = 0
    mask: int = 0
    interface: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class BorrowedInterface:
    """An interface that a namespace has from elsewhere, and that goes back there before the namespace ends.

    ``port`` is its name there, in the namespace in which whoever applies runs, and ``name`` its name here.
    """

    name: str
    port: str


@dataclass(frozen=True, slots=True)
class DesiredNode:
    """Everything inside one namespace that the machine itself makes.

    Attributes:
        name: the node.
        namespace: the name of its namespace.
        interfaces: its ends of links.
        routes: its routes, of ROUTING_PROTOCOL.
        settings: kernel settings by their paths below /proc/sys, in the order in which they are made.
        rules: the rules of its routing policy, of ROUTING_PROTOCOL.
        borrowed: interfaces that it has from elsewhere.
        daemons: the routing protocol numbers of others, an engine's or a routing daemon's: what carries one is theirs.
        origin: the line of the intent that asks for it, for messages alone.
    """

    name: NodeName
    namespace: str
    interfaces: tuple[DesiredInterface, ...]
    routes: frozenset[DesiredRoute]
    settings: tuple[tuple[str, str], ...]
    rules: frozenset[DesiredRule] = frozenset()
    borrowed: tuple[BorrowedInterface, ...] = ()
    daemons: frozenset[int] = frozenset()
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DesiredLink:
    """A veth pair between two namespaces."""

    left: LinkEnd
    right: LinkEnd


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything that is to be on the machine.

    ``configurations`` are what each engine is to load, by the engine's name and the node; the machine cannot read them.
    """

    nodes: Mapping[NodeName, DesiredNode]
    links: tuple[DesiredLink, ...]
    configurations: Mapping[str, Mapping[NodeName, str]] = field(default_factory=dict)

    def wanted(self, engine: str, nodes: Iterable[NodeName]) -> dict[NodeName, str]:
        """Return what an engine is to load in these nodes, of those where it is to load something."""
        configurations = self.configurations.get(engine, {})
        return {node: configurations[node] for node in nodes if node in configurations}
