"""The namespace in which farshore runs, as far as interfaces are borrowed from it: what they had there, and its return.

An interface that moves to another namespace loses its addresses, neighbours, routes, kernel settings, its place in a
bridge, and is set down. What it had is kept in a record and given back when it returns. Until then it carries a mark,
wherever it is: its alias says what it is called at home, and which namespace has it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from farshore.errors import MachineError
from farshore.lookup import near
from farshore.machine import interfaces, listing, netlink, port_records, programs, settings
from farshore.machine.attributes import attribute, attributes
from farshore.machine.interfaces import ListedLink
from farshore.machine.namespace import Namespaces
from farshore.machine.netlink import Kernel
from farshore.machine.port_records import Listed, PortRecord

_logger = logging.getLogger(__name__)

# RTPROT_BOOT, RTPROT_STATIC, RTPROT_DHCP (rtnetlink(7)): the kernel and routing daemons make theirs anew.
_GIVEN_BACK = {3, 4, 16}
_INDEX = struct.Struct("=I")
_OF_ADDRESS = _OF_NEIGHBOUR = 4  # where the interface's number stands in a message of each kind
_ROUTE = struct.Struct("=8BI")
_UNUSABLE = 1 | 16  # RTNH_F_DEAD, RTNH_F_LINKDOWN: what the kernel lists of a route, and does not take back
_RTA_OIF, _RTA_CACHEINFO, _RTA_NH_ID = 4, 12, 30


@dataclass(frozen=True, slots=True)
class Marked:
    """An interface at home that carries the mark: it is about to go, or has not got back all that it had.

    ``interface`` is its name now, ``port`` the one that it is to have here, ``namespace`` the one that has borrowed it.
    """

    interface: str
    port: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Home:
    """What is at home: the interfaces, those with the mark by port, and the records of borrowed ones by port."""

    names: frozenset[str] = frozenset()
    marked: Mapping[str, Marked] = field(default_factory=dict)
    records: Mapping[str, PortRecord] = field(default_factory=dict)


NO_HOME = Home()  # where nothing is borrowed, nor is to be


def look(namespaces: Namespaces, *, borrowing: bool) -> Home:
    """Look at home, in the thread's namespace, where something is to be borrowed or has been. Raises MachineError."""
    records = port_records.read(namespaces.records)
    if not borrowing and not records:
        return NO_HOME
    with Kernel() as kernel:
        links = list(interfaces.links(kernel))
    marks = ((link.name, interfaces.mark_of(link.alias)) for link in links)
    marked = {mark[0]: Marked(name, *mark) for name, mark in marks if mark is not None}
    return Home(frozenset(link.name for link in links), marked, records)


@contextlib.contextmanager
def opened() -> Iterator[int]:
    """Yield a descriptor of the namespace that the thread is in."""
    descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


# --- borrowing ----------------------------------------------------------------------------------------------


def lend(namespaces: Namespaces, port: str, name: str, namespace: str, target: int) -> None:
    """Move an interface from home into a namespace, ``target``, with a record of what it has.

    Raises MachineError where there is no such interface, OSError where the kernel refuses.
    """
    with Kernel() as kernel:
        links = list(interfaces.links(kernel))
        # One that carries the mark has its record already: it was about to go, or has not got back all it had.
        marked = [link for link in links if (mark := interfaces.mark_of(link.alias)) is not None and mark[0] == port]
        found = marked or [link for link in links if link.name == port]
        if not found:
            raise MachineError(_missing(namespaces, port, [link.name for link in links]))
        record = port_records.read(namespaces.records).get(port) if marked else None
        if record is None:
            _require_movable(kernel, found[0])
            record = _described(kernel, found[0], links, port)
        record = _gone_to(record, namespace, name)
        port_records.write(namespaces.records, record)
        kernel.ask(netlink.label(found[0].index, interfaces.mark(port, namespace)))
        kernel.ask(netlink.move(found[0].index, name, target))


