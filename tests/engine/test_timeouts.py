"""Idle time-outs are not below what the BEHAVE documents require, in the kernel's table of sessions and in HAProxy."""

from __future__ import annotations

import re

import engine_cases
import pytest

from farshore.design.catalogue import build
from farshore.engine.haproxy.configuration import configuration
from farshore.engine.nftables.desired import settings_of
from farshore.fabric.model import Device
from farshore.intent.load import load_text
from farshore.plan.allocate import allocate

# RFC 5382 REQ-5: an established connection is kept for at least 2 hours 4 minutes, any other for 4 minutes.
ESTABLISHED, TRANSITORY = 7_440, 240
# RFC 4787 REQ-5: a UDP mapping for at least 2 minutes, 5 are recommended; RFC 5508 REQ-2: an ICMP query for 60 seconds.
UDP, ICMP = 300, 60
LEAST = {
    "tcp_timeout_established": ESTABLISHED,
    "tcp_timeout_syn_sent": TRANSITORY,
    "tcp_timeout_syn_recv": TRANSITORY,
    "tcp_timeout_fin_wait": TRANSITORY,
    "tcp_timeout_close_wait": TRANSITORY,
    "tcp_timeout_last_ack": TRANSITORY,
    "tcp_timeout_time_wait": TRANSITORY,
    "tcp_timeout_unacknowledged": TRANSITORY,
    "udp_timeout": UDP,
    "udp_timeout_stream": UDP,
    "icmp_timeout": ICMP,
}
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
APPLIANCE = """version: 1
design: appliance
provider:
  name: acme
  networks: [10.1.1.0/24]
  services: {portal: {address: 10.1.1.1, ports: [tcp/443]}}
tenants:
  customer-a: {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal]}
"""


def filtering() -> list[Device]:
    return [device for device in engine_cases.article().devices if device.policy is not None]


@pytest.mark.parametrize("device", filtering(), ids=lambda device: device.name)
@pytest.mark.parametrize(("setting", "least"), LEAST.items())
def test_a_session_is_kept(device: Device, setting: str, least: int) -> None:
    assert int(dict(settings_of(device))[f"net/netfilter/nf_conntrack_{setting}"]) >= least


@pytest.mark.parametrize("side", ["client", "server"])
def test_an_idle_connection_through_a_proxy_is_kept(side: str) -> None:
    intent = load_text(APPLIANCE, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    (proxy,) = build(intent, plan).proxies
    written = re.findall(rf"^    timeout {side} (\d+)(\w+)$", configuration(proxy), flags=re.M)
    ((number, unit),) = written
    assert int(number) * SECONDS[unit] >= ESTABLISHED
