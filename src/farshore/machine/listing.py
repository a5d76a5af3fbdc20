"""What the kernel lists of the thread's network namespace, as plain values: all of it but what the kernel made itself.

A namespace is read whole, in a few dumps, and decoded here. The layouts are those of linux/rtnetlink.h,
linux/fib_rules.h, linux/neighbour.h and linux/nexthop.h.
"""

from __future__ import annotations

import errno
import functools
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address

from farshore.machine.attributes import attribute, attributes, number, text
from farshore.machine.desired import NEXT_HOP, ROUTING_PROTOCOL, DesiredRoute, DesiredRule, RuleAction
from farshore.machine.foreign import Foreign, Kind
from farshore.machine.interfaces import LOOPBACK
from farshore.machine.netlink import (
    NUD_PERMANENT,
    RT_TABLE_MAIN,
    RTN_BLACKHOLE,
    RTN_UNICAST,
    RTPROT_KERNEL,
    RULE_ACTIONS,
    Kernel,
)

_RTM_DELADDR, _RTM_GETADDR = 21, 22
_RTM_DELROUTE, _RTM_GETROUTE = 25, 26
_RTM_DELNEIGH, _RTM_GETNEIGH = 29, 30
_RTM_DELRULE, _RTM_GETRULE = 33, 34
_RTM_DELQDISC, _RTM_GETQDISC = 37, 38
_RTM_DELNEXTHOP, _RTM_GETNEXTHOP = 105, 106

_ADDRESS, _NEIGHBOUR = struct.Struct("=BBBBI"), struct.Struct("=BxxxiHBB")
_ROUTE, _RULE, _QDISC = struct.Struct("=8BI"), struct.Struct("=8BI"), struct.Struct("=BxxxiIII")

_AF_INET, _AF_INET6 = 2, 10
# RTNL_FAMILY_IPMR and RTNL_FAMILY_IP6MR, AF_MPLS: routes and rules of their own.
_FAMILIES = {128: "IPv4 multicast", 129: "IPv6 multicast", 28: "MPLS"}
_LAST_RULE = 32767
_NEXT_HOP_SIZE = 8  # bytes of struct nhmsg
_NTF_PROXY, _NUD_NOARP = 8, 0x40
_ZERO = bytes(4)
_EVERYBODY = IPv4Address("255.255.255.255")
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_TABLE, _RTA_NH_ID = 1, 4, 5, 15, 30
_OF_NEXT_HOPS = {_RTA_OIF, _RTA_GATEWAY, 9, 18, _RTA_NH_ID}  # RTA_MULTIPATH, RTA_VIA
_FRA_DST, _FRA_SRC, _FRA_IIFNAME, _FRA_GOTO, _FRA_PRIORITY, _FRA_FWMARK = 1, 2, 3, 4, 6, 10
_FRA_SUPPRESS_PREFIXLEN, _FRA_TABLE, _FRA_FWMASK, _FRA_PROTOCOL = 14, 15, 16, 21
_RULE_ATTRIBUTES = {3, 4, 6, 10, 14, 15, 16, 21}
_ANY_LENGTH = b"\xff\xff\xff\xff"
_INVERTED = 2
_RT_TABLE_LOCAL, _RT_TABLE_DEFAULT = 255, 253
_ROOT, _INGRESS = 0xFFFFFFFF, 0xFFFFFFF1
_LOCAL, _BROADCAST = 2, 3
_BY_KERNEL_IN_IPV6 = {1, 2, 4, 5}  # unicast, local, anycast, multicast
_TYPES = {1: "unicast", 2: "local", 3: "broadcast", 5: "multicast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}


@dataclass(frozen=True, slots=True)
class LocalRoute:
    """A route that the kernel has made for an address, by which it takes packets for its own, or for everybody's.

    ``kind`` is that of rtnetlink(7), ``prefix`` the destination's bytes, ``content`` the message that lists it.
    """

    kind: int
    prefix: bytes
    length: int
    interface: str | None
    content: bytes = field(default=b"", compare=False)

    def foreign(self) -> Foreign:
        """Return it as one that the kernel has not made, for there is no such address."""
        destination = f"{IPv4Address(self.prefix)}/{self.length}"
        what = f"{_TYPES.get(self.kind, self.kind)} {destination} in table {_RT_TABLE_LOCAL}, protocol kernel"
        return Foreign(Kind.ROUTE, what, self.interface, _RTM_DELROUTE, self.content)


# What a namespace begins with.
KERNEL_RULES = frozenset(
    {
        DesiredRule(0, RuleAction.LOOK_UP, _RT_TABLE_LOCAL),
        DesiredRule(32766, RuleAction.LOOK_UP, RT_TABLE_MAIN),
        DesiredRule(32767, RuleAction.LOOK_UP, _RT_TABLE_DEFAULT),
    }
)
# The kernel makes these when it sets a loopback up.
LOOPBACK_ROUTES = frozenset(
    LocalRoute(kind, IPv4Address(each).packed, length, LOOPBACK)
    for kind, each, length in ((_LOCAL, "127.0.0.0", 8), (_LOCAL, "127.0.0.1", 32), (_BROADCAST, "127.255.255.255", 32))
)


def raw_addresses(kernel: Kernel) -> Iterator[bytes]:
    """Yield all addresses as the kernel lists them."""
    return (content for _, content in kernel.dump(_RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0)))


