"""What the intent does not connect may be asked for: the answer is the step that refuses, and why."""

from __future__ import annotations

import pytest
from walk_builders import ARTICLE, walked

from farshore.semantics.profile import PROFILES
from farshore.walk.tell.summary import drop, glitch_list, verdict

TWO_SERVICES = ARTICLE.replace(
    "tenants:", "    tickets: {address: 10.1.1.2, ports: [tcp/443, udp/443, udp/53]}\n\ntenants:", 1
)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_port_that_is_not_offered(profile: str) -> None:
    walk = walked("lake", profile, target="portal:22")
    refused = drop(walk)
    assert refused is not None
    assert (refused.at, refused.number, walk.delivered) == ("customer-a/nat", 3, False)
    assert "dropped by the filter: no permit for tcp/22 to " in (refused.reason or "")
    assert verdict(walk) == "dropped at step 3, by customer-a/nat"


@pytest.mark.parametrize(
    ("design", "by"),
    [
        ("lake", "customer-a/ce"),
        ("single-nat", "customer-a/wan"),
        ("last-hop", "customer-a/ce"),
        ("appliance", "customer-a/ce"),
    ],
)
def test_a_service_that_is_not_subscribed_to(design: str, by: str) -> None:
    walk = walked(design, target="tickets", text=TWO_SERVICES)
    assert walk.steps[0].action == "connects to 100.64.0.2, the lake address of tickets"
    assert (walk.steps[0].note or "").startswith("tickets is not presented to customer-a")
    refused = drop(walk)
    assert refused is not None
    assert refused.at == by
    assert refused.reason == f"At {by}, no route to 100.64.0.2."


def test_both_a_glitch_and_a_refusal_are_told() -> None:
    walk = walked("single-nat", target="portal:22")
    (remark,) = glitch_list(walk)
    assert "ambiguous route to 10.1.1.1 (provider)" in remark.says
    assert "dropped by the filter" in remark.says
    assert "the lake design" in (remark.fix or "")
    assert "add the port to the service" in (remark.fix or "")


def test_a_proxy_carries_no_ping() -> None:
    refused = drop(walked("appliance", target="portal:icmp"))
    assert refused is not None
    assert refused.fix == "use a design that forwards packets: lake or last-hop"


def test_the_internet_reaches_what_is_published_and_nothing_else() -> None:
    assert walked("lake", origin="internet/host").delivered
    refused = drop(walked("lake", origin="internet/host", target="tickets", text=TWO_SERVICES))
    assert refused is not None
    assert refused.at == "provider/edge"
    assert "dropped by anti-spoofing on internet" in (refused.reason or "")


@pytest.mark.parametrize(
    ("target", "port"),
    [
        ("portal", "tcp/443"),
        ("portal:80", "tcp/80"),
        ("portal:icmp", "icmp"),
        ("portal:udp/80", "udp/80"),
        ("portal:5", "tcp/5"),
        ("tickets:53", "udp/53"),
        ("tickets:443", "tcp/443"),
        ("tickets:udp/443", "udp/443"),
    ],
)
def test_how_a_port_is_written(target: str, port: str) -> None:
    assert str(walked("lake", target=target, text=TWO_SERVICES).port) == port
