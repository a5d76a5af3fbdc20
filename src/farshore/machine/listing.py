"""What the kernel lists of the thread's network namespace, as plain values: all of it but what the kernel made itself.

A namespace is read whole, in a few dumps, and decoded here. The layouts are those of linux/rtnetlink.h,
linux/if_link.h, linux/fib_rules.h and linux/neighbour.h.
"""

from __future__ import annotations

import errno
import functools
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address

from farshore.machine.attributes import NESTED, attribute, attributes, number, repeated, text
from farshore.machine.desired import NEXT_HOP, ROUTING_PROTOCOL, DesiredRoute, DesiredRule, RuleAction
from farshore.machine.foreign import Foreign, Kind
from farshore.machine.netlink import (
    IFF_UP,
    NUD_PERMANENT,
    RT_TABLE_MAIN,
    RTN_BLACKHOLE,
    RTN_UNICAST,
    RTPROT_KERNEL,
    RULE_ACTIONS,
    Kernel,
)

_RTM_GETLINK, _RTM_SETLINK = 18, 19
_RTM_DELADDR, _RTM_GETADDR = 21, 22
_RTM_DELROUTE, _RTM_GETROUTE = 25, 26
_RTM_DELNEIGH, _RTM_GETNEIGH = 29, 30
_RTM_DELRULE, _RTM_GETRULE = 33, 34
_RTM_DELQDISC, _RTM_GETQDISC = 37, 38
_RTM_DELNEXTHOP, _RTM_GETNEXTHOP, _RTM_DELLINKPROP = 105, 106, 109

_LINK, _ADDRESS, _NEIGHBOUR = struct.Struct("=BxHiII"), struct.Struct("=BBBBI"), struct.Struct("=BxxxiHBB")
_ROUTE, _RULE, _QDISC = struct.Struct("=8BI"), struct.Struct("=8BI"), struct.Struct("=BxxxiIII")
_SKIP_STATISTICS = struct.pack("=HHI", 8, 29, 8)  # IFLA_EXT_MASK

_AF_INET, _AF_INET6 = 2, 10
# RTNL_FAMILY_IPMR and RTNL_FAMILY_IP6MR, AF_MPLS: routes and rules of their own.
_FAMILIES = {128: "IPv4 multicast", 129: "IPv6 multicast", 28: "MPLS"}
_LAST_RULE = 32767
_NEXT_HOP_SIZE = 8  # bytes of struct nhmsg
_NTF_PROXY, _NUD_NOARP = 8, 0x40
_ZERO = bytes(4)
_EVERYBODY = IPv4Address("255.255.255.255")
# By the modules of tunnels, where they are there.
_FALLBACKS = {("tunl0", "ipip"), ("gre0", "gre"), ("gretap0", "gretap"), ("erspan0", "erspan"), ("ip_vti0", "vti")}
_FALLBACKS |= {("sit0", "sit"), ("ip6tnl0", "ip6tnl"), ("ip6_vti0", "vti6"), ("ip6gre0", "ip6gre")}
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_AF_SPEC, _IFLA_XDP, _IFLA_PROP_LIST, _IFLA_ALT_IFNAME = 18, 20, 26, 43, 52, 53
_IFLA_INFO_KIND, _IFLA_INET_CONF, _IFLA_INET6_CONF, _IFLA_XDP_ATTACHED = 1, 1, 2, 2
_IFF_NOARP, _IFF_PROMISC = 0x80, 0x100
_NO_PROGRAM = attribute(1, struct.pack("=i", -1))  # IFLA_XDP_FD
# How a program is detached that is attached in the driver, by the stack, or in the device (XDP_FLAGS_…_MODE).
_XDP_MODES = {1: 4, 2: 2, 3: 8}
_IFLA_OPERSTATE, _IFLA_LINKMODE = 16, 17
_DORMANT = b"\5"
# Where an interface's settings stand among those that a link is listed with.
_INET_CONF = {"forwarding": 0, "proxy_arp": 2, "accept_redirects": 3, "send_redirects": 5, "rp_filter": 7}
_INET_CONF |= {"accept_source_route": 8, "accept_local": 22, "route_localnet": 25}
_INET6_CONF = {"disable_ipv6": 26}

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
LOOPBACK = "lo"
# The kernel makes these when it sets a loopback up.
LOOPBACK_ROUTES = frozenset(
    LocalRoute(kind, IPv4Address(each).packed, length, LOOPBACK)
    for kind, each, length in ((_LOCAL, "127.0.0.0", 8), (_LOCAL, "127.0.0.1", 32), (_BROADCAST, "127.255.255.255", 32))
)
OURS = "farshore"  # the alias of the loopback of a namespace that farshore has made
_BORROWED = "farshore borrowed "  # the alias of an interface that is to go back, before its name there


def mark(port: str, namespace: str) -> str:
    """Return the alias of an interface that a namespace has borrowed, ``port`` where it belongs."""
    return f"{_BORROWED}{port} {namespace}"