def raw_neighbours(kernel: Kernel) -> Iterator[bytes]:
    """Yield all neighbours as the kernel lists them."""
    return (content for _, content in kernel.dump(_RTM_GETNEIGH, _NEIGHBOUR.pack(0, 0, 0, 0, 0)))


def raw_routes(kernel: Kernel) -> Iterator[bytes]:
    """Yield the routes of all tables as the kernel lists them."""
    return (content for _, content in kernel.dump(_RTM_GETROUTE, _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)))


def local_route(ip: IPv4Address, interface: str) -> LocalRoute:
    """Return the route by which packets to an address of an interface are taken for the kernel's own."""
    return LocalRoute(_LOCAL, ip.packed, ip.max_prefixlen, interface)


def addresses(
    kernel: Kernel, names: Mapping[int, str], implied: set[LocalRoute]
) -> Iterator[tuple[str, IPv4Address | Foreign]]:
    """Yield all addresses with their interfaces, less those that a loopback has by itself.

    What the kernel's own routing table has for them is added to ``implied``.
    """
    for content in raw_addresses(kernel):
        _, length, _, _, index = _ADDRESS.unpack_from(content)
        found = attributes(content, _ADDRESS.size)
        ip = ip_address(found.get(2, found[1]))  # IFA_LOCAL, IFA_ADDRESS
        name = names[index]
        if isinstance(ip, IPv4Address):
            implied.add(local_route(ip, name))
            if length != ip.max_prefixlen:
                around = IPv4Network((found.get(1, ip.packed), length), strict=False)
                edges = (around.network_address, around.broadcast_address)
                implied |= {LocalRoute(_BROADCAST, each.packed, each.max_prefixlen, name) for each in edges}
        if name == LOOPBACK and (str(ip), length) in (("127.0.0.1", 8), ("::1", 128)):
            continue
        if (
            isinstance(ip, IPv4Address)
            and length == ip.max_prefixlen
            and name != LOOPBACK
            and found.get(1) == ip.packed
        ):
            yield name, ip
        else:
            yield name, Foreign(Kind.ADDRESS, f"{ip}/{length} on {name}", name, _RTM_DELADDR, content)


def neighbours(kernel: Kernel, names: Mapping[int, str]) -> Iterator[tuple[str, str | Foreign]]:
    """Yield the permanent neighbours, with their interfaces: of the next hop the MAC address, or what is foreign."""
    for content in raw_neighbours(kernel):
        family, index, state, _, _ = _NEIGHBOUR.unpack_from(content)
        if not state & (NUD_PERMANENT | _NUD_NOARP) or family not in (_AF_INET, _AF_INET6):
            continue
        found = attributes(content, _NEIGHBOUR.size)
        name, ip = names[index], ip_address(found[1])
        # The kernel makes these itself, of what needs no resolution.
        if state & _NUD_NOARP and (name == LOOPBACK or ip.is_multicast or ip == _EVERYBODY):
            continue
        if ip == NEXT_HOP:
            yield name, found.get(2, b"").hex(":")
        else:
            yield name, Foreign(Kind.NEIGHBOUR, f"{ip} on {name}", name, _RTM_DELNEIGH, content)