def _require_movable(kernel: Kernel, link: ListedLink) -> None:
    """Raise MachineError where a program is attached, which would come along; log what does not and is not kept."""
    attached = programs.on_interface(programs.loaded(), link.index)
    what = "by XDP" if link.program is not None else f"by tcx, {attached}" if attached is not None else None
    if what is not None:
        raise MachineError(
            f"an eBPF program is attached to interface {link.name} {what}, and would filter for the node; detach it"
        )
    for qdisc in listing.qdiscs(kernel, {link.index: link.name}):
        _logger.warning("interface %s: its queueing discipline is not given back: %s", link.name, qdisc.text)


def note_index(namespaces: Namespaces, port: str, index: int) -> None:
    """Note in its record by which number the namespace knows an interface that it has borrowed."""
    record = port_records.read(namespaces.records).get(port)
    if record is not None:
        port_records.write(namespaces.records, _gone_to(record, record.namespace, record.name, index))


def _gone_to(record: PortRecord, namespace: str, name: str, index: int | None = None) -> PortRecord:
    return replace(record, namespace=namespace, name=name, index=index)


def _missing(namespaces: Namespaces, port: str, names: Collection[str]) -> str:
    record = port_records.read(namespaces.records).get(port)
    if record is not None:
        return (
            f"interface {port} does not exist any more: {record.namespace} had borrowed it as {record.name}, and it "
            "ended with that namespace or was deleted; create it again"
        )
    nearest = near(port, names)
    fix = f"did you mean {' or '.join(nearest)}?" if nearest else "create it, or correct the name of the port"
    return f"interface {port} does not exist in the namespace in which farshore runs; {fix}"


def _described(kernel: Kernel, link: ListedLink, links: Iterable[ListedLink], port: str) -> PortRecord:
    names = {each.index: each.name for each in links}
    with settings.opened() as directory:
        own_settings = settings.of_interface(directory, link.name)
    return PortRecord(
        port=port,
        namespace="",
        name="",
        kind=link.kind,
        mac=link.mac,
        mtu=link.mtu,
        flags=link.flags & netlink.GIVEN_BACK_FLAGS,
        alias="" if interfaces.mark_of(link.alias) is not None else link.alias,
        altnames=link.altnames,
        master=names.get(link.master) if link.master is not None else None,
        addresses=tuple(_addresses(kernel, link.index)),
        neighbours=tuple(_neighbours(kernel, link.index)),
        routes=tuple(_routes(kernel, link.index)),
        settings=own_settings,
    )


def _addresses(kernel: Kernel, index: int) -> Iterator[Listed]:
    for content in listing.raw_addresses(kernel):
        if _INDEX.unpack_from(content, _OF_ADDRESS)[0] == index:
            found = attributes(content, 8)
            yield Listed(f"{ip_address(found.get(2, found[1]))}/{content[1]}", content.hex())


def _neighbours(kernel: Kernel, index: int) -> Iterator[Listed]:
    for content in listing.raw_neighbours(kernel):
        (state,) = struct.unpack_from("=H", content, 8)
        if _INDEX.unpack_from(content, _OF_NEIGHBOUR)[0] == index and state & netlink.NUD_PERMANENT:
            found = attributes(content, 12)
            yield Listed(str(ip_address(found[1])), content.hex())


def _routes(kernel: Kernel, index: int) -> Iterator[Listed]:
    for content in listing.raw_routes(kernel):
        family, length, _, _, _, protocol, *_ = _ROUTE.unpack_from(content)
        found = attributes(content, _ROUTE.size)
        if protocol in _GIVEN_BACK and found.get(_RTA_OIF) == _INDEX.pack(index):
            zero = bytes(4 if family == socket.AF_INET else 16)
            yield Listed(f"{ip_address(found.get(1, zero))}/{length}", content.hex())


# --- returning ----------------------------------------------------------------------------------------------