def mark_of(alias: str) -> tuple[str, str] | None:
    """Return the port and the namespace that an alias says, None for any other alias."""
    words = alias.removeprefix(_BORROWED).split(" ") if alias.startswith(_BORROWED) else []
    return (words[0], words[1]) if len(words) == 2 else None  # noqa: PLR2004 - the two that stand there


@dataclass(frozen=True, slots=True)
class ListedLink:
    """An interface as the kernel lists it. ``peer`` is the number of a veth's other end, ``master`` of its bridge."""

    name: str
    index: int
    mac: str
    mtu: int
    flags: int
    kind: str | None
    peer: int | None
    master: int | None
    alias: str
    settings: Mapping[str, str]
    program: Foreign | None
    altnames: tuple[str, ...]
    asleep: bool

    @property
    def up(self) -> bool:
        """Return whether it is set up."""
        return bool(self.flags & IFF_UP)

    @property
    def plain(self) -> bool:
        """Return whether it resolves addresses, takes in its own packets alone, and is not set dormant (RFC 2863)."""
        return not (self.flags & (_IFF_NOARP | _IFF_PROMISC) or self.asleep)


def links(kernel: Kernel) -> Iterator[ListedLink]:
    """Yield all interfaces."""
    for _, content in kernel.dump(_RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0) + _SKIP_STATISTICS):
        _, _, index, flags, _ = _LINK.unpack_from(content)
        found = attributes(content, _LINK.size)
        name = text(found[_IFLA_IFNAME])
        information = attributes(found.get(_IFLA_LINKINFO, b""))
        program = None
        attached = attributes(found.get(_IFLA_XDP, b"")).get(_IFLA_XDP_ATTACHED, b"\0")[0]
        if attached:
            mode = attribute(3, struct.pack("=I", _XDP_MODES.get(attached, 0)))  # IFLA_XDP_FLAGS
            detach = _LINK.pack(0, 0, index, 0, 0) + attribute(_IFLA_XDP | NESTED, _NO_PROGRAM + mode)
            program = Foreign(Kind.PROGRAM, f"XDP program on {name}", name, _RTM_SETLINK, detach)
        yield ListedLink(
            name=name,
            index=index,
            mac=found.get(_IFLA_ADDRESS, b"").hex(":"),
            mtu=number(found[_IFLA_MTU]),
            flags=flags,
            kind=text(information[_IFLA_INFO_KIND]) if _IFLA_INFO_KIND in information else None,
            peer=number(found[_IFLA_LINK]) if _IFLA_LINK in found else None,
            master=number(found[_IFLA_MASTER]) if _IFLA_MASTER in found else None,
            alias=text(found.get(_IFLA_IFALIAS, b"")),
            settings=_settings(attributes(found.get(_IFLA_AF_SPEC, b""))),
            program=program,
            asleep=found.get(_IFLA_LINKMODE, b"\0") != b"\0" or found.get(_IFLA_OPERSTATE) == _DORMANT,
            altnames=tuple(text(each) for each in repeated(found.get(_IFLA_PROP_LIST, b""), _IFLA_ALT_IFNAME)),
        )


def _settings(families: Mapping[int, bytes]) -> dict[str, str]:
    """Return an interface's own settings, by ``ipv4/rp_filter``."""
    version4 = attributes(families.get(_AF_INET, b"")).get(_IFLA_INET_CONF, b"")
    version6 = attributes(families.get(_AF_INET6, b"")).get(_IFLA_INET6_CONF, b"")
    return {
        f"{family}/{name}": str(number(values[4 * place : 4 * place + 4]))
        for family, names, values in (("ipv4", _INET_CONF, version4), ("ipv6", _INET6_CONF, version6))
        for name, place in names.items()
        if len(values) >= 4 * place + 4
    }


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


def altnames(links: Iterable[ListedLink]) -> Iterator[Foreign]:
    """Yield the alternative names of interfaces (ip-link(8), property)."""
    for link in links:
        for name in link.altnames:
            names = attribute(_IFLA_PROP_LIST | NESTED, attribute(_IFLA_ALT_IFNAME, name.encode() + b"\0"))
            content = _LINK.pack(0, 0, link.index, 0, 0) + names
            yield Foreign(Kind.ALTNAME, f"{name} of {link.name}", link.name, _RTM_DELLINKPROP, content)


def is_fallback(link: ListedLink) -> bool:
    """Tell whether an interface is one that the kernel makes in every namespace, and that cannot be removed."""
    return (link.name, link.kind) in _FALLBACKS


def raised_fallbacks(links: Iterable[ListedLink]) -> Iterator[Foreign]:
    """Yield the kernel's own tunnels that are set up: to be down is all that is asked of them."""
    for link in links:
        if is_fallback(link) and link.up:
            content = _LINK.pack(0, 0, link.index, 0, IFF_UP)
            yield Foreign(Kind.TUNNEL, f"{link.name} is up, and", link.name, _RTM_SETLINK, content)


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
    """Yield the queueing disciplines that somebody has made. Filters, and disciplines below one, go with it."""
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