def proxies(kernel: Kernel, names: Mapping[int, str]) -> Iterator[Foreign]:
    """Yield the addresses of others for which a namespace answers ARP (ip-neighbour(8), proxy)."""
    for _, content in kernel.dump(_RTM_GETNEIGH, _NEIGHBOUR.pack(0, 0, 0, _NTF_PROXY, 0)):
        _, index, _, _, _ = _NEIGHBOUR.unpack_from(content)
        name = names.get(index)
        ip = ip_address(attributes(content, _NEIGHBOUR.size)[1])
        yield Foreign(Kind.NEIGHBOUR, f"proxy for {ip} on {name}", name, _RTM_DELNEIGH, content)


def next_hops(kernel: Kernel, daemons: frozenset[int] = frozenset()) -> Iterator[Foreign]:
    """Yield the next-hop objects (ip-nexthop(8)), less those of ``daemons``. Routes by one of them go with it."""
    try:
        for _, content in kernel.dump(_RTM_GETNEXTHOP, bytes(_NEXT_HOP_SIZE)):
            own = attributes(content, _NEXT_HOP_SIZE)[1]
            if content[2] not in daemons:
                removal = bytes(_NEXT_HOP_SIZE) + attribute(1, own)
                yield Foreign(Kind.NEXT_HOP, f"next-hop object {number(own)}", None, _RTM_DELNEXTHOP, removal)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:  # a kernel before 5.3 has none
            raise


def routes(
    kernel: Kernel, names: Mapping[int, str], daemons: frozenset[int] = frozenset()
) -> Iterator[DesiredRoute | LocalRoute | Foreign]:
    """Yield the routes of all tables, less those of ``daemons`` and those that the kernel makes for IPv6."""
    for content in raw_routes(kernel):
        family, length, source, tos, table, protocol, scope, kind, _ = _ROUTE.unpack_from(content)
        found = attributes(content, _ROUTE.size)
        table = number(found[_RTA_TABLE]) if _RTA_TABLE in found else table
        # Addresses have no network around them here, so the kernel makes routes in its own table alone.
        made_by_kernel = protocol == RTPROT_KERNEL and (
            table == _RT_TABLE_LOCAL if family == _AF_INET else family == _AF_INET6 and kind in _BY_KERNEL_IN_IPV6
        )
        if (made_by_kernel and family == _AF_INET6) or protocol in daemons:
            continue
        if family not in (_AF_INET, _AF_INET6):
            where = f"{_FAMILIES.get(family, f'family {family}')} route in table {table}, protocol {protocol}"
            yield Foreign(Kind.ROUTE, where, None, _RTM_DELROUTE, content)
            continue
        out = names.get(number(found[_RTA_OIF])) if _RTA_OIF in found else None
        if made_by_kernel:
            yield LocalRoute(kind, found.get(_RTA_DST, _ZERO), length, out, content)
            continue
        if family == _AF_INET and (protocol, source, tos, scope) == (ROUTING_PROTOCOL, 0, 0, 0):
            destination = _network(found.get(_RTA_DST, _ZERO), length)
            others = found.keys() - {_RTA_DST, _RTA_TABLE}
            if kind == RTN_BLACKHOLE and not others:
                yield DesiredRoute(destination, None, table)
                continue
            gateway = found.get(_RTA_GATEWAY) == NEXT_HOP.packed
            if kind == RTN_UNICAST and gateway and others == {_RTA_OIF, _RTA_GATEWAY}:
                yield DesiredRoute(destination, out, table)
                continue
        ip = ip_address(found.get(_RTA_DST, bytes(4 if family == _AF_INET else 16)))
        what = f"{_TYPES.get(kind, kind)} {ip}/{length} in table {table}, protocol {protocol}"
        yield Foreign(Kind.ROUTE, what, out, _RTM_DELROUTE, _removable(content, found))


