"""Route netlink: requests as the bytes that the kernel takes, and the socket that sends them, one at a time.

pyroute2 knows the messages; its sockets, each with an event loop of its own, would take more time than
everything else that is done for a node.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from types import TracebackType
from typing import Any, Self

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from farshore.machine.attributes import NESTED, attribute
from farshore.machine.desired import (
    NEXT_HOP,
    ROUTING_PROTOCOL,
    DesiredInterface,
    DesiredRoute,
    DesiredRule,
    RuleAction,
)

AF_INET = 2
NUD_PERMANENT = 0x80
IFF_UP = 1
_IFF_NOARP, _IFF_PROMISC, _IFF_ALLMULTI = 0x80, 0x100, 0x200
# The flags of an interface that programs set, and not the kernel.
GIVEN_BACK_FLAGS = IFF_UP | _IFF_NOARP | _IFF_PROMISC | _IFF_ALLMULTI

RTN_UNICAST = 1
RTN_BLACKHOLE = 6
RTPROT_KERNEL = 2
RT_TABLE_UNSPEC = 0
RT_TABLE_MAIN = 254
_RT_SCOPE_UNIVERSE = 0
_RT_SCOPE_NOWHERE = 255  # in a removal: whatever the scope
_RTNH_F_ONLINK = 4

_RTM_NEWLINK, _RTM_DELLINK, _RTM_SETLINK = 16, 17, 19
_RTM_NEWADDR, _RTM_DELADDR = 20, 21
_RTM_NEWROUTE, _RTM_DELROUTE = 24, 25
_RTM_NEWNEIGH, _RTM_DELNEIGH = 28, 29
_RTM_NEWRULE, _RTM_DELRULE = 32, 33
_RTM_NEWLINKPROP = 108
_IFLA_PROP_LIST, _IFLA_ALT_IFNAME = 52, 53
_LINK = struct.Struct("=BxHiII")
_AWAKE = attribute(17, b"\0") + attribute(16, b"\6")  # IFLA_LINKMODE default, IFLA_OPERSTATE up
# FR_ACT_TO_TBL, FR_ACT_GOTO and FR_ACT_UNREACHABLE of linux/fib_rules.h.
RULE_ACTIONS = {RuleAction.LOOK_UP: 1, RuleAction.GO_TO: 2, RuleAction.UNREACHABLE: 7}

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_ERROR = struct.Struct("=i")
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_DUMP_INTR = 0x10
_LARGEST_ANSWER = 65536

_QUESTION = 0x001  # NLM_F_REQUEST
_CHANGE = 0x005  # NLM_F_REQUEST | NLM_F_ACK
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ADD = _CHANGE | 0x600  # NLM_F_CREATE | NLM_F_EXCL
_REPLACE = _CHANGE | 0x500  # NLM_F_CREATE | NLM_F_REPLACE


def veth_pair(left: DesiredInterface, left_descriptor: int, right: DesiredInterface, right_descriptor: int) -> bytes:
    """Return the request that makes both ends at once, each in its namespace, so that no end is ever elsewhere."""
    peer = {"attrs": _new_link(right, right_descriptor)}
    kind = [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", peer)]})]
    attributes = [*_new_link(left, left_descriptor), ("IFLA_LINKINFO", {"attrs": kind})]
    return _encoded(ifinfmsg(), _RTM_NEWLINK, _ADD, {}, attributes)


def _new_link(interface: DesiredInterface, descriptor: int) -> list[tuple[str, Any]]:
    return [
        ("IFLA_IFNAME", interface.name),
        ("IFLA_ADDRESS", interface.mac),
        ("IFLA_MTU", interface.mtu),
        ("IFLA_NET_NS_FD", descriptor),
    ]


def link_up(index: int) -> bytes:
    """Return the request that sets an interface up, with ARP and for its own address alone."""
    changed = IFF_UP | _IFF_NOARP | _IFF_PROMISC
    return _encoded(ifinfmsg(), _RTM_NEWLINK, _CHANGE, {"index": index, "flags": IFF_UP, "change": changed})


def link_down(index: int) -> bytes:
    """Return the request that sets an interface down."""
    return _encoded(ifinfmsg(), _RTM_NEWLINK, _CHANGE, {"index": index, "flags": 0, "change": IFF_UP})


def remove_link(index: int) -> bytes:
    """Return the request that removes an interface."""
    return _encoded(ifinfmsg(), _RTM_DELLINK, _CHANGE, {"index": index})


def label(index: int, alias: str) -> bytes:
    """Return the request that gives an interface an alias, or takes it away where that is empty."""
    return _encoded(ifinfmsg(), _RTM_SETLINK, _CHANGE, {"index": index}, [("IFLA_IFALIAS", alias)])


def move(index: int, name: str, descriptor: int) -> bytes:
    """Return the request that moves an interface into another namespace, under a name that it has there."""
    attributes = [("IFLA_NET_NS_FD", descriptor), ("IFLA_IFNAME", name)]
    return _encoded(ifinfmsg(), _RTM_SETLINK, _CHANGE, {"index": index}, attributes)


def rename(index: int, name: str) -> bytes:
    """Return the request that gives an interface another name. It must be down, or the kernel new."""
    return _encoded(ifinfmsg(), _RTM_SETLINK, _CHANGE, {"index": index}, [("IFLA_IFNAME", name)])


def set_mac(index: int, mac: str) -> bytes:
    """Return the request for a MAC address of an interface."""
    return _encoded(ifinfmsg(), _RTM_SETLINK, _CHANGE, {"index": index}, [("IFLA_ADDRESS", mac)])


def set_mtu(index: int, mtu: int) -> bytes:
    """Return the request for the largest packet of an interface, in bytes."""
    return _encoded(ifinfmsg(), _RTM_SETLINK, _CHANGE, {"index": index}, [("IFLA_MTU", mtu)])


def set_master(index: int, master: int) -> bytes:
    """Return the request that makes an interface one of a bridge or bond, by its number."""
    return _encoded(ifinfmsg(), _RTM_SETLINK, _CHANGE, {"index": index}, [("IFLA_MASTER", master)])


def set_flags(index: int, flags: int) -> bytes:
    """Return the request for those flags of an interface that are given back."""
    return _encoded(ifinfmsg(), _RTM_SETLINK, _CHANGE, {"index": index, "flags": flags, "change": GIVEN_BACK_FLAGS})


def add_altname(index: int, name: str) -> bytes:
    """Return the request for a further name of an interface."""
    names = attribute(_IFLA_PROP_LIST | NESTED, attribute(_IFLA_ALT_IFNAME, name.encode() + b"\0"))
    return _message(_RTM_NEWLINKPROP, _ADD, _LINK.pack(0, 0, index, 0, 0) + names)


def new_address(content: bytes) -> bytes:
    """Return the request for an address as the kernel lists one."""
    return _message(_RTM_NEWADDR, _ADD, content)


def new_neighbour(content: bytes) -> bytes:
    """Return the request for a neighbour as the kernel lists one."""
    return _message(_RTM_NEWNEIGH, _ADD, content)


def new_route(content: bytes) -> bytes:
    """Return the request for a route as the kernel lists one."""
    return _message(_RTM_NEWROUTE, _ADD, content)


def _message(kind: int, flags: int, content: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(content), kind, flags, 0, 0) + content


def wake(index: int) -> bytes:
    """Return the request that has an interface carry packets, which others have put to sleep (RFC 2863, dormant)."""
    return _message(_RTM_SETLINK, _CHANGE, _LINK.pack(0, 0, index, 0, 0) + _AWAKE)


def neighbour(interface: DesiredInterface, index: int) -> bytes:
    """Return the request for the permanent neighbour at the far end of a link."""
    fields = {"family": AF_INET, "ifindex": index, "state": NUD_PERMANENT}
    attributes = [("NDA_DST", str(NEXT_HOP)), ("NDA_LLADDR", interface.far_mac)]
    return _encoded(ndmsg(), _RTM_NEWNEIGH, _REPLACE, fields, attributes)


def remove_neighbour(index: int) -> bytes:
    """Return the request that removes the permanent neighbour at the far end of a link."""
    fields = {"family": AF_INET, "ifindex": index}
    return _encoded(ndmsg(), _RTM_DELNEIGH, _CHANGE, fields, [("NDA_DST", str(NEXT_HOP))])


def address(ip: IPv4Address, index: int) -> bytes:
    """Return the request for an address of an interface, alone in its prefix."""
    own = str(ip)
    fields = {"family": AF_INET, "index": index, "prefixlen": 32}
    return _encoded(ifaddrmsg(), _RTM_NEWADDR, _REPLACE, fields, [("IFA_LOCAL", own), ("IFA_ADDRESS", own)])


def remove_address(ip: IPv4Address, index: int) -> bytes:
    """Return the request that takes an address from an interface."""
    own = str(ip)
    fields = {"family": AF_INET, "index": index, "prefixlen": 32}
    return _encoded(ifaddrmsg(), _RTM_DELADDR, _CHANGE, fields, [("IFA_LOCAL", own), ("IFA_ADDRESS", own)])


def add_route(route: DesiredRoute, indexes: Mapping[str, int]) -> bytes:
    """Return the request for a route, in place of any other to the same prefix.

    ``indexes`` are the interfaces' numbers by name.
    """
    return _route(route, indexes, _RTM_NEWROUTE, _REPLACE, _RT_SCOPE_UNIVERSE)


def remove_route(route: DesiredRoute, indexes: Mapping[str, int]) -> bytes:
    """Return the request that removes a route; ``indexes`` are the interfaces' numbers by name."""
    return _route(route, indexes, _RTM_DELROUTE, _CHANGE, _RT_SCOPE_NOWHERE)


