"""Route netlink requests, as the arguments that pyroute2 takes: pure, and sent elsewhere."""

from __future__ import annotations

from typing import Any

from farshore.engine.netfilter.desired import NEXT_HOP, DesiredInterface, DesiredRoute

Request = dict[str, Any]

RTN_UNICAST = 1
RTN_BLACKHOLE = 6
RT_TABLE_MAIN = 254

RTPROT_STATIC = 4  # set by an administrator: told apart from the routes that the kernel makes by itself


def veth_pair(left: DesiredInterface, left_descriptor: int, right: DesiredInterface, right_descriptor: int) -> Request:
    """Return the request that makes both ends at once, each in its namespace, so that no end is ever elsewhere."""
    return {
        "ifname": left.name,
        "kind": "veth",
        "address": left.mac,
        "mtu": left.mtu,
        "net_ns_fd": left_descriptor,
        "peer": {
            "ifname": right.name,
            "address": right.mac,
            "mtu": right.mtu,
            "net_ns_fd": right_descriptor,
        },
    }


def neighbour(interface: DesiredInterface, index: int) -> Request:
    """Return the request for the permanent neighbour at the far end of a link."""
    return {"dst": str(NEXT_HOP), "lladdr": interface.far_mac, "ifindex": index, "state": "permanent"}


def address(interface: DesiredInterface, index: int) -> Request:
    """Return the request for an end system's own address, alone in its prefix."""
    return {"index": index, "address": str(interface.address), "prefixlen": 32}


def route(wanted: DesiredRoute, indexes: dict[str, int]) -> Request:
    """Return the request for a route; ``indexes`` are the interfaces' numbers by name."""
    request: Request = {"dst": str(wanted.destination), "proto": RTPROT_STATIC}
    if wanted.interface is None:
        return request | {"type": "blackhole"}
    # Blackholes and routes on unnumbered links alike: nothing vouches for the next hop but the link itself.
    return request | {"gateway": str(NEXT_HOP), "oif": indexes[wanted.interface], "flags": ["onlink"]}
