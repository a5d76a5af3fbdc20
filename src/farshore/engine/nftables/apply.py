"""Applying a desired state to the machine: read, compare, change; and taking it down again."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from farshore.engine.nftables import nft
from farshore.engine.nftables.actual import ActualNode, read
from farshore.engine.nftables.difference import (
    AddRoute,
    AddRule,
    Change,
    ConfigureInterface,
    CreateLink,
    CreateNamespace,
    LoadRuleset,
    MakeSetting,
    RemoveInterface,
    RemoveRoute,
    RemoveRule,
    difference,
)
from farshore.errors import MachineError
from farshore.fabric.names import LinkEnd, NodeName
from farshore.machine import namespace, netlink, settings
from farshore.machine.desired import DesiredInterface, DesiredNode, DesiredState
from farshore.machine.links import wait_until_up
from farshore.machine.netlink import Kernel
from farshore.reporter import SILENT, Reporter

_logger = logging.getLogger(__name__)

_LOOPBACK_INDEX = 1
# Loading rules is mostly waiting for nft and until all processors have let go of the old ones, and reading is half
# that. Many nodes can wait at once. All else is work, which more threads would not speed up.
_LOADING_AT_ONCE = 16
_READING_AT_ONCE = 4

# Of every link's end: the namespace that it is to be in, and the interface that it is to be.
Ends = Mapping[LinkEnd, tuple[str, DesiredInterface]]


def apply(desired: DesiredState, reporter: Reporter = SILENT) -> tuple[Change, ...]:
    """Apply the desired state to the machine and return the changes; a second call makes none.

    ``reporter`` is given the number of changes done, of all, and the node at hand. Raises MachineError where
    the kernel refuses; what had been done until then stays, and another call goes on from there.
    """
    changes = difference(desired, read_all(desired))
    _logger.info("%d nodes, %d changes", len(desired.nodes), len(changes))
    ends = _ends(desired)
    done = 0
    reporter.started("configuration")
    # The phases follow each other; within one, no node waits for another.
    for phase, of_phase in itertools.groupby(changes, key=_phase):
        batches = [tuple(batch) for _, batch in itertools.groupby(of_phase, key=lambda change: change.node)]
        with _threads(_LOADING_AT_ONCE if phase is _load_ruleset else 1) as pool:
            work = [pool.submit(_carry_out, phase, desired, ends, batch) for batch in batches]
            for finished in as_completed(work):
                batch = finished.result()
                done += len(batch)
                reporter.advanced(done, len(changes), batch[0].node)
    _wait_for_links(desired, changes)
    reporter.finished("configuration")
    return changes


def _wait_for_links(desired: DesiredState, changes: Iterable[Change]) -> None:
    configured = (change for change in changes if isinstance(change, ConfigureInterface))
    for name, of_node in itertools.groupby(configured, key=lambda change: change.node):
        node = desired.nodes[name]
        with _naming(node, "wait for links"):
            wait_until_up(node.namespace, [change.interface.name for change in of_node])


def read_all(desired: DesiredState) -> dict[NodeName, ActualNode | None]:
    """Read what is there of every node. Raises MachineError where the kernel refuses."""
    with _threads(_READING_AT_ONCE) as pool:
        return dict(zip(desired.nodes, pool.map(_read, desired.nodes.values()), strict=True))


def remove(namespaces: Iterable[str]) -> None:
    """Take namespaces down, by name. Links go with them. Names that are not there are passed over."""
    for name in namespaces:
        namespace.delete(name)


@contextlib.contextmanager
def _threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads; when the body ends in an error, nothing that has not begun is begun."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _naming(node: DesiredNode, what: str) -> Iterator[None]:
    """Turn what the kernel or nft refuses in the body into an error that names the node."""
    try:
        yield
    except (OSError, NetlinkError, MachineError) as error:
        where = f"{node.name} ({node.origin})" if node.origin is not None else node.name
        raise MachineError(f"{where}: {what}: {error}") from error


def _read(node: DesiredNode) -> ActualNode | None:
    with _naming(node, "read the actual state"):
        return read(node)


def _ends(desired: DesiredState) -> Ends:
    return {
        LinkEnd(node.name, interface.name): (node.namespace, interface)
        for node in desired.nodes.values()
        for interface in node.interfaces
    }


Phase = Callable[[DesiredNode, Ends, tuple[Any, ...]], None]


def _carry_out(phase: Phase, desired: DesiredState, ends: Ends, batch: tuple[Change, ...]) -> tuple[Change, ...]:
    node = desired.nodes[batch[0].node]
    with _naming(node, batch[0].action):
        phase(node, ends, batch)
    for change in batch:
        _logger.debug("%s", change)
    return batch


def _phase(change: Change) -> Phase:
    """Return the function that carries out this change and its neighbours of the same node."""
    match change:
        case CreateNamespace():
            return _create_namespace
        case LoadRuleset():
            return _load_ruleset
        case MakeSetting():
            return _make_settings
        case RemoveInterface():
            return _remove_interfaces
        case CreateLink():
            return _create_links
        case _:
            return _wire


def _create_namespace(node: DesiredNode, _ends: Ends, _changes: tuple[CreateNamespace, ...]) -> None:
    namespace.create(node.namespace)


def _load_ruleset(node: DesiredNode, _ends: Ends, changes: tuple[LoadRuleset, ...]) -> None:
    with namespace.entered(node.namespace):
        for change in changes:
            nft.load(change.text, in_use=change.in_use)


def _make_settings(node: DesiredNode, _ends: Ends, changes: tuple[MakeSetting, ...]) -> None:
    with namespace.entered(node.namespace), settings.opened() as directory:
        for change in changes:
            settings.write(directory, change.path, change.value)


def _remove_interfaces(node: DesiredNode, _ends: Ends, changes: tuple[RemoveInterface, ...]) -> None:
    with namespace.entered(node.namespace), Kernel() as kernel:
        indexes = _indexes()
        for change in changes:
            # The far end, removed just now, may have taken it away already.
            if change.interface in indexes:
                kernel.ask(netlink.remove_link(indexes[change.interface]))


def _create_links(node: DesiredNode, ends: Ends, changes: tuple[CreateLink, ...]) -> None:
    # A veth pair is made from anywhere: the request itself names both namespaces.
    with namespace.entered(node.namespace), Kernel() as kernel:
        for change in changes:
            (left_namespace, left), (right_namespace, right) = ends[change.link.left], ends[change.link.right]
            with _opened(left_namespace) as left_descriptor, _opened(right_namespace) as right_descriptor:
                kernel.ask(netlink.veth_pair(left, left_descriptor, right, right_descriptor))


@contextlib.contextmanager
def _opened(name: str) -> Iterator[int]:
    descriptor = os.open(namespace.DIRECTORY / name, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _wire(node: DesiredNode, _ends: Ends, changes: tuple[Change, ...]) -> None:
    with namespace.entered(node.namespace), Kernel() as kernel:
        # Without an address of its own a namespace has no local routing table until its loopback is up, and
        # without that table the kernel takes every next hop for a broadcast address and refuses the route.
        kernel.ask(netlink.link_up(_LOOPBACK_INDEX))
        indexes = _indexes()
        for change in changes:
            match change:
                case ConfigureInterface(interface=interface):
                    _configure(kernel, change, indexes[interface.name])
                case RemoveRule(rule=rule):
                    kernel.ask(netlink.remove_rule(rule))
                case AddRule(rule=rule):
                    kernel.ask(netlink.add_rule(rule))
                case RemoveRoute(route=route):
                    kernel.ask(netlink.remove_route(route, indexes))
                case AddRoute(route=route):
                    kernel.ask(netlink.add_route(route, indexes))
                case _:
                    raise TypeError(f"unknown change {change!r}")


def _indexes() -> dict[str, int]:
    """Return the numbers of the interfaces in the thread's namespace, by name."""
    return {name: index for index, name in socket.if_nameindex()}


def _configure(kernel: Kernel, change: ConfigureInterface, index: int) -> None:
    for ip in change.surplus:
        kernel.ask(netlink.remove_address(ip, index))
    kernel.ask(netlink.link_up(index))
    kernel.ask(netlink.neighbour(change.interface, index))
    for ip in change.interface.addresses:
        kernel.ask(netlink.address(ip, index))
