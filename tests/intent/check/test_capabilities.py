"""What a design does not carry, by an intent's own choice and by one design for all."""

from __future__ import annotations

from hypothesis import given

from farshore.intent.check.calling_collisions import calling_collisions
from farshore.intent.check.capabilities import uncarried
from farshore.intent.check.scope import Scope
from farshore.intent.load import load_text
from farshore.intent.model import Intent, Salvage
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


def messages(intent: Intent, design: str | None) -> list[str]:
    return [str(each) for each in uncarried(intent, design)]


NOT_PACKETS = (
    "i:9:48: error E0401: service names: design appliance carries TCP only, not udp/53, icmp; "
    "use design lake or last-hop"
)


def identity_lost(design: str) -> str:
    problem = f"service portal: design {design} of tenant customer-a does not pass on the caller's identity"
    return f"i:8:67: error E0402: {problem}; only design appliance does"


def no_calls(design: str) -> str:
    problem = f"provider: reaches customer-a: design {design} does not carry calls to tenants"
    return f"i:6:22: error E0403: {problem}; only design lake does"


def test_the_intents_own_choice_carries_everything() -> None:
    assert messages(everything(), None) == []


def test_one_design_for_all_does_not() -> None:
    intent = everything()
    assert messages(intent, "lake") == [identity_lost("lake")]
    for design in ("last-hop", "last-hop-plain", "single-nat"):
        assert messages(intent, design) == [identity_lost(design), no_calls(design)]
    assert messages(intent, "appliance") == [NOT_PACKETS, no_calls("appliance")]


@given(mixed_intents())
def test_what_is_drawn_for_other_tests_is_good(intent: Intent) -> None:
    assert list(calling_collisions(Scope.of(Salvage.of(intent)), intent.provider)) == []
    assert uncarried(intent) == ()


@given(intents())
def test_the_lake_carries_whatever_asks_for_nothing_else(intent: Intent) -> None:
    assert uncarried(intent) == uncarried(intent, "lake") == ()
