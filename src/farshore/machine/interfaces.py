"""The interfaces that the kernel lists of the thread's network namespace (linux/if_link.h), and the marks on them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from farshore.machine.attributes import NESTED, attribute, attributes, number, repeated, text
from farshore.machine.foreign import Foreign, Kind
from farshore.machine.netlink import IFF_UP, Kernel

_RTM_GETLINK, _RTM_SETLINK = 18, 19
_RTM_DELLINKPROP = 109
_LINK = struct.Struct("=BxHiII")
_SKIP_STATISTICS = struct.pack("=HHI", 8, 29, 8)  # IFLA_EXT_MASK

_AF_INET, _AF_INET6 = 2, 10
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

LOOPBACK = "lo"
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