@functools.lru_cache(1024)  # many nodes have routes to the same
def _network(prefix: bytes, length: int) -> IPv4Network:
    return IPv4Network((prefix, length))


def _removable(content: bytes, found: Mapping[int, bytes]) -> bytes:
    """Return a route's content as its removal takes it: without the next-hop object, which may be gone."""
    if _RTA_NH_ID not in found:
        return content
    kept = (attribute(kind, value) for kind, value in found.items() if kind not in _OF_NEXT_HOPS)
    return content[: _ROUTE.size] + b"".join(kept)


def rules(kernel: Kernel, daemons: frozenset[int] = frozenset()) -> Iterator[DesiredRule | Foreign]:
    """Yield the rules of the routing policy, those that a namespace begins with included, less those of ``daemons``."""
    for _, content in kernel.dump(_RTM_GETRULE, _RULE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)):
        protocol, rule = _rule(content)
        if rule is not None and protocol not in daemons:
            yield rule


@functools.lru_cache(256)  # every namespace begins with the same
def _rule(content: bytes) -> tuple[int, DesiredRule | Foreign | None]:
    """Return a rule's protocol and the rule, None for one that the kernel makes and that is of no interest."""
    actions = {each: action for action, each in RULE_ACTIONS.items()}
    family, destination, source, tos, table, _, _, does, flags = _RULE.unpack_from(content)
    found = attributes(content, _RULE.size)
    protocol = found.get(_FRA_PROTOCOL, b"\0")[0]
    priority = number(found.get(_FRA_PRIORITY, bytes(4)))
    table = number(found[_FRA_TABLE]) if _FRA_TABLE in found else table
    if family in _FAMILIES:
        said = f"rule {priority}, {_FAMILIES[family]}, protocol {protocol}"
        kernels = (priority, protocol) == (_LAST_RULE, RTPROT_KERNEL)
        return protocol, None if kernels else Foreign(Kind.RULE, said, None, _RTM_DELRULE, content)
    ours = not (destination or source or tos or flags & _INVERTED) and found.keys() <= _RULE_ATTRIBUTES
    if ours and found.get(_FRA_SUPPRESS_PREFIXLEN, _ANY_LENGTH) == _ANY_LENGTH and does in actions:
        action = actions[does]
        target = number(found.get(_FRA_GOTO, bytes(4))) or (table if action is RuleAction.LOOK_UP else 0)
        mark, mask = (number(found.get(each, bytes(4))) for each in (_FRA_FWMARK, _FRA_FWMASK))
        interface = text(found[_FRA_IIFNAME]) if _FRA_IIFNAME in found else None
        rule = DesiredRule(priority, action, target, mark, mask, interface)
        kernels = rule in KERNEL_RULES and protocol == RTPROT_KERNEL
        if kernels and family == _AF_INET6:
            return protocol, None
        if family == _AF_INET and (kernels or protocol == ROUTING_PROTOCOL):
            return protocol, rule
    what = actions.get(does, f"action {does}")
    said = f"rule {priority} {what}, IPv{4 if family == _AF_INET else 6}, protocol {protocol}"
    return protocol, Foreign(Kind.RULE, said, None, _RTM_DELRULE, content)


def qdiscs(kernel: Kernel, names: Mapping[int, str]) -> Iterator[Foreign]:
    """Yield the queueing disciplines that other programs have made. Filters, and disciplines below one, go with it."""
    try:
        listed = list(kernel.dump(_RTM_GETQDISC, _QDISC.pack(0, 0, 0, 0, 0)))
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:  # a kernel that has none
            return
        raise
    for _, content in listed:
        _, index, handle, parent, _ = _QDISC.unpack_from(content)
        if handle != 0 and parent in (_ROOT, _INGRESS) and index in names:
            kind = text(attributes(content, _QDISC.size)[1])
            yield Foreign(Kind.QDISC, f"{kind} on {names[index]}", names[index], _RTM_DELQDISC, content)
