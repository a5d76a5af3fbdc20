"""The difference between what should be and what is: pure, in order, with reasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import engine_cases
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farshore.engine.nftables.desired import compile_fabric
from farshore.engine.nftables.engine import Nftables
from farshore.machine.actual import ActualInterface, ActualNode, ActualState
from farshore.machine.changes import Change
from farshore.machine.desired import DesiredNode, DesiredRoute
from farshore.machine.difference import difference as compare
from farshore.machine.engine import NOTHING, Reading

DESIRED = compile_fabric(engine_cases.article())
ALICE, CE, NAT = "customer-a/alice", "customer-a/ce", "customer-a/nat"
NFTABLES = Nftables()
RULESETS = DESIRED.configurations["nftables"]
ORDER = (
    "remove interface",
    "delete namespace",
    "create namespace",
    "load rule set",
    "remove rule set",
    "set kernel setting",
    "create link",
    ("configure interface", "remove route", "add route"),
)

Actual = dict[str, ActualNode | None]


def as_wanted(node: DesiredNode) -> ActualNode:
    """Return a node that is all as it should be."""
    ruleset = RULESETS.get(node.name)
    loaded = NOTHING if ruleset is None else Reading(NFTABLES.digest(ruleset))
    return ActualNode(
        interfaces={
            i.name: ActualInterface(
                name=i.name,
                index=number,
                mac=i.mac,
                mtu=i.mtu,
                up=True,
                far_mac=i.far_mac,
                addresses=frozenset(i.addresses),
            )
            for number, i in enumerate(node.interfaces, start=2)
        },
        routes=node.routes,
        rules=node.rules,
        settings=dict(node.settings),
        loaded={"nftables": loaded},
    )


def all_as_wanted() -> Actual:
    return {name: as_wanted(node) for name, node in DESIRED.nodes.items()}


def difference(actual: Actual, unwanted: dict[str, ActualNode] | None = None) -> tuple[Change, ...]:
    return compare(DESIRED, ActualState(actual, unwanted or {}), (NFTABLES,))


def with_reading(node: ActualNode, **changed: object) -> ActualNode:
    return replace(node, loaded={"nftables": replace(node.loaded["nftables"], **changed)})  # type: ignore[arg-type]


def drifted(name: str, change: Callable[[ActualNode], ActualNode]) -> list[str]:
    """Return the changes after something has changed on one node."""
    actual = all_as_wanted()
    node = actual[name]
    assert node is not None
    actual[name] = change(node)
    return [str(each) for each in difference(actual)]


def with_interface(node: ActualNode, name: str, **changed: object) -> ActualNode:
    interfaces = dict(node.interfaces) | {name: replace(node.interfaces[name], **changed)}  # type: ignore[arg-type]
    return replace(node, interfaces=interfaces)


def phase(action: str) -> int:
    return next(n for n, names in enumerate(ORDER) if action == names or (isinstance(names, tuple) and action in names))


def test_nothing_is_to_be_done_where_all_is_as_wanted() -> None:
    assert difference(all_as_wanted()) == ()


def test_from_nothing_to_everything_what_filters_comes_before_what_flows() -> None:
    changes = difference(dict.fromkeys(DESIRED.nodes))
    phases = [phase(change.what) for change in changes]
    assert phases == sorted(phases)
    assert len(changes) == len(set(changes))
    made = [change.what for change in changes]
    assert made.count("create namespace") == len(DESIRED.nodes)
    assert made.count("load rule set") == len(RULESETS)
    assert made.count("create link") == len(DESIRED.links)
    assert made.count("add route") == sum(len(node.routes) for node in DESIRED.nodes.values())
    assert "remove interface" not in made
    assert "remove route" not in made


@pytest.mark.parametrize(
    ("node", "change", "expected"),
    [
        (
            CE,
            lambda n: replace(n, routes=n.routes - {DesiredRoute(IPv4Network("10.2.2.0/28"), "nat")}),
            ["add route: 10.2.2.0/28 is missing"],
        ),
        (
            CE,
            lambda n: replace(n, routes=n.routes | {DesiredRoute(IPv4Network("10.9.0.0/16"), None)}),
            ["remove route: 10.9.0.0/16 is not a desired route"],
        ),
        (
            CE,
            lambda n: replace(n, settings={**n.settings, "net/ipv4/ip_forward": "0"}),
            ["set kernel setting: net/ipv4/ip_forward: desired value 1"],
        ),
        (
            NAT,
            lambda n: with_reading(n, intact=False),
            ["load rule set: modified by another program"],
        ),
        (
            NAT,
            lambda n: with_reading(n, loaded="other"),
            ["load rule set: the desired rule set has changed"],
        ),
        (NAT, lambda n: with_reading(n, loaded=None), ["load rule set: no rule set is loaded"]),
        (
            CE,
            lambda n: with_interface(n, "nat", far_mac=None),
            ["configure interface: differs from the desired configuration"],
        ),
        (
            CE,
            lambda n: with_interface(n, "nat", up=False),
            ["configure interface: differs from the desired configuration", "add route: 10.2.2.0/28 is missing"],
        ),
        (
            ALICE,
            lambda n: with_interface(n, "wan", addresses=frozenset()),
            ["configure interface: differs from the desired configuration"],
        ),
        (
            ALICE,
            lambda n: with_interface(n, "wan", addresses=frozenset({IPv4Address("10.1.1.9")})),
            ["configure interface: differs from the desired configuration", "add route: 0.0.0.0/0 is missing"],
        ),
    ],
)
def test_one_drift_is_one_change_with_its_reason(
    node: str, change: Callable[[ActualNode], ActualNode], expected: list[str]
) -> None:
    assert drifted(node, change) == [f"{node}: {line}" for line in expected]


@pytest.mark.parametrize("changed", [{"mtu": 1400}, {"mac": "02:00:00:00:00:01"}])
def test_a_link_that_is_not_as_wanted_is_made_anew(changed: dict[str, object]) -> None:
    lines = drifted(CE, lambda n: with_interface(n, "nat", **changed))
    assert lines == [
        f"{CE}: remove interface: not part of the fabric, or configured otherwise",
        f"{NAT}: remove interface: the far end of its link is replaced",
        f"{CE}: create link: missing",
        f"{CE}: configure interface: its link is new",
        f"{CE}: add route: 10.2.2.0/28 is missing",
        f"{NAT}: configure interface: its link is new",
        f"{NAT}: add route: 10.1.1.0/24 is missing",
    ]


def test_an_interface_that_nobody_wants_goes_with_its_routes() -> None:
    stray = ActualInterface("stray", 99, "02:00:00:00:00:09", 1500, True, None, frozenset())

    def with_a_stray(node: ActualNode) -> ActualNode:
        return replace(
            node,
            interfaces={**node.interfaces, "stray": stray},
            routes=node.routes | {DesiredRoute(IPv4Network("10.9.0.0/16"), "stray")},
        )

    assert drifted(CE, with_a_stray) == [f"{CE}: remove interface: not part of the fabric, or configured otherwise"]


@given(st.sets(st.sampled_from(list(DESIRED.nodes))))
def test_what_is_missing_is_made_and_what_is_there_is_left_alone(absent: set[str]) -> None:
    actual = {name: None if name in absent else node for name, node in all_as_wanted().items()}
    changes = difference(actual)
    created = {change.node for change in changes if change.what == "create namespace"}
    assert created == absent
    neighbours = {
        end.node
        for link in DESIRED.links
        for end in (link.left, link.right)
        if {link.left.node, link.right.node} & absent
    }
    assert {change.node for change in changes} <= absent | neighbours
    assert not any(
        change.what in ("load rule set", "set kernel setting") for change in changes if change.node not in absent
    )


@given(st.data())
def test_every_route_that_is_there_in_the_end_is_wanted(data: st.DataObject) -> None:
    """Take any routes away and put others in: what the changes make of it is what is wanted."""
    wanted = DESIRED.nodes[CE].routes
    kept = data.draw(st.sets(st.sampled_from(sorted(wanted, key=str))))
    strays = data.draw(
        st.sets(st.builds(DesiredRoute, st.integers(0, 255).map(lambda n: IPv4Network((n << 24, 8))), st.just("nat")))
    )
    actual = all_as_wanted()
    actual[CE] = replace(as_wanted(DESIRED.nodes[CE]), routes=frozenset(kept | strays))
    routes = set(kept | strays)
    for change in difference(actual):
        route = getattr(change, "route", None)
        assert route is not None
        (routes.add if change.what == "add route" else routes.remove)(route)
    assert routes == wanted
