"""The desired state of a machine, as plain values.

Links are unnumbered. The far end of every link is one permanent neighbour, by the name of NEXT_HOP, which
stands in routes only and is no node's address: no packet ever carries it, no ARP ever asks for it, and
permanent neighbours do not count against the kernel's neighbour table, which all namespaces share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from farshore.fabric.names import LinkEnd, NodeName
from farshore.origin import Origin

NEXT_HOP = IPv4Address("169.254.0.1")
MAIN_TABLE = 254
EVERYWHERE = IPv4Network("0.0.0.0/0")


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


@dataclass(frozen=True, slots=True)
class DesiredNode:
    """Everything inside one namespace. ``origin`` is the line of the intent that asks for it, for messages alone."""

    name: NodeName
    namespace: str
    interfaces: tuple[DesiredInterface, ...]
    routes: frozenset[DesiredRoute]
    settings: tuple[tuple[str, str], ...]
    ruleset: str | None
    rules: frozenset[DesiredRule] = frozenset()
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DesiredLink:
    """A veth pair between two namespaces."""

    left: LinkEnd
    right: LinkEnd


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything that is to be on the machine."""

    nodes: Mapping[NodeName, DesiredNode]
    links: tuple[DesiredLink, ...]
