"""The actual state: what is there now, whole namespaces of it, in the same plain values as the desired state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from farshore.fabric.names import NodeName
from farshore.machine import interfaces, ipsec, listing, programs, settings, xtables
from farshore.machine.desired import DesiredNode, DesiredRoute, DesiredRule
from farshore.machine.engine import Reading
from farshore.machine.foreign import Foreign
from farshore.machine.home import NO_HOME, Home
from farshore.machine.interfaces import LOOPBACK
from farshore.machine.listing import KERNEL_RULES, LOOPBACK_ROUTES, LocalRoute
from farshore.machine.namespace import Namespaces
from farshore.machine.netlink import Kernel
from farshore.machine.port_records import PortRecord

_TRIES = 20


@dataclass(frozen=True, slots=True)
class ActualInterface:
    """An interface as it is.

    Attributes:
        name: as it is called now.
        index: its number, one of its own within its namespace.
        mac: its MAC address.
        mtu: bytes.
        up: whether it is set up.
        local: whether the kernel takes packets to each of its addresses for its own.
        far_mac: the permanent neighbour's MAC address, None where it has none.
        addresses: those that stand alone in their prefix.
        kind: ``veth`` or what else it is, None for a device of the machine's own.
        peer: the number of a veth's other end, None where that is not known.
        plain: whether it resolves addresses, takes in its own packets alone, belongs to no bridge, and has no alias.
        home: where it was borrowed, the name that it has there.
        settings: its own kernel settings, by ``ipv4/rp_filter``.
        program: where others have attached an eBPF program that stays as long as it does, None where none has.
    """

    name: str
    index: int
    mac: str
    mtu: int
    up: bool
    far_mac: str | None
    addresses: frozenset[IPv4Address]
    kind: str | None = "veth"
    peer: int | None = None
    plain: bool = True
    local: bool = True
    home: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    program: str | None = None


@dataclass(frozen=True, slots=True)
class ActualNode:
    """A namespace as it is.

    ``foreign`` is what no desired state has, ``lost`` are rules that a namespace begins with and that are gone,
    ``loopback`` tells whether that is up with all that it has then, ``loaded`` is what each engine finds, by its name,
    ``ours`` tells whether the namespace carries our mark, and ``lasting`` names what stays until the namespace ends.
    """

    interfaces: Mapping[str, ActualInterface]
    routes: frozenset[DesiredRoute]
    rules: frozenset[DesiredRule]
    settings: Mapping[str, str]
    loaded: Mapping[str, Reading] = field(default_factory=dict)
    foreign: tuple[Foreign, ...] = ()
    lost: frozenset[DesiredRule] = frozenset()
    loopback: bool = True
    ours: bool = True
    lasting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActualState:
    """What is there: of every desired node, None where its namespace does not exist, and of every other namespace.

    ``home`` is what is seen where interfaces are borrowed.
    ``held`` is what each engine holds outside of namespaces, by its name: see :meth:`Engine.held`.
    """

    nodes: Mapping[NodeName, ActualNode | None]
    unwanted: Mapping[NodeName, ActualNode] = field(default_factory=dict)
    home: Home = NO_HOME
    held: Mapping[str, frozenset[NodeName]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads namespaces, from several threads at once.

    Attributes:
        namespaces: where they live.
        instances: by which settings are read.
        home: by its records an interface that has been borrowed is known also where others took its mark away.
        types: those of the eBPF programs that are loaded on the machine.
        has_ipsec: whether the kernel has IPsec.
    """

    namespaces: Namespaces
    instances: settings.Instances
    home: Home = NO_HOME
    types: frozenset[int] = frozenset()
    has_ipsec: bool = True

    def read(self, name: str, node: DesiredNode | None = None) -> ActualNode:
        """Read a namespace, less what engines have loaded there. ``node`` is what is to be there, if anything is.

        Raises MachineError where there is no such namespace, OSError where the kernel refuses.
        """
        records = [each for each in self.home.records.values() if each.namespace == name]
        with self.namespaces.entered(name), Kernel() as kernel:
            for left in reversed(range(_TRIES)):
                try:
                    found = self._read(kernel, node, records)
                    return replace(found, settings=self._settings(node)) if node is not None else found
                except (InterruptedError, KeyError):  # something has changed between two parts of the answer
                    if left == 0:
                        raise
        raise AssertionError("the last try returns or raises")

    def _settings(self, node: DesiredNode) -> dict[str, str]:
        with self.instances.opened() as directory:
            return {path: settings.read(directory, path) for path, _ in node.settings}

    def _read(self, kernel: Kernel, node: DesiredNode | None, records: Sequence[PortRecord]) -> ActualNode:
        daemons = node.daemons if node is not None else frozenset()
        links = list(interfaces.links(kernel))
        names = {link.index: link.name for link in links}
        foreign = [link.program for link in links if link.program is not None]
        homes = {link.index: _home(link, records) for link in links}
        foreign += interfaces.altnames(link for link in links if homes[link.index] is None or link.name == LOOPBACK)
        foreign += interfaces.raised_fallbacks(links)
        implied = set(LOOPBACK_ROUTES)
        addresses: dict[str, set[IPv4Address]] = {}
        for name, address in listing.addresses(kernel, names, implied):
            if isinstance(address, Foreign):
                foreign.append(address)
            else:
                addresses.setdefault(name, set()).add(address)
        far_macs: dict[str, str] = {}
        for name, neighbour in listing.neighbours(kernel, names):
            if isinstance(neighbour, Foreign):
                foreign.append(neighbour)
            else:
                far_macs[name] = neighbour
        routes = list(listing.routes(kernel, names, daemons))
        rules = list(listing.rules(kernel, daemons))
        foreign += [each for each in (*routes, *rules) if isinstance(each, Foreign)]
        foreign += listing.qdiscs(kernel, names)
        foreign += listing.proxies(kernel, names)
        foreign += listing.next_hops(kernel, daemons)
        foreign += ipsec.entries() if self.has_ipsec else ()
        local = frozenset(route for route in routes if isinstance(route, LocalRoute))
        foreign += (route.foreign() for route in local - implied)
        own_rules = frozenset(rule for rule in rules if isinstance(rule, DesiredRule))
        return ActualNode(
            interfaces={
                link.name: ActualInterface(
                    name=link.name,
                    index=link.index,
                    mac=link.mac,
                    mtu=link.mtu,
                    up=link.up,
                    far_mac=far_macs.get(link.name),
                    addresses=frozenset(addresses.get(link.name, ())),
                    kind=link.kind,
                    peer=link.peer,
                    plain=link.plain
                    and link.master is None
                    and (not link.alias or interfaces.mark_of(link.alias) is not None),
                    local=all(listing.local_route(ip, link.name) in local for ip in addresses.get(link.name, ())),
                    home=homes[link.index],
                    settings=link.settings,
                    program=programs.on_interface(self.types, link.index),
                )
                for link in links
                if link.name != LOOPBACK and not interfaces.is_fallback(link)
            },
            routes=frozenset(route for route in routes if isinstance(route, DesiredRoute)),
            rules=own_rules - KERNEL_RULES,
            settings={},
            foreign=tuple(foreign),
            lost=KERNEL_RULES - own_rules,
            ours=any(link.alias == interfaces.OURS for link in links if link.name == LOOPBACK),
            lasting=(*xtables.tables(), *programs.in_namespace(self.types)),
            loopback=local >= LOOPBACK_ROUTES and all(link.up for link in links if link.name == LOOPBACK),
        )


def _home(link: interfaces.ListedLink, records: Iterable[PortRecord]) -> str | None:
    """Return the name that an interface has where it belongs, None where it was made here and ends here."""
    if (mark := interfaces.mark_of(link.alias)) is not None:
        return mark[0]
    for record in records:
        if record.kind == link.kind and (record.index == link.index or record.name == link.name):
            return record.port
    # A device of the machine's own cannot be made, nor removed.
    return link.name if link.kind is None else None
