"""The difference between desired and actual state: every change with its reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import ClassVar

from farshore.engine.nftables.actual import ActualInterface, ActualNode
from farshore.fabric.names import LinkEnd, NodeName
from farshore.machine.desired import (
    DesiredInterface,
    DesiredLink,
    DesiredNode,
    DesiredRoute,
    DesiredRule,
    DesiredState,
)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to be done to a node, and why. ``action`` is what is done, in words, and ``str`` a line for people."""

    action: ClassVar[str]

    node: NodeName
    reason: str

    def __str__(self) -> str:
        """Return ``node: what: reason``."""
        return f"{self.node}: {self.action}: {self.reason}"


@dataclass(frozen=True, slots=True)
class CreateNamespace(Change):
    """Make the node's namespace."""

    action: ClassVar[str] = "create namespace"


@dataclass(frozen=True, slots=True)
class LoadRuleset(Change):
    """Replace the node's rule set, in one transaction; ``in_use`` says that there is one already."""

    action: ClassVar[str] = "load rule set"

    text: str
    in_use: bool


@dataclass(frozen=True, slots=True)
class MakeSetting(Change):
    """Write one kernel setting."""

    action: ClassVar[str] = "set kernel setting"

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class RemoveInterface(Change):
    """Remove an interface, and with it the far end of its link."""

    action: ClassVar[str] = "remove interface"

    interface: str


@dataclass(frozen=True, slots=True)
class CreateLink(Change):
    """Make both ends of a link; ``node`` is the left one."""

    action: ClassVar[str] = "create link"

    link: DesiredLink


@dataclass(frozen=True, slots=True)
class ConfigureInterface(Change):
    """Give an interface its neighbour and addresses, and set it up. ``surplus`` are the addresses to be taken away."""

    action: ClassVar[str] = "configure interface"

    interface: DesiredInterface
    surplus: frozenset[IPv4Address] = frozenset()


@dataclass(frozen=True, slots=True)
class RemoveRule(Change):
    """Remove a rule of the routing policy."""

    action: ClassVar[str] = "remove routing rule"

    rule: DesiredRule


@dataclass(frozen=True, slots=True)
class AddRule(Change):
    """Add a rule of the routing policy."""

    action: ClassVar[str] = "add routing rule"

    rule: DesiredRule


@dataclass(frozen=True, slots=True)
class RemoveRoute(Change):
    """Remove a route."""

    action: ClassVar[str] = "remove route"

    route: DesiredRoute


@dataclass(frozen=True, slots=True)
class AddRoute(Change):
    """Add a route."""

    action: ClassVar[str] = "add route"

    route: DesiredRoute


def difference(desired: DesiredState, actual: Mapping[NodeName, ActualNode | None]) -> tuple[Change, ...]:
    """Return the changes from actual to desired state, in order. Empty where both are equal.

    What filters stands before anything can flow: rule sets first, then settings (forwarding among them),
    then links and routes.
    """
    present = {name: node for name, node in actual.items() if node is not None}
    doomed = {
        LinkEnd(name, interface.name)
        for name, node in present.items()
        for interface in _doomed(desired.nodes[name], node)
    }
    # The far end of a removed link goes with it.
    missing = [
        link for link in desired.links if any(_is_missing(end, present, doomed) for end in (link.left, link.right))
    ]
    fresh = {end for link in missing for end in (link.left, link.right)}
    return (
        *(CreateNamespace(name, "missing") for name in desired.nodes if name not in present),
        *(change for node in desired.nodes.values() for change in _rules(node, present.get(node.name))),
        *(change for node in desired.nodes.values() for change in _settings(node, present.get(node.name))),
        *_interface_removals(present, doomed, fresh),
        *(CreateLink(link.left.node, "missing", link) for link in missing),
        *(change for node in desired.nodes.values() for change in _wiring(node, present.get(node.name), fresh)),
    )


def _doomed(node: DesiredNode, actual: ActualNode) -> Iterator[ActualInterface]:
    wanted = {(interface.name, interface.mac, interface.mtu) for interface in node.interfaces}
    return (i for i in actual.interfaces.values() if (i.name, i.mac, i.mtu) not in wanted)


def _is_missing(end: LinkEnd, present: Mapping[NodeName, ActualNode], doomed: set[LinkEnd]) -> bool:
    return end in doomed or end.node not in present or end.interface not in present[end.node].interfaces


def _interface_removals(
    present: Mapping[NodeName, ActualNode], doomed: set[LinkEnd], fresh: set[LinkEnd]
) -> Iterator[Change]:
    for name, node in present.items():
        for interface in node.interfaces:
            end = LinkEnd(name, interface)
            if end in doomed:
                yield RemoveInterface(name, "not part of the fabric, or configured otherwise", interface)
            elif end in fresh:
                yield RemoveInterface(name, "the far end of its link is replaced", interface)


def _rules(node: DesiredNode, actual: ActualNode | None) -> Iterator[Change]:
    if node.ruleset is None:
        return
    if actual is None or actual.ruleset is None or actual.ruleset.wanted is None:
        yield LoadRuleset(node.name, "no rule set is loaded", node.ruleset, in_use=False)
    elif not actual.ruleset.holds(node.ruleset):
        modified = actual.ruleset.listed != actual.ruleset.present
        reason = "modified by another program" if modified else "the desired rule set has changed"
        yield LoadRuleset(node.name, reason, node.ruleset, in_use=True)


def _settings(node: DesiredNode, actual: ActualNode | None) -> Iterator[Change]:
    for path, value in node.settings:
        if actual is None or actual.settings[path] != value:
            yield MakeSetting(node.name, f"{path}: desired value {value}", path, value)


def _wiring(node: DesiredNode, actual: ActualNode | None, fresh: set[LinkEnd]) -> Iterator[Change]:
    # The routes of an interface that is not wanted go with it.
    lost = set(actual.interfaces if actual else ()) - {interface.name for interface in node.interfaces}
    for interface in node.interfaces:
        is_new = LinkEnd(node.name, interface.name) in fresh
        before = None if is_new or actual is None else actual.interfaces[interface.name]
        if before is not None and _is_configured(interface, before):
            continue
        surplus = before.addresses - frozenset(interface.addresses) if before is not None else frozenset()
        why = "its link is new" if is_new else "differs from the desired configuration"
        yield ConfigureInterface(node.name, why, interface, surplus)
        if before is None or not before.up or (surplus and not before.addresses - surplus):
            # The kernel removes the routes of an interface that goes away or down, or that loses its last address.
            lost.add(interface.name)
    standing = frozenset(r for r in (actual.routes if actual else ()) if r.interface not in lost)
    yield from _routing_policy(node, actual)
    for route in sorted(standing - node.routes, key=str):
        yield RemoveRoute(node.name, f"{route.destination} is not a desired route", route)
    for route in sorted(node.routes - standing, key=str):
        yield AddRoute(node.name, f"{route.destination} is missing", route)


def _routing_policy(node: DesiredNode, actual: ActualNode | None) -> Iterator[Change]:
    standing = actual.rules if actual is not None else frozenset()
    for rule in sorted(standing - node.rules, key=str):
        yield RemoveRule(node.name, f"rule {rule.priority} is not a desired route", rule)
    # Those that refuse and those that are gone to come before those that lead there.
    for rule in sorted(node.rules - standing, key=lambda rule: (-rule.priority, str(rule))):
        yield AddRule(node.name, f"rule {rule.priority} is missing", rule)


def _is_configured(wanted: DesiredInterface, actual: ActualInterface) -> bool:
    return actual.up and actual.far_mac == wanted.far_mac and actual.addresses == frozenset(wanted.addresses)