def _route(route: DesiredRoute, indexes: Mapping[str, int], kind: int, flags: int, scope: int) -> bytes:
    fields = {
        "family": AF_INET,
        "dst_len": route.destination.prefixlen,
        # The field has eight bits; the attribute tells the table.
        "table": route.table if route.table <= RT_TABLE_MAIN else RT_TABLE_UNSPEC,
        "proto": ROUTING_PROTOCOL,
        "scope": scope,
        "type": RTN_BLACKHOLE,
    }
    attributes: list[tuple[str, Any]] = [
        ("RTA_DST", str(route.destination.network_address)),
        ("RTA_TABLE", route.table),
    ]
    if route.interface is not None:
        # On unnumbered links nothing vouches for the next hop but the link itself.
        fields |= {"type": RTN_UNICAST, "flags": _RTNH_F_ONLINK}
        attributes += [("RTA_GATEWAY", str(NEXT_HOP)), ("RTA_OIF", indexes[route.interface])]
    return _encoded(rtmsg(), kind, flags, fields, attributes)


def add_rule(rule: DesiredRule, protocol: int = ROUTING_PROTOCOL) -> bytes:
    """Return the request for a rule of the routing policy."""
    return _rule(rule, protocol, _RTM_NEWRULE, _ADD)


def remove_rule(rule: DesiredRule) -> bytes:
    """Return the request that removes a rule of the routing policy."""
    return _rule(rule, ROUTING_PROTOCOL, _RTM_DELRULE, _CHANGE)


