"""Design by profile by equal or distinct addresses: how many steps, and which of them glitch."""

from __future__ import annotations

import pytest
from walk_builders import ARTICLE, DISTINCT, walked

from farshore.design.catalogue import DESIGNS
from farshore.semantics.packet import Packet
from farshore.semantics.profile import PROFILES, FilterView, Grade, Profile, Returning, Stage
from farshore.walk.tell.journey import Walk

STEPS = {"single-nat": 7, "lake": 10, "last-hop": 8, "last-hop-plain": 8, "appliance": 8}
# The worst case: one NAT with the same addresses on both of its sides.
SINGLE_NAT_WITH_EQUAL_ADDRESSES = {
    # These translate before they route, both ways.
    "linux": (3, 6),
    "nsx-t": (3, 6),
    "vpp": (3, 6),
    # It routes first, but only from inside to outside.
    "cisco-ios": (6,),
    # These translate before they route, and their replies are not routed but follow the session.
    "cisco-asa": (3,),
    "junos-srx": (3,),
    "fortios": (3,),
    "pan-os": (3,),
    "f5-ltm": (3,),
}


def test_the_tables_are_complete() -> None:
    assert STEPS.keys() == DESIGNS.keys()
    assert SINGLE_NAT_WITH_EQUAL_ADDRESSES.keys() == PROFILES.keys()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("addresses", ["equal", "distinct"])
def test_matrix(design: str, profile: str, addresses: str) -> None:
    walk = walked(design, profile, text=ARTICLE if addresses == "equal" else DISTINCT)
    unlucky = design in ("single-nat", "last-hop-plain") and addresses == "equal"
    # Without sources of their own, replies to tenants have addresses that the provider's router knows as its own.
    glitches = SINGLE_NAT_WITH_EQUAL_ADDRESSES[profile] if design == "single-nat" else (5,)
    assert walk.glitches == (glitches if unlucky else ())
    assert len(walk.steps) == STEPS[design]
    assert walk.delivered is not unlucky


@pytest.mark.parametrize("design", DESIGNS)
def test_without_a_profile_each_device_has_its_own_and_that_is_linux(design: str) -> None:
    own, linux = walked(design), walked(design, "linux")
    assert (own.profile, own.steps) == ("own", linux.steps)


def test_step_5_says_why_temporary_addresses_are_needed() -> None:
    notes = {step.number: step.note for step in walked("single-nat").steps if step.note is not None}
    assert notes.keys() == {5}
    assert "100.65.0.1 stands for 10.1.1.1 (customer-a)" in notes[5]


def packet(packet: Packet) -> str:
    return f"{packet.source} > {packet.destination}"


# The node, and the packet after it: both tables of "Multi-Tenant WAN Access to Shared Resources", with addresses.
ALICE, PORTAL = "10.1.1.1 (customer-a)", "10.1.1.1 (provider)"
CALLED = "10.2.2.1 (customer-a)"
FIRST_TABLE = [
    ("customer-a/alice", f"{ALICE} > {CALLED}"),
    ("customer-a/ce", f"{ALICE} > {CALLED}"),
    ("customer-a/ce", f"100.65.0.1 (provider) > {PORTAL}"),
    ("provider/router", f"100.65.0.1 (provider) > {PORTAL}"),
    ("provider/portal", f"{PORTAL} > 100.65.0.1 (provider)"),
    ("customer-a/ce", f"{CALLED} > {ALICE}"),
    ("customer-a/alice", f"{CALLED} > {ALICE}"),
]
SECOND_TABLE = [
    ("customer-a/alice", f"{ALICE} > {CALLED}"),
    ("customer-a/ce", f"{ALICE} > {CALLED}"),
    ("customer-a/nat", "100.65.0.1 (lake) > 100.64.0.1 (lake)"),
    ("provider/nat", f"100.65.0.1 (lake) > {PORTAL}"),
    ("provider/router", f"100.65.0.1 (lake) > {PORTAL}"),
    ("provider/portal", f"{PORTAL} > 100.65.0.1 (lake)"),
    ("provider/nat", "100.64.0.1 (lake) > 100.65.0.1 (lake)"),
    ("customer-a/nat", f"{CALLED} > {ALICE}"),
    ("customer-a/ce", f"{CALLED} > {ALICE}"),
    ("customer-a/alice", f"{CALLED} > {ALICE}"),
]


@pytest.mark.parametrize(("design", "table"), [("single-nat", FIRST_TABLE), ("lake", SECOND_TABLE)])
@pytest.mark.parametrize("profile", PROFILES)
def test_the_article_s_tables(design: str, table: list[tuple[str, str]], profile: str) -> None:
    walk: Walk = walked(design, profile)
    assert [(step.at, packet(step.after)) for step in walk.steps] == table
    assert [step.number for step in walk.steps] == list(range(1, len(table) + 1))


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_profiles_are_whole(profile: Profile) -> None:
    for order in (profile.forward, profile.backward):
        assert {Stage.DESTINATION, Stage.SOURCE} <= set(order)
    assert Stage.ROUTE in profile.forward
    assert Stage.FILTER in profile.forward
    # A reply is routed where the profile says so, and nowhere else.
    assert (Stage.ROUTE in profile.backward) is (profile.returning is Returning.ROUTE)
    # A filter can read the translated destination only once it is translated.
    translated = profile.forward.index(Stage.DESTINATION) < profile.forward.index(Stage.FILTER)
    assert translated or profile.filter_reads is FilterView.ARRIVED
    assert profile.returning_says
    assert profile.source
    assert profile.grade in Grade
