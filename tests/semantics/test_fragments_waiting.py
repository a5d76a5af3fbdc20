"""Fragments that wait for one another: in any order they come to the whole packet, and nothing else does."""

from __future__ import annotations

import itertools
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farshore.fabric.names import LinkEnd, NodeName
from farshore.port import Protocol
from farshore.realm import Address, tenant_realm
from farshore.semantics.crossing import Verb
from farshore.semantics.fragments import Fragment, Place, Waiting, gather
from farshore.semantics.packet import Packet
from farshore.semantics.profile import profile_of
from farshore.semantics.trace import FragmentTrace, trace_fragment
from from_file import fabric_of

ARTICLE = Path(__file__).parents[2] / "examples" / "article.yaml"
LENGTH = 96
PLACE = Place(NodeName("a/nat"), None, Protocol.UDP, 1, 2, 7)


def part(start: int, end: int, length: int = LENGTH, tenant: str = "customer-a") -> Fragment:
    realm = tenant_realm(tenant)
    here, there = Address(realm, IPv4Address("10.1.1.1")), Address(realm, IPv4Address("10.2.2.1"))
    return Fragment(Packet(Protocol.TCP, here, there, 40000, 443), 7, start, end, end < length)


def gathered(*parts: Fragment) -> list[tuple[Fragment, ...]]:
    """Return the whole packets that some fragments come to, one after the other."""
    waiting: Waiting = {}
    found = []
    for each in parts:
        result = gather(waiting, PLACE, each)
        waiting = result.waiting
        if result.whole is not None:
            found.append(result.whole)
    return found


@given(st.sets(st.integers(1, LENGTH // 8 - 1), min_size=1).flatmap(lambda cuts: st.permutations(_cut(sorted(cuts)))))
def test_any_order_comes_to_the_whole_packet(parts: list[Fragment]) -> None:
    (whole,) = gathered(*parts)
    assert sorted(parts, key=lambda each: each.start) == list(whole)
    # One that comes before all have come changes nothing when it comes again; without any one, nothing is whole.
    assert gathered(parts[0], parts[0], *parts[1:]) == [whole]
    assert gathered(*parts[1:]) == []


def _cut(units: list[int]) -> list[Fragment]:
    bounds = [0, *(8 * unit for unit in units), LENGTH]
    return [part(start, end) for start, end in itertools.pairwise(bounds)]


@pytest.mark.parametrize(
    "between",
    [part(16, 40), part(0, 48), part(48, 64, 64), part(96, 104, 200)],
    ids=["overlaps both", "overlaps one and goes on", "ends before the end", "goes on behind the end"],
)
def test_what_contradicts_discards_all(between: Fragment) -> None:
    assert gathered(part(48, 96), part(0, 24), part(24, 48)) != []
    assert gathered(part(48, 96), part(0, 24), between, part(24, 48)) == []


def walked(design: str, *sent: tuple[str, Fragment]) -> list[FragmentTrace]:
    """Send fragments from tenants' hosts, one after the other."""
    _, _, fabric = fabric_of(ARTICLE, design)
    found = []
    went = FragmentTrace((), {}, {})
    for host, fragment in sent:
        node = fabric.nodes[NodeName(host)]
        start = LinkEnd(node.name, node.interfaces[0].name)
        went = trace_fragment(fabric, profile_of(None), start, fragment, memory=went.memory, waiting=went.waiting)
        found.append(went)
    return found


@pytest.mark.parametrize("design", ["lake", "last-hop", "appliance"])
def test_two_tenants_fragments_wait_apart(design: str) -> None:
    alice, bill = "customer-a/alice", "customer-b/bill"
    planted, first, rest = part(0, 24, tenant="customer-b"), part(0, 24), part(24, LENGTH)
    waits, waits_too, whole = walked(design, (bill, planted), (alice, first), (alice, rest))
    for went in (waits, waits_too):
        assert went.arrived_at is None
        (event,) = went.hops[-1].crossing.events  # type: ignore[union-attr]
        assert event.verb is Verb.GATHERED
    assert whole.whole == (first, rest)
    assert whole.arrived_at is not None
    assert len(whole.waiting) == 1


def test_a_guard_refuses_a_fragment_before_it_waits() -> None:
    forged = part(0, 24)
    forged = replace(forged, packet=replace(forged.packet, source=Address(tenant_realm("customer-a"), IPv4Address(1))))
    (went,) = walked("lake", ("customer-a/alice", forged))
    assert went.waiting == {}
    assert went.hops[-1].crossing.events[-1].verb is Verb.GUARDED  # type: ignore[union-attr]
