"""Applying a desired state to the machine: read, compare, change; and taking it down again."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from farshore.engine.netfilter import namespace, nft, requests
from farshore.engine.netfilter.actual import SETTINGS, ActualNode, read
from farshore.engine.netfilter.desired import DesiredInterface, DesiredNode, DesiredState
from farshore.engine.netfilter.difference import (
    AddRoute,
    Change,
    ConfigureInterface,
    CreateLink,
    CreateNamespace,
    LoadRuleset,
    MakeSetting,
    RemoveInterface,
    RemoveRoute,
    difference,
)
from farshore.errors import MachineError

LOOPBACK_INDEX = 1

Reporter = Callable[[int, int, str], None]


def apply(desired: DesiredState, report: Reporter = lambda _done, _total, _what: None) -> tuple[Change, ...]:
    """Bring the machine to the desired state and return what was changed, nothing on a second call.

    ``report`` hears how many changes of how many are done, and the node at hand. Raises MachineError where
    the kernel refuses; what had been done until then stays, and another call goes on from there.
    """
    changes = difference(desired, read_all(desired))
    done = 0
    for (node, kind), group in itertools.groupby(changes, key=lambda change: (change.node, _phase(change))):
        batch = tuple(group)
        try:
            kind(desired, desired.nodes[node], batch)
        except (OSError, NetlinkError) as error:
            raise MachineError(f"{node}: {batch[0].action}: {error}") from error
        done += len(batch)
        report(done, len(changes), node)
    return changes


def remove(namespaces: Iterable[str]) -> None:
    """Take namespaces down, by name. Links go with them. Names that are not there are passed over."""
    for name in namespaces:
        namespace.delete(name)


Phase = Callable[[DesiredState, DesiredNode, tuple[Any, ...]], None]


def _phase(change: Change) -> Phase:
    """Return the function that carries out this change and its neighbours of the same node."""
    match change:
        case CreateNamespace():
            return _create_namespace
        case LoadRuleset():
            return _load_ruleset
        case MakeSetting():
            return _make_settings
        case CreateLink():
            return _create_links
        case _:
            return _wire


def _create_namespace(_desired: DesiredState, node: DesiredNode, _changes: tuple[Change, ...]) -> None:
    namespace.create(node.namespace)
    # Without an address of its own a namespace has no local routing table until its loopback is up, and
    # without that table the kernel takes every next hop for a broadcast address and refuses the route.
    with namespace.entered(node.namespace), IPRoute() as kernel:
        kernel.link("set", index=LOOPBACK_INDEX, state="up")


def _load_ruleset(_desired: DesiredState, node: DesiredNode, changes: tuple[LoadRuleset, ...]) -> None:
    with namespace.entered(node.namespace):
        for change in changes:
            nft.load(change.text)


def _make_settings(_desired: DesiredState, node: DesiredNode, changes: tuple[MakeSetting, ...]) -> None:
    with namespace.entered(node.namespace):
        for change in changes:
            (SETTINGS / change.path).write_text(change.value, encoding="ascii")


def _create_links(desired: DesiredState, node: DesiredNode, changes: tuple[CreateLink, ...]) -> None:
    # A veth pair is made from anywhere: the request itself names both namespaces.
    with namespace.entered(node.namespace), IPRoute() as kernel:
        for change in changes:
            left, right = desired.nodes[change.link.left.node], desired.nodes[change.link.right.node]
            descriptors = [os.open(namespace.DIRECTORY / end.namespace, os.O_RDONLY) for end in (left, right)]
            try:
                kernel.link(
                    "add",
                    **requests.veth_pair(
                        _interface(left, change.link.left.interface),
                        descriptors[0],
                        _interface(right, change.link.right.interface),
                        descriptors[1],
                    ),
                )
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)


def _wire(_desired: DesiredState, node: DesiredNode, changes: tuple[Change, ...]) -> None:
    with namespace.entered(node.namespace), IPRoute() as kernel:
        indexes = {link.get_attr("IFLA_IFNAME"): link["index"] for link in kernel.get_links()}
        for change in changes:
            match change:
                case RemoveInterface(interface=name):
                    # The far end may have taken it away already.
                    if name in indexes:
                        kernel.link("del", index=indexes.pop(name))
                case ConfigureInterface(interface=interface):
                    _configure(kernel, interface, indexes[interface.name])
                case RemoveRoute(route=route):
                    kernel.route("del", **requests.route(route, indexes))
                case AddRoute(route=route):
                    kernel.route("add", **requests.route(route, indexes))
                case _:
                    raise TypeError(f"unknown change {change!r}")


def _configure(kernel: Any, interface: DesiredInterface, index: int) -> None:
    kernel.flush_addr(index=index)
    kernel.link("set", index=index, state="up")
    kernel.neigh("replace", **requests.neighbour(interface, index))
    if interface.address is not None:
        kernel.addr("replace", **requests.address(interface, index))


def _interface(node: DesiredNode, name: str) -> DesiredInterface:
    return next(interface for interface in node.interfaces if interface.name == name)


def read_all(desired: DesiredState) -> dict[str, ActualNode | None]:
    """Read what is there of every node."""
    return {name: read(node) for name, node in desired.nodes.items()}
