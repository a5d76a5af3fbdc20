"""A check of a lab: sender, packet or exchange, and the expected outcome. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from farshore.fabric.names import NodeName
from farshore.port import Port
from farshore.traffic.packet import WirePacket


class Outcome(StrEnum):
    """What may come of a check."""

    REACH = "reach"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A real exchange: a host uses a service by its presented address, from a port that all tenants share.

    ``seen_as`` is the source that the service must see, and ``seen_ports`` its ports where it need not be the
    host's own. ``identified_as`` is the tenant as which the service must know the host, where it receives the identity.
    """

    node: NodeName
    source: IPv4Address
    source_port: int
    destination: IPv4Address
    port: Port
    service: str
    seen_as: IPv4Address
    seen_ports: tuple[int, int] | None = None
    identified_as: str | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """That a packet is sent in two fragments with this identification, or only the first of them."""

    identification: int
    finished: bool


@dataclass(frozen=True, slots=True)
class Injection:
    """A made-up packet, put on the wire behind a node's interface; only ``target`` may receive it.

    It reaches where any end system but the one that sent it receives it, or where a proxy, through which no
    packet goes, answers it. ``target`` is set in the checks that must reach: they show that the others are
    blocked and not merely lost. ``owner`` is the node whose address it has as its source, which may receive the
    answer.
    """

    node: NodeName
    interface: str
    packet: WirePacket
    target: str | None = None
    owner: str | None = None
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    ``left_out`` is how many more allowed flows of its tenant are not checked, for they exceed the tenant's limit.
    """

    name: str
    expected: Outcome
    attempt: Exchange | Injection
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a check; ``observed`` is "reach", "block", or what else was seen. ``left_out``: :class:`Check`."""

    name: str
    expected: Outcome
    observed: str
    left_out: int = 0

    @property
    def ok(self) -> bool:
        """Tell whether it came out as expected."""
        return self.observed == self.expected