def take_back(kernel: Kernel, index: int, port: str, home: int, names: Collection[str]) -> None:
    """Move an interface home from the namespace of ``kernel``. ``names`` are those that are in use there.

    Raises MachineError where its name there is another's.
    """
    clash = f"interface {port} belongs there, and another has its name or one of its other names"
    if port in names:
        raise MachineError(f"{clash}; rename or delete the other one")
    try:
        kernel.ask(netlink.move(index, port, home))
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise MachineError(f"{clash}; rename or delete the other one") from error
        raise


def restore(namespaces: Namespaces, port: str) -> None:
    """Give an interface that is at home what it had there, and take its mark away last.

    What cannot be given back, as a route with an unreachable next hop, is logged by name. Raises MachineError
    where another interface has its name.
    """
    record = port_records.read(namespaces.records).get(port)
    with Kernel() as kernel:
        links = list(interfaces.links(kernel))
        marked = [link for link in links if (mark := interfaces.mark_of(link.alias)) is not None and mark[0] == port]
        for link in marked[:1]:
            if link.name != port:
                _rename(kernel, link, port)
            if record is not None:
                for what, error in _give_back(kernel, link, record, {each.name: each.index for each in links}):
                    _logger.warning("interface %s: its %s cannot be given back: %s", port, what, error)
            kernel.ask(netlink.label(link.index, record.alias if record is not None else ""))
    port_records.erase(namespaces.records, port)


def _rename(kernel: Kernel, link: ListedLink, port: str) -> None:
    try:
        kernel.ask(netlink.rename(link.index, port))
    except OSError as error:
        if error.errno == errno.EEXIST:
            found = f"interface {port} is back as {link.name}, for another interface has its name"
            raise MachineError(f"{found}; rename or delete the other one") from error
        raise


def _give_back(
    kernel: Kernel, link: ListedLink, record: PortRecord, indexes: Mapping[str, int]
) -> Iterator[tuple[str, OSError]]:
    """Give all back, and yield what cannot be, with the kernel's reason."""
    with settings.opened() as directory:
        settings.make_of_interface(directory, record.port, record.settings)
    index, attempts = link.index, list[tuple[str, bytes]]()
    if link.mac != record.mac:
        attempts.append((f"MAC address {record.mac}", netlink.set_mac(index, record.mac)))
    if link.mtu != record.mtu:
        attempts.append((f"MTU {record.mtu}", netlink.set_mtu(index, record.mtu)))
    attempts += [(f"name {name}", netlink.add_altname(index, name)) for name in record.altnames]
    if record.master is not None and record.master in indexes:
        attempts.append((f"place in {record.master}", netlink.set_master(index, indexes[record.master])))
    elif record.master is not None:
        yield f"place in {record.master}", OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    attempts.append(("flags", netlink.set_flags(index, record.flags)))
    attempts += [
        (f"address {each.text}", netlink.new_address(_with_index(each, _OF_ADDRESS, index)))
        for each in record.addresses
    ]
    attempts += [
        (f"neighbour {each.text}", netlink.new_neighbour(_with_index(each, _OF_NEIGHBOUR, index)))
        for each in record.neighbours
    ]
    attempts += [(f"route {each.text}", netlink.new_route(_route_over(each, index))) for each in record.routes]
    for what, request in attempts:
        try:
            kernel.ask(request)
        except OSError as error:
            if error.errno != errno.EEXIST:
                yield what, error


def _with_index(listed: Listed, place: int, index: int) -> bytes:
    content = bytearray.fromhex(listed.content)
    _INDEX.pack_into(content, place, index)
    return bytes(content)


def _route_over(listed: Listed, index: int) -> bytes:
    """Return a route as it was listed, over an interface that may have another number now."""
    content = bytes.fromhex(listed.content)
    *fields, flags = _ROUTE.unpack_from(content)
    found = attributes(content, _ROUTE.size)
    found |= {_RTA_OIF: _INDEX.pack(index)}
    parts = [attribute(kind, value) for kind, value in found.items() if kind not in {_RTA_CACHEINFO, _RTA_NH_ID}]
    return _ROUTE.pack(*fields, flags & ~_UNUSABLE) + b"".join(parts)
