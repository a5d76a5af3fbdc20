"""How long flows live, and how many a tenant may have."""

from __future__ import annotations

import contextlib
from pathlib import Path

import live_tools
import pytest
from live_intents import DISTINCT, case
from live_world import World

from farshore.fabric.model import Fabric
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE

pytestmark = pytest.mark.kernel

PORTAL = "10.2.2.1"
LIMIT = 5
LIMITED = DISTINCT.replace(
    "    hosts: {alice: 10.1.1.1, arnold: 10.1.1.2}\n",
    f"    hosts: {{alice: 10.1.1.1, arnold: 10.1.1.2}}\n    limits: {{sessions: {LIMIT}}}\n",
)
# RFC 4787 REQ-5 (five minutes recommended), RFC 5508 REQ-2, RFC 5382 REQ-5: seconds at least.
AT_LEAST = {
    "udp_timeout": 120,
    "udp_timeout_stream": 120,
    "icmp_timeout": 60,
    "tcp_timeout_established": 7440,
    "tcp_timeout_syn_sent": 240,
    "tcp_timeout_syn_recv": 240,
    "tcp_timeout_fin_wait": 240,
    "tcp_timeout_close_wait": 240,
    "tcp_timeout_last_ack": 240,
    "tcp_timeout_time_wait": 240,
    "tcp_timeout_unacknowledged": 240,
}


def timeouts(fabric: Fabric, node: str) -> dict[str, int]:
    live_tools.build(fabric)
    with PRIVATE.entered(namespace_name(node)):
        return {name: int((Path("/proc/sys/net/netfilter") / f"nf_conntrack_{name}").read_text()) for name in AT_LEAST}


@pytest.mark.parametrize("node", ["customer-a/nat", "customer-b/nat", "provider/nat", "provider/edge"])
def test_flows_live_as_long_as_the_standards_ask(shared_world: World, node: str) -> None:
    found = shared_world.call(timeouts, case(DISTINCT).fabric, node)
    assert {name: value for name, value in found.items() if value < AT_LEAST[name]} == {}


def flows(fabric: Fabric) -> dict[str, int]:
    """Open as many flows as go, one after the other, and return how many each host has at one moment."""
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    had = {}
    with contextlib.ExitStack() as stack:
        for node in ("customer-a/alice", "customer-b/bill"):
            had[node] = 0
            for number in range(LIMIT + 3):
                asking = stack.enter_context(live_tools.udp(node, "10.1.1.1", 30000 + number, PORTAL, 5000))
                with contextlib.suppress(OSError):
                    live_tools.ask(asking, b"?")
                    had[node] += 1
    return had


def test_a_tenant_has_no_more_sessions_than_its_limit(world: World) -> None:
    assert world.call(flows, case(LIMITED).fabric) == {"customer-a/alice": LIMIT, "customer-b/bill": LIMIT + 3}


def one_way(fabric: Fabric, packets: int) -> int:
    """Send packets of one flow that nobody answers, as logs are sent, and return how many arrived."""
    live_tools.build(fabric)
    with (
        live_tools.udp("provider/portal", "10.3.3.1", 5000) as receiving,
        live_tools.udp("customer-a/alice", "10.1.1.1", 30000, PORTAL, 5000) as sending,
    ):
        for _ in range(packets):
            sending.send(b"log")
        arrived = 0
        while live_tools.comes(receiving):
            receiving.recv(100)
            arrived += 1
    return arrived


@pytest.mark.parametrize("limits", ["{rate: 1}", "{sessions: 1}", "{sessions: 1, rate: 1}"])
def test_a_session_that_nobody_answers_counts_once(world: World, limits: str) -> None:
    text = LIMITED.replace(f"{{sessions: {LIMIT}}}", limits)
    assert world.call(one_way, case(text).fabric, 30) == 30


RATE = 2
RATED = LIMITED.replace(f"{{sessions: {LIMIT}}}", f"{{rate: {RATE}}}")


def after_refusals(fabric: Fabric) -> bool:
    """Try much that is not permitted, all at once; tell whether what is permitted still goes."""
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    with contextlib.ExitStack() as stack:
        for number in range(20 * RATE):
            refused = stack.enter_context(live_tools.udp("customer-a/alice", "10.1.1.1", 31000 + number, PORTAL, 9))
            refused.send(b"?")
        asking = stack.enter_context(live_tools.udp("customer-a/alice", "10.1.1.1", 30000, PORTAL, 5000))
        with contextlib.suppress(OSError):
            return live_tools.ask(asking, b"?")[2] == b"?"
    return False


def test_what_is_refused_does_not_count(world: World) -> None:
    assert world.call(after_refusals, case(RATED).fabric)
