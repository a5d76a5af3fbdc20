"""Rounds of exchanges: how many, which at the same moment, and when a round is attempted again. Pure.

Exchanges from the same source to the same port are those that a network might take for each other: they are made at
the same moment, also where there are more exchanges than fit one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from itertools import groupby

from farshore.conformance.check import Exchange, Outcome
from farshore.errors import MachineError
from farshore.port import Port

# Half of what the kernel's queue of one processor holds (net.core.netdev_max_backlog, 1000), for packets of one
# moment wait there, and an eighth of a listener's (net.core.somaxconn, 4096).
MOST_AT_ONCE = 512
# With fewer at once than this there is no moment that two tenants share.
_FEWEST_AT_ONCE = 2
_ATTEMPTS = 4  # at a round
# What is observed where a packet is dropped, or a server of the lab gives a connection up.
_UNANSWERED = (Outcome.BLOCK, "unexpected reply b''")


def size_of_round(descriptors: int, listening: int) -> int:
    """Return how many exchanges may be made at the same moment.

    Args:
        descriptors: how many sockets one process may open. An exchange takes one here and one of the servers'.
        listening: how many sockets the servers' process listens on.

    Raises:
        MachineError: too few.
    """
    size = min(MOST_AT_ONCE, descriptors - listening)
    if size < _FEWEST_AT_ONCE:
        raise MachineError(
            f"the limit of open files leaves {descriptors} descriptors, and the lab's {listening} listening sockets "
            f"and two exchanges at the same moment take {listening + _FEWEST_AT_ONCE}; "
            "raise the hard limit of open files: ulimit -Hn 65536"
        )
    return size


def rounds(exchanges: Sequence[Exchange], size: int) -> Iterator[tuple[int, ...]]:
    """Yield the numbers of the exchanges of each round, at most so many in one; each is in one round."""
    ordered = sorted(range(len(exchanges)), key=lambda number: _alike(exchanges[number]))
    pending: list[int] = []
    for _, run in groupby(ordered, key=lambda number: _alike(exchanges[number])):
        together = list(run)
        if pending and len(pending) + len(together) > size:
            yield tuple(pending)
            pending = []
        pending += together
        while len(pending) > size:
            yield tuple(pending[:size])
            pending = pending[size:]
    if pending:
        yield tuple(pending)


def _alike(exchange: Exchange) -> tuple[IPv4Address, Port]:
    return exchange.source, exchange.port


def judged(
    expected: Mapping[int, Outcome], attempt: Callable[[], Mapping[int, str]], pause: Callable[[], None]
) -> dict[int, str]:
    """Return what is observed of the exchanges of a round, which is attempted again where some are unanswered.

    What the network drops is unanswered in every attempt; what a busy machine drops, in one and not in another. A
    round counts as its last attempt does, as a whole: two exchanges that the network takes for each other never reach
    in the same one. What once came otherwise than expected, such as the answer of another service, stands.

    Args:
        expected: what must come of each exchange, by its number.
        attempt: makes all exchanges and returns what is observed of each.
        pause: is called between two attempts.
    """
    wrong: dict[int, str] = {}
    before: set[int] | None = None
    for left in reversed(range(_ATTEMPTS)):
        observed = attempt()
        wrong = {n: observed[n] for n in expected if observed[n] not in (expected[n], *_UNANSWERED)} | wrong
        lacking = {n for n in expected if expected[n] is Outcome.REACH and observed[n] in _UNANSWERED}
        if not lacking or lacking == before or not left:
            break
        before = lacking
        pause()
    return {**observed, **wrong}
