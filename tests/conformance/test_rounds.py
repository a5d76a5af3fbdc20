"""Rounds: what may collide is tried at the same moment, and what a busy machine drops is tried again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farshore.conformance.check import Exchange, Outcome
from farshore.conformance.rounds import MOST_AT_ONCE, judged, rounds, size_of_round
from farshore.errors import EXIT_MACHINE, MachineError
from farshore.fabric.names import NodeName
from farshore.port import Port, Protocol

SILENCE = "unexpected reply b''"


def exchange(source: int, port: int, tenant: int = 0) -> Exchange:
    here = IPv4Address((10 << 24) + source)
    node = NodeName(f"t{tenant}/h{source}")
    presented = IPv4Address("172.16.0.1")
    return Exchange(node, here, 40000, presented, Port(Protocol.TCP, port), "portal", seen_as=here)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)), max_size=60),
    st.integers(2, 20),
)
def test_every_exchange_is_in_one_round_and_what_may_collide_in_the_same(
    chosen: Sequence[tuple[int, int, int]], size: int
) -> None:
    exchanges = [exchange(*each) for each in chosen]
    found = list(rounds(exchanges, size))
    assert sorted(number for each in found for number in each) == list(range(len(exchanges)))
    assert all(0 < len(each) <= size for each in found)
    at = {number: position for position, each in enumerate(found) for number in each}
    for one in range(len(exchanges)):
        alike = [n for n, other in enumerate(exchanges) if other.source == exchanges[one].source]
        alike = [n for n in alike if exchanges[n].port == exchanges[one].port]
        if 2 * len(alike) <= size:
            assert {at[n] for n in alike} == {at[one]}


@pytest.mark.parametrize(("descriptors", "listening", "size"), [(100_000, 10, MOST_AT_ONCE), (199, 160, 39)])
def test_a_round_fits_the_descriptors_of_clients_and_servers(descriptors: int, listening: int, size: int) -> None:
    assert size_of_round(descriptors, listening) == size


def test_too_few_descriptors_are_the_machines_fault() -> None:
    with pytest.raises(MachineError, match=r"leaves 161 descriptors, .* take 162; raise the hard limit .*ulimit -Hn"):
        size_of_round(161, 160)
    assert MachineError.exit_status == EXIT_MACHINE


# --- attempts --------------------------------------------------------------------------------------

BOTH_REACH = {0: Outcome.REACH, 1: Outcome.REACH}
R, B = Outcome.REACH, Outcome.BLOCK


def outcome(expected: Mapping[int, Outcome], attempts: Iterable[Sequence[str]]) -> tuple[list[str], int]:
    """Return what is judged where attempts observe these, and how many pauses there were."""
    coming = iter(attempts)
    pauses: list[None] = []
    seen = judged(expected, lambda: dict(enumerate(next(coming))), lambda: pauses.append(None))
    return [seen[number] for number in expected], len(pauses)


@pytest.mark.parametrize(
    ("attempts", "judgment", "pauses"),
    [
        ([(R, R)], [R, R], 0),
        ([(R, B), (R, R)], [R, R], 1),
        ([(B, B), (R, SILENCE), (R, R)], [R, R], 2),
        ([(R, B), (R, B)], [R, B], 1),  # the network's: the same again
        ([(R, B), (B, R), (R, B), (B, R)], [B, R], 3),  # each is taken for the other: never both at the same moment
        ([(R, "reply from other"), (R, R)], [R, "reply from other"], 0),
        ([("reply from other", B), (R, R)], ["reply from other", R], 1),
    ],
)
def test_what_is_unanswered_is_tried_again_and_what_is_answered_wrongly_stands(
    attempts: list[Sequence[str]], judgment: list[str], pauses: int
) -> None:
    assert outcome(BOTH_REACH, attempts) == (judgment, pauses)


@pytest.mark.parametrize(
    ("attempts", "judgment"),
    [([(R, R)], [R, R]), ([(B, R), (R, R)], [R, R]), ([(B, B), (R, B), (R, B)], [R, B]), ([(B, R), (R, B)], [R, R])],
)
def test_what_must_be_blocked_and_once_reaches_stands(attempts: list[Sequence[str]], judgment: list[str]) -> None:
    expected = {0: Outcome.REACH, 1: Outcome.BLOCK}
    assert outcome(expected, attempts)[0] == judgment
