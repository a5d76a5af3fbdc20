"""Invariant 1: a subscribed host reaches its service, and the reply comes back to it from the presented address,
whoever else uses the same addresses and ports at the same moment."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import replace

import live_tools
import pytest
from live_intents import ALIKE, NAMED, POOLED, TRANSLATED_AGAIN, Case, case, device, interface_toward, with_nodes
from live_world import World

from farshore.conformance.check import Outcome
from farshore.conformance.expectations import expectations
from farshore.fabric.model import Fabric, Guard, Route

pytestmark = pytest.mark.kernel

PORT = 40404  # of everybody
HOSTS = {"customer-a/alice": "10.1.1.1", "customer-b/bill": "10.1.1.1"}
PORTAL, DNS = "10.2.2.1", "10.2.2.2"

Answers = dict[str, dict[str, str]]


def all_at_once(fabric: Fabric) -> Answers:
    """From both hosts open the same flows, all of them before any is used, and say who got which answer."""
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    answers: Answers = {node: {} for node in HOSTS}
    with contextlib.ExitStack() as stack:
        streams, asking, pingers = [], {}, {}
        for node, source in HOSTS.items():
            for destination, port in ((PORTAL, 443), (PORTAL, 80), (DNS, 53)):
                stream = stack.enter_context(live_tools.tcp(node, source, PORT, destination, port))
                streams.append((node, f"tcp {destination}:{port}", stream))
            asking[node] = stack.enter_context(live_tools.udp(node, source, PORT))
            pingers[node] = live_tools.Pinger(node, source)
            stack.enter_context(pingers[node].socket)
        for node, _, stream in streams:
            stream.sendall(node.encode())
        for node in HOSTS:
            asking[node].sendto(node.encode(), (PORTAL, 5000))
            asking[node].sendto(node.encode(), (DNS, 53))
            pingers[node].send(PORTAL, PORT, payload=node.encode())
        for node, name, stream in streams:
            answers[node][name] = _stream_answer(stream, node)
        for node in HOSTS:
            answers[node].update(_datagram_answer(asking[node]) for _ in range(2))
            if (message := pingers[node].receive()) is not None:
                answers[node]["icmp"] = f"{message.source} {message.payload.decode()}"
    return answers


def _stream_answer(flow: socket.socket, node: str) -> str:
    live_tools.read_line(flow)
    return live_tools.read_exactly(flow, len(node)).decode()


def _datagram_answer(asking: socket.socket) -> tuple[str, str]:
    content, (address, port) = asking.recvfrom(2000)
    return f"udp {address}:{port}", content.partition(b"\n")[2].decode()


def owed(node: str) -> dict[str, str]:
    """What a host must get: everything that it sent itself, from where it sent it."""
    return {
        "tcp 10.2.2.1:443": node,
        "tcp 10.2.2.1:80": node,
        "tcp 10.2.2.2:53": node,
        "udp 10.2.2.1:5000": node,
        "udp 10.2.2.2:53": node,
        "icmp": f"10.2.2.1 {node}",
    }


@pytest.mark.parametrize("text", [ALIKE, POOLED, NAMED, TRANSLATED_AGAIN], ids=["alike", "pool", "host", "again"])
def test_everybody_gets_their_own_answers(world: World, text: str) -> None:
    answers = world.call(all_at_once, case(text).fabric)
    assert answers == {node: owed(node) for node in HOSTS}


def one_lake_block_for_two(whole: Case) -> Fabric:
    """Break: customer-b is given customer-a's lake block too, all devices agreeing."""
    fabric = whole.fabric
    other, box = device(fabric, "customer-a/nat"), device(fabric, "customer-b/nat")
    block = other.source_nat[0].outside  # type: ignore[union-attr]
    mine = box.source_nat[0].outside  # type: ignore[union-attr]

    def swapped(guard: Guard) -> Guard:
        return replace(
            guard,
            sources=tuple(block if p == mine else p for p in guard.sources),
            destinations=tuple(block if p == mine else p for p in guard.destinations),
        )

    far = device(fabric, "provider/nat")
    return with_nodes(
        fabric,
        replace(
            box,
            source_nat=(replace(box.source_nat[0], outside=block),),  # type: ignore[arg-type]
            routes=tuple(Route(block, None) if r.destination == mine else r for r in box.routes),
            guards=tuple(map(swapped, box.guards)),
        ),
        replace(
            far,
            routes=tuple(r for r in far.routes if r.destination != mine),
            guards=tuple(map(swapped, far.guards)),
        ),
    )


def exchanged_routes(whole: Case) -> Fabric:
    """Break: the far shore sends each tenant's replies to the other."""
    far = device(whole.fabric, "provider/nat")
    a, b = (interface_toward(whole.fabric, far.name, f"customer-{letter}/nat") for letter in "ab")
    towards = {a: b, b: a}
    routes = tuple(replace(r, interface=towards.get(r.interface or "", r.interface)) for r in far.routes)
    return with_nodes(whole.fabric, replace(far, routes=routes))


@pytest.mark.parametrize("broken", [one_lake_block_for_two, exchanged_routes])
def test_a_break_is_seen(world: World, broken: Callable[[Case], Fabric]) -> None:
    whole = case(ALIKE)
    fabric = broken(whole)
    world.call(live_tools.build, fabric)
    world.call(live_tools.serve_lab, fabric)
    exchanges = [c for c in expectations(whole.intent, whole.plan, whole.fabric) if "customer-b/bill reaches" in c.name]
    results = world.call(live_tools.make_checks, exchanges, fabric)
    assert results
    assert not any(result.ok for result in results)
    assert all(result.expected is Outcome.REACH for result in results)
