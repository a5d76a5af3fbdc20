"""The fabric: realms, devices, links, routes, NAT rules and filters of one whole design, vendor-neutral.

It is the one truth: what is walked, proven, rendered and run is the same value. It has no behaviour
beyond look-ups; engines and renderers compute no address and decide no rule of their own.

A node's ``origin`` is the line of the intent that it is there for. It says nothing of what the node does, so two nodes
that differ in it alone are equal: a line more at the top of a file changes no device.

Links are point-to-point and unnumbered: a device has no address of its own in any realm, so nothing
of ours can collide with, or be seen by, anyone. A route names the interface, and thereby the next hop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address
from types import MappingProxyType

from farshore.caller_identity import CallerIdentity
from farshore.fabric.names import LinkEnd, NodeName
from farshore.origin import Origin
from farshore.port import Port
from farshore.realm import Address, Prefix, Realm
from farshore.translation import BasicNat, SourceTranslation

DEFAULT_MTU = 1500
# Whom a box without an address of its own gives as the sender of its ICMP errors (RFC 7600 section 4.8).
NO_ADDRESS = IPv4Address("192.0.0.8")


class NodeKind(StrEnum):
    """The role of a node in a network diagram."""

    HOST = "host"
    SERVICE = "service"
    WAN = "wan"
    CE = "ce"
    NAT = "nat"
    ROUTER = "router"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Interface:
    """The end of a link on a node. The realm is that of the addresses of its packets."""

    name: str
    realm: Realm


@dataclass(frozen=True, slots=True)
class Route:
    """Where packets to a prefix leave. ``interface`` None discards them."""

    destination: Prefix
    interface: str | None


class Direction(StrEnum):
    """Which way a packet crosses an interface, seen from the device."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Guard:
    """What may be on the wire of an interface: all else is dropped there, whatever state there is.

    An inbound guard stands before everything else the device does, an outbound guard after it. Both
    see the packet as it is on the wire, so no profile's order of operations changes their meaning.
    Inbound, an ICMP error is judged by its destination alone, for any router on its way may have sent
    it; whether the packet it quotes belongs to a flow is for the policy to say. Outbound, it may also
    come from NO_ADDRESS.
    """

    interface: str
    direction: Direction
    sources: tuple[Prefix, ...]
    destinations: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class Permit:
    """New flows that the filter lets through, from one realm into another.

    ``destination`` are the addresses on arrival and ``translated`` those on departure, as many; which of the
    two a filter sees depends on the device's order of operations. They are equal where nothing is translated.
    ``service`` is the name that people know it by, a tenant's where the provider calls.
    """

    ingress: Realm
    egress: Realm
    destination: Prefix
    translated: Prefix
    port: Port
    service: str


@dataclass(frozen=True, slots=True)
class Limit:
    """What a realm may use up: flows at any moment, and new ones in a second. None is no limit."""

    ingress: Realm
    sessions: int | None = None
    rate: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A stateful filter that drops by default.

    It passes new flows that a permit names, and packets (ICMP errors included) of flows that it let
    through, and of those only what was translated as the device's rules say. A realm has one limit at most.
    """

    permits: tuple[Permit, ...]
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """A box that packets cross. ``policy`` None forwards all that is routed, as a plain router does.

    ``destination_nat`` rewrites the destination of what arrives from a translation's inside realm, and
    ``source_nat`` the source of what leaves into its outside realm; both rewrite the replies back. A NAT
    device has a guard in both directions on every interface. With ``last_hop`` flows are distinguished by the
    interface they came in on, and replies leave by it whatever their destination.
    """

    name: NodeName
    kind: NodeKind
    interfaces: tuple[Interface, ...]
    routes: tuple[Route, ...]
    profile: str = "linux"
    destination_nat: tuple[BasicNat, ...] = ()
    source_nat: tuple[SourceTranslation, ...] = ()
    guards: tuple[Guard, ...] = ()
    policy: Policy | None = None
    last_hop: bool = False
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class EndSystem:
    """A host or a service: one address, one interface, everything else beyond it."""

    name: NodeName
    kind: NodeKind
    interface: Interface
    address: Address
    listens: tuple[Port, ...] = ()
    origin: Origin | None = field(default=None, compare=False)

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """Return the one interface, so that end systems and devices can be listed alike."""
        return (self.interface,)


@dataclass(frozen=True, slots=True)
class Front:
    """What a proxy answers for a tenant: it ends connections here and opens others to the server.

    ``own`` is the proxy's address toward the server, ``sources`` are who may connect. ``caller_identity`` is how
    the server receives the identity of the caller.
    """

    ingress: Realm
    presented: Address
    port: Port
    server: Address
    own: Address
    service: str
    sources: tuple[Prefix, ...]
    caller_identity: CallerIdentity | None = None


@dataclass(frozen=True, slots=True)
class Proxy:
    """A natively multi-tenant box: a routing instance for each realm, an application between them.

    An interface's routes are its instance's own, so equal addresses in two of them never meet.
    """

    name: NodeName
    interfaces: tuple[Interface, ...]
    fronts: tuple[Front, ...]
    limits: tuple[Limit, ...] = ()
    kind: NodeKind = NodeKind.PROXY
    origin: Origin | None = field(default=None, compare=False)


Node = Device | EndSystem | Proxy


@dataclass(frozen=True, slots=True)
class Link:
    """A point-to-point link inside one realm. ``mtu`` is in bytes, IP header included."""

    left: LinkEnd
    right: LinkEnd
    realm: Realm
    mtu: int = DEFAULT_MTU


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where an interface ends outside of the fabric, in a realm's real network.

    ``port`` is the name of the place to attach at, which whoever runs the fabric knows. ``mtu`` is in bytes.
    """

    end: LinkEnd
    realm: Realm
    port: str
    mtu: int = DEFAULT_MTU

    def __str__(self) -> str:
        """Return ``port wan0 (customer-a)``."""
        return f"port {self.port} ({self.realm})"