def _rule(rule: DesiredRule, protocol: int, kind: int, flags: int) -> bytes:
    fields = {"family": AF_INET, "action": RULE_ACTIONS[rule.action]}
    attributes: list[tuple[str, Any]] = [("FRA_PRIORITY", rule.priority), ("FRA_PROTOCOL", protocol)]
    match rule.action:
        case RuleAction.LOOK_UP:
            attributes.append(("FRA_TABLE", rule.target))
        case RuleAction.GO_TO:
            attributes.append(("FRA_GOTO", rule.target))
        case RuleAction.UNREACHABLE:
            pass
    if rule.mask:
        attributes += [("FRA_FWMARK", rule.mark), ("FRA_FWMASK", rule.mask)]
    if rule.interface is not None:
        attributes.append(("FRA_IIFNAME", rule.interface))
    return _encoded(fibmsg(), kind, flags, fields, attributes)


def _encoded(
    message: Any, kind: int, flags: int, fields: Mapping[str, int], attributes: list[tuple[str, Any]] | None = None
) -> bytes:
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = attributes or []
    message["header"] = {"type": kind, "flags": flags, "sequence_number": 0, "pid": 0}
    message.encode()
    return bytes(message.data)


class Kernel:
    """A netlink socket, in the network namespace in which the thread was when it was opened."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        """Open the socket. Raises OSError where the kernel has not this protocol."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)

    def __enter__(self) -> Self:
        """Return this socket; it is closed at the end."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close the socket."""
        self._socket.close()

    def dump(self, kind: int, request: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the type and content of each message that lists what there is of a kind. Raises OSError."""
        length = _HEADER.size + len(request)
        self._socket.send(_HEADER.pack(length, kind, _DUMP, 0, 0) + request)
        while True:
            answer = self._socket.recv(_LARGEST_ANSWER)
            start = 0
            while start < len(answer):
                size, found, flags, _, _ = _HEADER.unpack_from(answer, start)
                if flags & _NLM_F_DUMP_INTR:
                    raise InterruptedError("what is listed has changed meanwhile")
                if found in (_NLMSG_DONE, _NLMSG_ERROR):
                    (code,) = _ERROR.unpack_from(answer, start + _HEADER.size)
                    if code != 0:
                        raise OSError(-code, os.strerror(-code))
                    return
                yield found, answer[start + _HEADER.size : start + size]
                start += (size + 3) & ~3

    def answer(self, kind: int, request: bytes) -> bytes:
        """Return the content of the one message that answers a request. Raises OSError where there is none."""
        self._socket.send(_HEADER.pack(_HEADER.size + len(request), kind, _QUESTION, 0, 0) + request)
        answer = self._socket.recv(_LARGEST_ANSWER)
        _, found, *_ = _HEADER.unpack_from(answer)
        if found == _NLMSG_ERROR:
            (code,) = _ERROR.unpack_from(answer, _HEADER.size)
            raise OSError(-code, os.strerror(-code))
        return answer[_HEADER.size :]

    def remove(self, kind: int, content: bytes) -> None:
        """Have the kernel remove what it has listed with this content. Raises OSError."""
        self.ask(_message(kind, _CHANGE, content))

    def ask(self, request: bytes) -> None:
        """Have the kernel do what a request asks for. Raises OSError where it refuses, with its reason."""
        self._socket.send(request)
        answer = self._socket.recv(_LARGEST_ANSWER)
        _, kind, *_ = _HEADER.unpack_from(answer)
        if kind != _NLMSG_ERROR:
            raise OSError(f"the kernel answers a request with a message of type {kind}")
        (code,) = _ERROR.unpack_from(answer, _HEADER.size)
        if code != 0:
            raise OSError(-code, os.strerror(-code))
