"""What a design cannot carry, by an intent's own choice and by one design for all."""

from __future__ import annotations

from hypothesis import given

from farshore.intent.calling_collisions import calling_collisions
from farshore.intent.capabilities import uncarried
from farshore.intent.load import load_text
from farshore.intent.model import Intent
from farshore.intent.nearest import Nearest
from farshore.intent.salvage import Salvage
from strategies import intents, mixed_intents

EVERYTHING = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  lake: 198.18.0.0/16
  reaches: [{tenant: customer-a, ports: [tcp/22]}]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443], proxy-protocol: v2, design: appliance}
    names: {address: 10.1.1.2, ports: [tcp/53, udp/53, icmp]}
    unused: {address: 10.1.1.3, ports: [udp/123], design: appliance}
tenants:
  customer-a: {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, names]}
  customer-b: {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [names], design: last-hop}
"""


def everything() -> Intent:
    loaded = load_text(EVERYTHING, "i").intent
    assert loaded is not None
    return loaded


def said(intent: Intent, design: str | None) -> list[str]:
    return [str(each) for each in uncarried(intent, design)]


NOT_PACKETS = (
    "i:9:48: service names: the appliance design carries TCP connections, and not udp/53, icmp; "
    "lake and last-hop carry it; or take it out of ports"
)


def nobody_told(design: str) -> str:
    problem = f"service portal: customer-a comes by the {design} design, which tells no service who calls"
    return f"i:8:67: {problem}; only the appliance does"


def no_calls(design: str) -> str:
    return f"i:6:22: provider: reaches customer-a: the {design} design carries no calls to a tenant; only the lake does"


def test_the_intents_own_choice_carries_everything() -> None:
    assert said(everything(), None) == []


def test_one_design_for_all_does_not() -> None:
    intent = everything()
    assert said(intent, "lake") == [nobody_told("lake")]
    for design in ("last-hop", "last-hop-plain", "single-nat"):
        assert said(intent, design) == [nobody_told(design), no_calls(design)]
    assert said(intent, "appliance") == [NOT_PACKETS, no_calls("appliance")]


@given(mixed_intents())
def test_what_is_drawn_for_other_tests_is_good(intent: Intent) -> None:
    parts = Salvage(intent.provider, intent.provider.services, intent.tenants, intent.tenants, {}, ())
    assert list(calling_collisions(intent.file, parts, intent.provider, Nearest())) == []
    assert uncarried(intent) == ()


@given(intents())
def test_the_lake_carries_whatever_asks_for_nothing_else(intent: Intent) -> None:
    assert uncarried(intent) == uncarried(intent, "lake") == ()
