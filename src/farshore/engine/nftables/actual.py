"""The actual state, read from the kernel into the same plain values as the desired state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from pyroute2 import IPRoute

from farshore.engine.nftables import nft
from farshore.machine import namespace, settings
from farshore.machine.desired import NEXT_HOP, DesiredNode, DesiredRoute, DesiredRule, RuleAction
from farshore.machine.netlink import (
    AF_INET,
    IFF_UP,
    NUD_PERMANENT,
    RT_TABLE_MAIN,
    RTN_BLACKHOLE,
    RTPROT_STATIC,
    RULE_ACTIONS,
)

_FIRST_OF_THE_KERNEL = 32766  # the rules for the main table and the default one


@dataclass(frozen=True, slots=True)
class ActualInterface:
    """An interface as it is. ``far_mac`` is the permanent neighbour's, None where it has none."""

    name: str
    index: int
    mac: str
    mtu: int
    up: bool
    far_mac: str | None
    addresses: frozenset[IPv4Address]


@dataclass(frozen=True, slots=True)
class ActualNode:
    """A namespace as it is."""

    interfaces: Mapping[str, ActualInterface]
    routes: frozenset[DesiredRoute]
    rules: frozenset[DesiredRule]
    settings: Mapping[str, str]
    ruleset: nft.Remembered | None


def read(node: DesiredNode) -> ActualNode | None:
    """Read what is there of a node, None where its namespace does not exist."""
    if not namespace.exists(node.namespace):
        return None
    with namespace.entered(node.namespace):
        with IPRoute() as kernel:
            interfaces = _interfaces(kernel)
            names = {i.index: i.name for i in interfaces}
            # Other tables and rules are looked for only where some are wanted: it takes time at every node.
            routes = frozenset(_routes(kernel, names, every_table=bool(node.rules)))
            rules = frozenset(_rules(kernel)) if node.rules else frozenset()
        return ActualNode(
            interfaces={interface.name: interface for interface in interfaces},
            routes=routes,
            rules=rules,
            settings=_settings(node),
            ruleset=nft.remembered() if node.ruleset is not None else None,
        )


def _interfaces(kernel: Any) -> list[ActualInterface]:
    addresses: dict[int, set[IPv4Address]] = {}
    for message in kernel.get_addr(family=AF_INET):
        addresses.setdefault(message["index"], set()).add(IPv4Address(_attribute(message, "IFA_ADDRESS")))
    neighbours = {
        message["ifindex"]: _attribute(message, "NDA_LLADDR")
        for message in kernel.get_neighbours(family=AF_INET)
        if message["state"] & NUD_PERMANENT and _attribute(message, "NDA_DST") == str(NEXT_HOP)
    }
    return [
        ActualInterface(
            name=_attribute(message, "IFLA_IFNAME"),
            index=message["index"],
            mac=_attribute(message, "IFLA_ADDRESS"),
            mtu=_attribute(message, "IFLA_MTU"),
            up=bool(message["flags"] & IFF_UP),
            far_mac=neighbours.get(message["index"]),
            addresses=frozenset(addresses.get(message["index"], ())),
        )
        for message in kernel.get_links()
        if _attribute(message, "IFLA_IFNAME") != "lo"
    ]


def _routes(kernel: Any, names: Mapping[int, str], *, every_table: bool) -> Iterable[DesiredRoute]:
    wanted = {} if every_table else {"table": RT_TABLE_MAIN}
    for message in kernel.get_routes(family=AF_INET, **wanted):
        if message["proto"] != RTPROT_STATIC:
            continue
        destination = IPv4Network((_attribute(message, "RTA_DST") or "0.0.0.0", message["dst_len"]))  # noqa: S104
        blackhole = message["type"] == RTN_BLACKHOLE
        table = _attribute(message, "RTA_TABLE")
        yield DesiredRoute(destination, None if blackhole else names[_attribute(message, "RTA_OIF")], table)


def _rules(kernel: Any) -> Iterable[DesiredRule]:
    actions = {number: action for action, number in RULE_ACTIONS.items()}
    for message in kernel.get_rules(family=AF_INET):
        priority = _attribute(message, "FRA_PRIORITY") or 0
        if 0 < priority < _FIRST_OF_THE_KERNEL and message["action"] in actions:
            action = actions[message["action"]]
            table = _attribute(message, "FRA_TABLE") or 0 if action is RuleAction.LOOK_UP else 0
            yield DesiredRule(
                priority,
                action,
                _attribute(message, "FRA_GOTO") or table,
                _attribute(message, "FRA_FWMARK") or 0,
                _attribute(message, "FRA_FWMASK") or 0,
                _attribute(message, "FRA_IIFNAME"),
            )


def _attribute(message: Any, name: str) -> Any:
    return message.get_attr(name)


def _settings(node: DesiredNode) -> dict[str, str]:
    with settings.opened() as directory:
        return {path: settings.read(directory, path) for path, _ in node.settings}
