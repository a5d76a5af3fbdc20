"""Run checks in a world: first all exchanges, in rounds of the same moment, then all injections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from farshore.conformance.check import Check, Exchange, Injection, Outcome, Result
from farshore.conformance.exchanges import exchange_all, pause
from farshore.conformance.rounds import judged
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.fabric.names import LinkEnd
from farshore.machine.exhaustion import exhaustion, raise_descriptor_limit
from farshore.machine.inside import Channel, running
from farshore.machine.world import World
from farshore.port import Protocol
from farshore.traffic.capture import Batch, Capture, CapturedPacket, RawPacket, TooBusyError
from farshore.traffic.packet import TCP_ACK, TCP_SYN, decode, encode, fragments

_TOKEN = b"farshore injects "
_TOKEN_DIGITS = 8
# A packet in fragments is cut so that the first one has the whole token.
_CUT_AT, _CUT_LENGTH = 48, 64
_AT_ONCE = 4096  # packets, after which everything under way is waited for
_FIRST_SEQUENCE = 0x5EA0_0000  # from here an injection's sequence number tells its own where a proxy answers


def run_checks(world: World, checks: Sequence[Check], fabric: Fabric) -> Iterator[Result]:
    """Run every check in the world of a fabric, and yield the results in order of completion.

    Raises MachineError where the world ends, the machine is too busy for a complete capture, or runs out of something.
    """
    with running(world, making_checks, tuple(checks), fabric) as process:
        yield from process


def making_checks(caller: Channel[Result, None], checks: Sequence[Check], fabric: Fabric) -> None:
    """Make every check and send each result, inside the world."""
    make_checks(checks, fabric, caller.send)


def make_checks(checks: Sequence[Check], fabric: Fabric, report: Callable[[Result], None]) -> None:
    """Make every check and report each result, inside the world. Raises MachineError as :func:`run_checks`."""
    raise_descriptor_limit()
    try:
        _make_checks(checks, fabric, report)
    except OSError as error:
        raise exhaustion(error) or error from error


def _make_checks(checks: Sequence[Check], fabric: Fabric, report: Callable[[Result], None]) -> None:
    exchanging = [(check, check.attempt) for check in checks if isinstance(check.attempt, Exchange)]

    def report_exchange(number: int, observed: str) -> None:
        check, _ = exchanging[number]
        report(Result(check.name, check.expected, observed, check.left_out))

    trials = [(exchange, check.expected) for check, exchange in exchanging]
    exchange_all(trials, fabric.end_systems, report_exchange)
    injecting = [(check, check.attempt) for check in checks if isinstance(check.attempt, Injection)]
    injections = [injection for _, injection in injecting]
    expected = {number: check.expected for number, (check, _) in enumerate(injecting)}
    observed = judged(expected, partial(_observed_all, injections, fabric), pause)
    for number, (check, _) in enumerate(injecting):
        report(Result(check.name, check.expected, observed[number], check.left_out))


def _observed_all(injections: Sequence[Injection], fabric: Fabric) -> dict[int, str]:
    """Inject every packet and return what is observed of each, by the injections' numbers."""
    received = _inject_all(injections, fabric)
    return {n: _observed(each, sorted(received.get(n, set()) - {each.node})) for n, each in enumerate(injections)}


def _observed(injection: Injection, receivers: Sequence[str]) -> str:
    if not receivers:
        return Outcome.BLOCK
    if injection.target is not None and set(receivers) - {injection.owner} != {injection.target}:
        return f"received by {', '.join(receivers)}, expected {injection.target}"
    return Outcome.REACH


def _inject_all(injections: Sequence[Injection], fabric: Fabric) -> dict[int, set[str]]:
    """Inject every packet and return which nodes received which, by the injections' numbers.

    End systems receive what arrives. A proxy has received what it answers.
    """
    proxies = {proxy.name for proxy in fabric.proxies}
    # What is never finished is to wait already when the others come.
    unfinished = tuple(_packets(injections, finished=False))
    packets = tuple(_packets(injections, finished=True))
    try:
        with Capture(fabric, only={node.name for node in fabric.end_systems} | proxies) as capture:
            captured: list[CapturedPacket] = []
            for some in (unfinished, packets):
                for start in range(0, len(some), _AT_ONCE):
                    captured += capture.run(Batch(some[start : start + _AT_ONCE]))
    except TooBusyError as error:
        raise MachineError(f"the links are too busy for a complete capture: {error}") from error
    received: dict[int, set[str]] = {}
    for packet in captured:
        answers = packet.end.node in proxies
        number = _answered(packet) if answers else _named(packet)
        if number is not None and packet.leaving is answers:
            received.setdefault(number, set()).add(packet.end.node)
    return received


def _packets(injections: Sequence[Injection], *, finished: bool) -> Iterator[RawPacket]:
    for number, injection in enumerate(injections):
        if finished is (injection.cut is None or injection.cut.finished):
            for content in _numbered(number, injection):
                yield RawPacket(LinkEnd(injection.node, injection.interface), content)


def _numbered(number: int, injection: Injection) -> tuple[bytes, ...]:
    """Return a packet with its number, in as many parts as it is sent in."""
    packet = replace(injection.packet, sequence=_FIRST_SEQUENCE + number)
    token, cut = _TOKEN + str(number).zfill(_TOKEN_DIGITS).encode(), injection.cut
    if cut is None:
        return (encode(packet, token),)
    parts = fragments(encode(packet, token.ljust(_CUT_LENGTH, b"\0")), cut.identification, (_CUT_AT,))
    return parts if cut.finished else parts[:1]


def _named(captured: CapturedPacket) -> int | None:
    """Return the number of the injection that a packet's payload names."""
    _, found, rest = captured.content.partition(_TOKEN)
    return int(rest[:_TOKEN_DIGITS]) if found else None


def _answered(captured: CapturedPacket) -> int | None:
    """Return the number of the injection that a proxy's packet answers: it accepts a connection, or sends it back.

    Where it accepts another's connection, no injection has that number.
    """
    packet = decode(captured.content)
    accepts = packet is not None and packet.protocol is Protocol.TCP and packet.tcp_flags == TCP_SYN | TCP_ACK
    return packet.acknowledgment - 1 - _FIRST_SEQUENCE if packet is not None and accepts else _named(captured)
