"""What may stand in a namespace that no desired state has, and how it is removed."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Kind(StrEnum):
    """Of what kind something is that stands in a namespace."""

    ADDRESS = "address"
    NEIGHBOUR = "neighbour"
    ROUTE = "route"
    RULE = "routing rule"
    NEXT_HOP = "next-hop object"
    QDISC = "queueing discipline"
    PROGRAM = "XDP program"
    ALTNAME = "alternative name"
    TUNNEL = "tunnel of the kernel"
    IPSEC = "IPsec entry"


class Protocol(IntEnum):
    """The netlink protocol by which the kernel is asked."""

    ROUTE = socket.NETLINK_ROUTE
    IPSEC = 6  # NETLINK_XFRM


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something that is of no form that is ever desired, and the request that has the kernel remove it."""

    kind: Kind
    text: str
    interface: str | None
    request: int
    content: bytes
    protocol: Protocol = Protocol.ROUTE
