"""Invariant 4: translation is one-to-one at every moment, so who it was has one answer, and the plan knows it."""

from __future__ import annotations

import contextlib
import json
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import live_tools
import pytest
from live_intents import DISTINCT, POOLED, TRANSLATED_AGAIN, Case, case, device, with_nodes
from live_world import World

from farshore.fabric.model import Fabric
from farshore.realm import LAKE, Address
from farshore.translation import BasicNat, PortBlockNapt

pytestmark = pytest.mark.kernel

HOSTS = {"customer-a/alice": "10.1.1.1", "customer-a/arnold": "10.1.1.2", "customer-b/bill": "10.1.1.1"}
PORTAL = "10.2.2.1"
FLOWS = 12

# The protocol, the address and the port (or identifier) that the service saw, and the host that really sent it.
Sighting = tuple[str, str, int, str]


def sightings(fabric: Fabric) -> list[Sighting]:
    """Open many flows from every host at once and say how the portal saw each of them."""
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    seen: list[Sighting] = []
    wire = live_tools.Wire("provider/portal", "provider")
    with contextlib.ExitStack() as stack:
        for node, source in HOSTS.items():
            pinger = live_tools.Pinger(node, source)
            stack.enter_context(pinger.socket)
            for number in range(FLOWS):
                stream = stack.enter_context(live_tools.tcp(node, source, 20000 + number, PORTAL, 443))
                seen.append(("tcp", *json.loads(live_tools.read_line(stream)), node))
                asking = stack.enter_context(live_tools.udp(node, source, 20000 + number, PORTAL, 5000))
                seen.append(("udp", *live_tools.ask(asking, b"who")[:2], node))
                pinger.ping(PORTAL, 20000 + number, payload=node.encode())
    for packet in wire.heard():
        if packet[9] == 1 and packet[20] == live_tools.ECHO_REQUEST:
            (identifier,) = struct.unpack_from("!H", packet, 24)
            seen.append(("icmp", str(IPv4Address(packet[12:16])), identifier, packet[28:].decode()))
    return seen


def owners(whole: Case, address: str, port: int) -> set[str]:
    """Work out from the plan alone who stands behind an address and port that a service saw."""
    found = set()
    for tenant in whole.plan.tenants.values():
        for source in tenant.sources:
            lake = Address(LAKE, IPv4Address(address))
            for onward in source.provider_translations:
                with contextlib.suppress(ValueError):
                    lake = onward.inward(replace(lake, realm=onward.outside.realm))
            for translation in source.translations:
                owner = None
                if isinstance(translation, PortBlockNapt):
                    owner = translation.owner(lake, port)
                elif lake in translation.outside:
                    owner = translation.inward(lake)
                if owner is not None:
                    found |= {h for h, ip in HOSTS.items() if h.startswith(tenant.name) and ip == str(owner.ip)}
    return found


def wrongly_attributed(whole: Case, seen: list[Sighting]) -> list[Sighting]:
    """Return the sightings whose sender is not the one that the plan computes."""
    return [s for s in seen if owners(whole, s[1], s[2]) != {s[3]}]


@pytest.mark.parametrize("text", [DISTINCT, POOLED, TRANSLATED_AGAIN], ids=["prefix", "pool", "again"])
def test_every_sighting_has_one_owner(world: World, text: str) -> None:
    whole = case(text)
    seen = world.call(sightings, whole.fabric)
    assert len(seen) == 3 * FLOWS * len(HOSTS)
    assert wrongly_attributed(whole, seen) == []
    # One address, protocol and port at one moment is one flow of one host.
    assert len({(protocol, address, port) for protocol, address, port, _ in seen}) == len(seen)
    if text != POOLED:
        assert all(int(IPv4Address(s[1])) & 0xFF == int(IPv4Address(HOSTS[s[3]])) & 0xFF for s in seen)
        assert all(port in range(20000, 20000 + FLOWS) for _, _, port, _ in seen)


def test_a_pool_splits_one_address_by_ports(world: World) -> None:
    whole = case(POOLED.replace("{pool: 2}", "{pool: 1}"))
    seen = [s for s in world.call(sightings, whole.fabric) if s[3].startswith("customer-a")]
    assert len({address for _, address, _, _ in seen}) == 1
    ports = {node: {port for _, _, port, sender in seen if sender == node} for node in HOSTS}
    assert ports["customer-a/alice"].isdisjoint(ports["customer-a/arnold"])
    assert wrongly_attributed(whole, seen) == []


def test_a_pool_that_changes_is_attributed_by_its_new_plan(world: World) -> None:
    before, after = case(POOLED.replace("{pool: 2}", "{pool: 1}")), case(POOLED)
    world.call(live_tools.build, before.fabric)
    changes = world.call(live_tools.build, after.fabric)
    assert "customer-a/nat: load rule set: the desired rule set has changed" in changes
    assert wrongly_attributed(after, world.call(sightings, after.fabric)) == []
    listed = world.call(live_tools.rules_in, "customer-a/nat")
    assert len(re.findall(r" : 100\S+ \. \d+-\d+", listed)) == 256  # one block a host, none of the old ones


def test_provider_sources_are_as_planned(world: World) -> None:
    whole = case(TRANSLATED_AGAIN)
    seen = world.call(sightings, whole.fabric)
    assert {IPv4Address(address) in whole.intent.provider.source[0].network for _, address, _, _ in seen} == {True}


def smaller_blocks(whole: Case) -> Fabric:
    """Break: the device gives its hosts blocks of half the planned size."""
    box = device(whole.fabric, "customer-a/nat")
    (napt,) = box.source_nat
    assert isinstance(napt, PortBlockNapt)
    return with_nodes(whole.fabric, replace(box, source_nat=(replace(napt, block_size=napt.block_size // 2),)))


def everybody_is_one(whole: Case) -> Fabric:
    """Break: Arnold appears by Alice's lake address."""
    box = device(whole.fabric, "customer-a/nat")
    (basic,) = box.source_nat
    assert isinstance(basic, BasicNat)
    pair = list(zip(basic.inside.network, basic.outside.network, strict=True))
    single = [
        BasicNat(replace(basic.inside, network=_single(inside)), replace(basic.outside, network=_single(pair[1][1])))
        for inside, _ in pair[1:3]
    ]
    return with_nodes(whole.fabric, replace(box, source_nat=tuple(single)))


def _single(ip: IPv4Address) -> IPv4Network:
    return IPv4Network((int(ip), 32))


@pytest.mark.parametrize(("text", "broken"), [(POOLED, smaller_blocks), (DISTINCT, everybody_is_one)])
def test_a_break_is_seen(world: World, text: str, broken: Callable[[Case], Fabric]) -> None:
    whole = case(text)
    wrong = wrongly_attributed(whole, world.call(sightings, broken(whole)))
    assert {sender for *_, sender in wrong} & {"customer-a/arnold", "customer-a/alice"}
