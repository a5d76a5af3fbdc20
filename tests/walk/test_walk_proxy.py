"""A proxy terminates one connection, opens another, and relays the reply to its client; calls from the provider."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from walk_builders import ARTICLE, built, planned

from farshore.design.catalogue import build
from farshore.fabric.model import Device, Proxy
from farshore.pipeline.probes import probe
from farshore.port import Protocol
from farshore.realm import Address
from farshore.semantics.choice import Choices, right_route
from farshore.semantics.flow import Flow
from farshore.semantics.packet import Kind, Packet
from farshore.semantics.proxy import cross_proxy
from farshore.translation import PortBlock
from farshore.walk.tell.journey import Walk, walk
from farshore.walk.tell.summary import drop, verdict

OWN_PORT = 50001
CALLING = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  hosts: {monitor: 10.1.1.50}
  reaches: [{tenant: customer-a, ports: [tcp/22, icmp]}]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443]}
    news: {address: 10.1.1.2, ports: [tcp/80], design: appliance}
tenants:
  customer-a:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, news], hosts: {alice: 10.1.1.1}}
  customer-b:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal], hosts: {bill: 10.1.1.1}, design: last-hop}
  customer-c:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal], hosts: {cy: 10.1.1.1}, design: appliance}
"""


def own_port(node: Device | Proxy, _block: PortBlock, packet: Packet) -> int:
    return OWN_PORT if isinstance(node, Proxy) else packet.source_port


def test_the_port_of_the_other_connection_is_a_choice() -> None:
    intent, plan, fabric = built(ARTICLE, "appliance")
    asked = probe(intent, plan, fabric, "customer-a/alice", "portal")
    kept, chosen = walk(fabric, None, asked), walk(fabric, None, asked, choices=Choices(right_route, own_port))
    ports = [step.after.source_port for step in kept.steps if step.at == "provider/proxy"]
    assert ports == [asked.source_port, 443]
    (there, back) = (step for step in chosen.steps if step.at == "provider/proxy")
    assert (there.after.source_port, back.before.destination_port) == (OWN_PORT, OWN_PORT)
    assert back.after.destination_port == asked.source_port
    assert chosen.delivered


def proxy() -> Proxy:
    (only,) = built(ARTICLE, "appliance")[2].proxies
    return only


def asks(proxy: Proxy, tenant: str, source: str) -> tuple[Packet, str]:
    front = next(front for front in proxy.fronts if front.ingress.name == tenant)
    ingress = next(interface.name for interface in proxy.interfaces if interface.realm == front.ingress)
    here = Address(front.ingress, IPv4Address(source))
    return Packet(Protocol.TCP, here, front.presented, 40000, front.port.number), ingress


def test_two_tenants_with_equal_headers_get_their_own_back() -> None:
    box, flows = proxy(), list[Flow]()
    for number, tenant in enumerate(("customer-a", "customer-b")):
        packet, ingress = asks(box, tenant, "10.1.1.1")
        onward = Choices(right_route, lambda *_, port=OWN_PORT + number: port)
        opened = cross_proxy(box, packet, ingress, flows, choices=onward).flow
        assert opened is not None
        flows.append(opened)
    for flow, tenant in zip(flows, ("customer-a", "customer-b"), strict=True):
        crossing = cross_proxy(box, flow.left.answered(), flow.egress, flows)
        assert (crossing.egress, crossing.packet) == (flow.ingress, flow.arrived.answered())
        assert crossing.packet.destination.realm.name == tenant
        # What follows on the same connection opens no other.
        again = cross_proxy(box, flow.arrived, flow.ingress, flows)
        assert (again.packet, again.egress, again.flow) == (flow.left, flow.egress, None)


@pytest.mark.parametrize("source", ["198.51.100.77", "100.65.0.1", "10.2.2.1"])
def test_nobody_else_is_answered(source: str) -> None:
    box = proxy()
    packet, ingress = asks(box, "customer-a", source)
    crossing = cross_proxy(box, packet, ingress, ())
    assert (crossing.egress, crossing.flow) == (None, None)


def test_only_a_new_connection_to_a_front_opens_one() -> None:
    box = proxy()
    packet, ingress = asks(box, "customer-a", "10.1.1.1")
    refused = [
        (replace(packet, destination_port=444), ingress),
        (replace(packet, protocol=Protocol.UDP), ingress),
        (replace(packet, kind=Kind.ERROR, quoted=packet.answered()), ingress),
        (replace(packet, destination=Address(packet.destination.realm, IPv4Address("10.2.2.9"))), ingress),
    ]
    assert cross_proxy(box, packet, ingress, ()).egress is not None
    for wrong, at in refused:
        assert cross_proxy(box, wrong, at, ()).egress is None
    provider = next(interface.name for interface in box.interfaces if interface.realm.name == "provider")
    assert cross_proxy(box, packet, provider, ()).egress is None


# --- the provider calls ------------------------------------------------------------------------------


def calls(origin: str, target: str) -> Walk:
    intent, plan = planned(CALLING)
    fabric = build(intent, plan)
    return walk(fabric, None, probe(intent, plan, fabric, origin, target))


@pytest.mark.parametrize("port", ["tcp/22", "icmp"])
def test_a_call_has_a_step_for_every_box_both_ways(port: str) -> None:
    walked_there = calls("provider/monitor", f"customer-a/alice:{port}")
    way = ["provider/router", "provider/nat", "customer-a/nat", "customer-a/ce"]
    places = [step.at for step in walked_there.steps]
    assert places == ["provider/monitor", *way, "customer-a/alice", *reversed(way), "provider/monitor"]
    assert verdict(walked_there) == "delivered: 11 steps without a glitch"
    at_alice = walked_there.steps[5]
    seen = at_alice.before.destination.ip
    assert at_alice.action == f"replies from its own address to the source that it saw, {seen}"
    assert at_alice.before.destination.realm.name == "customer-a"
    assert walked_there.steps[-1].action == "receives the reply from 100.65.0.1"


@pytest.mark.parametrize(
    ("origin", "target", "by"),
    [
        ("provider/monitor", "customer-a/alice:tcp/23", "provider/nat"),
        ("provider/portal", "customer-a/alice:tcp/22", "provider/nat"),
        ("provider/monitor", "customer-b/bill:tcp/22", "provider/last-hop"),
        ("provider/monitor", "customer-c/cy:tcp/22", "provider/nat"),
    ],
)
def test_other_calls_are_refused_and_none_glitches(origin: str, target: str, by: str) -> None:
    came = calls(origin, target)
    refused = drop(came)
    assert refused is not None
    assert (refused.at, came.glitches) == (by, (refused.number,))


def test_what_is_one_way_is_not_the_other() -> None:
    """No service is reached by the address from which the provider calls."""
    intent, plan = planned(CALLING)
    fabric = build(intent, plan)
    asked = probe(intent, plan, fabric, "customer-a/alice", "portal")
    reached = intent.reached("customer-a")[0]
    back = replace(asked, destination=plan.tenants["customer-a"].callers["monitor"], port=reached)
    refused = drop(walk(fabric, None, back))
    assert refused is not None
    assert refused.at == "customer-a/nat"