@dataclass(frozen=True, slots=True)
class Fabric:
    """One whole design. ``nodes`` keeps the order in which the design built them.

    ``far_ends`` leads from each end of a link to the other, and ``attachments`` from the interfaces that end
    outside of the fabric to where they do.
    """

    design: str
    nodes: Mapping[NodeName, Node]
    links: tuple[Link, ...]
    far_ends: Mapping[LinkEnd, LinkEnd]
    attachments: Mapping[LinkEnd, Attachment]

    @classmethod
    def of(
        cls, design: str, nodes: tuple[Node, ...], links: tuple[Link, ...], attachments: tuple[Attachment, ...] = ()
    ) -> Fabric:
        """Build a fabric.

        Raises:
            ValueError: Two nodes have one name, or an interface is not the end of exactly one link or attachment,
                or it is attached to a realm that is not its own.
        """
        named = {node.name: node for node in nodes}
        if len(named) != len(nodes):
            raise ValueError("two nodes have the same name")
        ends = {LinkEnd(node.name, interface.name): interface.realm for node in nodes for interface in node.interfaces}
        far_ends = {link.left: link.right for link in links} | {link.right: link.left for link in links}
        attached = {attachment.end: attachment for attachment in attachments}
        once = len(far_ends) + len(attached) == 2 * len(links) + len(attachments) == len(ends)
        if not once or (far_ends.keys() | attached.keys()) != ends.keys():
            raise ValueError("every interface must be the end of exactly one link or one attachment")
        if any(ends[end] != attachment.realm for end, attachment in attached.items()):
            raise ValueError("an interface must be attached to the realm that it stands in")
        return cls(design, MappingProxyType(named), links, MappingProxyType(far_ends), MappingProxyType(attached))

    def __reduce__(self) -> tuple[object, ...]:
        """Let a fabric be handed to another process: a read-only mapping by itself cannot be."""
        return Fabric.of, (self.design, tuple(self.nodes.values()), self.links, tuple(self.attachments.values()))

    @property
    def devices(self) -> tuple[Device, ...]:
        """Return the boxes that packets cross."""
        return tuple(node for node in self.nodes.values() if isinstance(node, Device))

    @property
    def proxies(self) -> tuple[Proxy, ...]:
        """Return the boxes that end connections and open others."""
        return tuple(node for node in self.nodes.values() if isinstance(node, Proxy))

    @property
    def end_systems(self) -> tuple[EndSystem, ...]:
        """Return the hosts and services."""
        return tuple(node for node in self.nodes.values() if isinstance(node, EndSystem))

    def realms(self) -> tuple[Realm, ...]:
        """Return every realm once, in the order in which nodes touch them."""
        return tuple(dict.fromkeys(i.realm for node in self.nodes.values() for i in node.interfaces))
