"""The desired state of a fabric, and the requests that make it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import engine_cases
import pytest
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from farshore.engine.nftables.desired import compile_fabric
from farshore.fabric.model import EndSystem, Fabric
from farshore.machine import netlink as requests
from farshore.machine.desired import NEXT_HOP, ROUTING_PROTOCOL, DesiredRoute, DesiredState

FABRICS = [engine_cases.article(), engine_cases.modes()]


@pytest.fixture(params=FABRICS, ids=["article", "modes"])
def fabric(request: pytest.FixtureRequest) -> Fabric:
    made: Fabric = request.param
    return made


@pytest.fixture
def desired(fabric: Fabric) -> DesiredState:
    return compile_fabric(fabric)


def test_every_node_has_a_namespace_of_its_own(fabric: Fabric, desired: DesiredState) -> None:
    names = [node.namespace for node in desired.nodes.values()]
    assert list(desired.nodes) == list(fabric.nodes)
    assert len(set(names)) == len(names)
    assert not any("/" in name for name in names)


def test_macs_are_unique_local_unicast_and_known_to_the_far_end(desired: DesiredState) -> None:
    interfaces = {(node.name, i.name): i for node in desired.nodes.values() for i in node.interfaces}
    macs = [interface.mac for interface in interfaces.values()]
    assert len(set(macs)) == len(macs)
    assert {int(mac[:2], 16) & 3 for mac in macs} == {2}
    for link in desired.links:
        left = interfaces[link.left.node, link.left.interface]
        right = interfaces[link.right.node, link.right.interface]
        assert (left.far_mac, left.mtu) == (right.mac, right.mtu)
        assert right.far_mac == left.mac


def test_the_next_hop_is_nobodys_address(fabric: Fabric, desired: DesiredState) -> None:
    for node in desired.nodes.values():
        assert all(NEXT_HOP not in interface.addresses for interface in node.interfaces)
        assert not any(route.destination == IPv4Network((int(NEXT_HOP), 32)) for route in node.routes)
        assert str(NEXT_HOP) not in desired.configurations["nftables"].get(node.name, "")
    assert NEXT_HOP not in {node.address.ip for node in fabric.end_systems}


def test_only_end_systems_have_addresses(fabric: Fabric, desired: DesiredState) -> None:
    for node in fabric.nodes.values():
        own = (node.address.ip,) if isinstance(node, EndSystem) else ()
        assert {interface.addresses for interface in desired.nodes[node.name].interfaces} == {own}


def test_end_systems_send_everything_out_and_devices_what_their_routes_say(
    fabric: Fabric, desired: DesiredState
) -> None:
    for node in fabric.end_systems:
        everywhere = DesiredRoute(IPv4Network("0.0.0.0/0"), node.interface.name)
        assert desired.nodes[node.name].routes == {everywhere}
    for box in fabric.devices:
        routes = {(route.destination, route.interface) for route in desired.nodes[box.name].routes}
        assert routes == {(route.destination.network, route.interface) for route in box.routes}


def test_compiling_is_a_function(fabric: Fabric) -> None:
    assert compile_fabric(fabric) == compile_fabric(fabric)


def decoded(request: bytes) -> rtmsg:
    message = rtmsg(request)
    message.decode()
    return message


def test_a_route_goes_to_the_next_hop_on_its_link() -> None:
    route = DesiredRoute(IPv4Network("10.2.2.0/28"), "nat")
    message = decoded(requests.add_route(route, {"nat": 7}))
    assert (message.get_attr("RTA_DST"), message["dst_len"]) == ("10.2.2.0", 28)
    assert IPv4Address(message.get_attr("RTA_GATEWAY")) == NEXT_HOP
    assert message.get_attr("RTA_OIF") == 7
    assert message["type"] == requests.RTN_UNICAST
    assert message["proto"] == ROUTING_PROTOCOL


def test_a_discard_has_no_next_hop() -> None:
    message = decoded(requests.add_route(DesiredRoute(IPv4Network("100.65.0.0/24"), None), {}))
    assert message["type"] == requests.RTN_BLACKHOLE
    assert message.get_attr("RTA_GATEWAY") is None
    assert message.get_attr("RTA_OIF") is None


@pytest.mark.parametrize("interface", ["nat", None])
def test_a_removal_asks_for_the_same_route(interface: str | None) -> None:
    route = DesiredRoute(IPv4Network("10.2.2.0/28"), interface)
    made, unmade = (decoded(r(route, {"nat": 7})) for r in (requests.add_route, requests.remove_route))
    assert made["header"]["type"] != unmade["header"]["type"]
    for field in ("dst_len", "type", "proto", "table"):
        assert made[field] == unmade[field]
    for attribute in ("RTA_DST", "RTA_GATEWAY", "RTA_OIF"):
        assert made.get_attr(attribute) == unmade.get_attr(attribute)
