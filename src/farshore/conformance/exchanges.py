"""Real exchanges: hosts connect to services by sockets, as many at the same moment as the machine holds.

:func:`exchange_all` makes the checks' exchanges, and :func:`fetch` returns the answers themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import select
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from farshore.conformance.check import Exchange, Outcome
from farshore.conformance.rounds import judged, rounds, size_of_round
from farshore.fabric.model import EndSystem
from farshore.machine.exhaustion import exhaustion, free_descriptors
from farshore.machine.inside import Channel, call
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE, World
from farshore.port import Protocol
from farshore.traffic.packet import ECHO_REQUEST, checksum
from farshore.traffic.settling import Settling, wait_for_server

# A safety net: seconds for a program's answer, in which no other exchange comes any further either.
_PATIENCE = 60.0
_GLANCE = 0.5  # seconds for what usually comes, before all that is under way is waited for
_TURNS = 4  # of the event loop, in which a step that can end does
# A connection is blocked when its first packet, sent again so many times since any exchange got further, is not
# answered. One that must be made has more of them: a tenant may open no more than so many flows in a second.
_SENT_AGAIN = {Outcome.REACH: 5, Outcome.BLOCK: 1}
_RETRANSMITS = 2  # where TCP_INFO has them: tcpi_retransmits, of one byte
_PART = 65536
_RESET = struct.pack("ii", 1, 0)  # socket(7), SO_LINGER: close by a reset
_NEW_RATE_SECONDS = 1.0

_T = TypeVar("_T")


# --- answers ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What a service answers: its name and port, the request's source and path, and the caller's identity."""

    service: str
    port: int
    source: str
    source_port: int
    path: str = "/"
    tenant: str | None = None
    namespace: str | None = None
    client: str | None = None
    client_port: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of a fetch: what the service saw or, where that is None, why there is no answer."""

    seen: ServiceAnswer | None
    failure: str | None

    def difference(self, exchange: Exchange) -> str | None:
        """Return in what the answer differs from what the exchange expects, None where it does not."""
        answer = self.seen
        if answer is None:
            return self.failure
        first, last = exchange.seen_ports or (exchange.source_port, exchange.source_port)
        if answer.service != exchange.service:
            return f"reply from {answer.service}, expected {exchange.service}"
        if answer.source != str(exchange.seen_as):
            return f"source {answer.source}, expected {exchange.seen_as}"
        if not first <= answer.source_port <= last:
            return f"source port {answer.source_port}, expected {first if first == last else f'{first}-{last}'}"
        claimed = (answer.tenant, answer.client, answer.client_port)
        expected = (exchange.identified_as, str(exchange.source), exchange.source_port)
        if exchange.identified_as is not None and claimed != expected:
            identity = f"{exchange.identified_as} at {exchange.source}:{exchange.source_port}"
            return f"caller identity {claimed}, expected {identity}"
        return None


def parsed(answer: bytes) -> Fetched:
    """Return what an HTTP answer of a service contains."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.0 200", b"HTTP/1.1 200")):
        return Fetched(None, f"unexpected reply {head[:40]!r}")
    return Fetched(ServiceAnswer(**json.loads(body)), None)


# --- fetching --------------------------------------------------------------------------------------


def fetch(world: World, exchanges: Sequence[Exchange]) -> tuple[Fetched, ...]:
    """Have every exchange's node fetch from its service over TCP, and return what came of each, in order.

    All of them are connected before the first sends its request. Raises MachineError where the world is gone.
    """
    return call(world, fetch_all, tuple(exchanges))


def fetch_all(_caller: Channel[None, None], exchanges: Sequence[Exchange]) -> tuple[Fetched, ...]:
    """Fetch, inside the world."""
    with contextlib.ExitStack() as stack:
        connections = [_connected(exchange, stack) for exchange in exchanges]
        for exchange, connection in zip(exchanges, connections, strict=True):
            if isinstance(connection, socket.socket):
                connection.sendall(f"GET / HTTP/1.0\r\nHost: {exchange.destination}\r\n\r\n".encode())
        return tuple(_answer(connection) for connection in connections)


def _connected(exchange: Exchange, stack: contextlib.ExitStack) -> socket.socket | str:
    """Return a connection from the exchange's node, or why there is none."""
    with PRIVATE.entered(namespace_name(exchange.node)):
        own = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    own.settimeout(_PATIENCE)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((str(exchange.source), exchange.source_port))
        own.connect((str(exchange.destination), exchange.port.number))
    except OSError as error:
        return f"no connection: {error}"
    return own


def _answer(connection: socket.socket | str) -> Fetched:
    if isinstance(connection, str):
        return Fetched(None, connection)
    answer = b""
    try:
        while part := connection.recv(_PART):
            answer += part
    except OSError as error:
        return Fetched(None, f"no reply: {error}")
    return parsed(answer)


# --- exchanges, at the same moment -----------------------------------------------------------------

Trial = tuple[Exchange, Outcome]


def pause() -> None:
    """Return when a tenant's limit of new sessions per second has room again."""
    time.sleep(_NEW_RATE_SECONDS)


def exchange_all(trials: Sequence[Trial], servers: Collection[EndSystem], report: Callable[[int, str], None]) -> None:
    """Make all exchanges, in rounds, and report what is observed of each, by its number, as a round ends.

    What is observed is an :class:`Outcome` or, where an answer differs from what is expected, in what. Runs inside
    the world. The exchanges of a round are made at the same moment: only when all are connected, or have failed to,
    does the first one send its request. The next round begins when the last answer of this one has come. A round in
    which one that must reach is not answered is attempted again before it is judged: a busy machine drops packets too.

    Args:
        trials: the exchanges, and what must come of each: it is waited for longer where it must reach.
        servers: every node that may answer.
        report: takes the number of an exchange and what is observed of it.

    Raises:
        MachineError: this machine runs out of descriptors, memory or buffers.
    """
    if not trials:
        return
    listening = sum(port.protocol is not Protocol.ICMP for node in servers for port in node.listens)
    size = size_of_round(free_descriptors(), listening)
    with Settling() as settling:
        for numbers in rounds([exchange for exchange, _ in trials], size):
            chosen = {number: trials[number] for number in numbers}
            expected = {number: outcome for number, (_, outcome) in chosen.items()}
            observed = judged(expected, partial(_one_round, chosen, settling, servers), pause)
            for number, what in observed.items():
                report(number, what)


def _one_round(trials: Mapping[int, Trial], settling: Settling, servers: Iterable[EndSystem]) -> dict[int, str]:
    """Make exchanges at the same moment and return what is observed of each."""
    observed: dict[int, str] = {}
    moment = _Moment(len(trials), settling, servers)
    asyncio.run(_exchange_all(trials, moment, observed.__setitem__))
    return observed


class _Moment:
    """What exchanges of the same moment share: the start of the requests, their progress, and what is under way."""

    def __init__(self, exchanges: int, settling: Settling, servers: Iterable[EndSystem]) -> None:
        self._ready = asyncio.Barrier(exchanges)
        self._settling = settling
        udp = ((node, port.number) for node in servers for port in node.listens if port.protocol is Protocol.UDP)
        self._servers = [(node.name, str(node.address.ip), port) for node, port in udp]
        self._settling_now: asyncio.Task[None] | None = None
        self._settling_next: asyncio.Task[None] | None = None
        self.progress = 0  # the number of steps that have ended

    async def ready(self) -> None:
        """Return when all exchanges are ready to send their requests, or have failed."""
        await self._ready.wait()
        self.progress += 1

    async def wait_for(self, step: Coroutine[Any, Any, _T], blocked: Callable[[], Awaitable[bool]]) -> _T:
        """Return what a step of an exchange returns. Raises TimeoutError where it is ``blocked``."""
        task = asyncio.ensure_future(step)
        while not task.done():
            await asyncio.wait({task}, timeout=_GLANCE)
            if not task.done() and await blocked():
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                if not task.done():
                    task.cancel()
                    await asyncio.wait({task})
                    raise TimeoutError
        result = task.result()
        self.progress += 1
        return result

    def no_progress(self) -> Callable[[], Awaitable[bool]]:
        """Return what tells whether no exchange has got any further for too long: programs take their time."""
        clock = asyncio.get_running_loop().time
        progress, since = self.progress, clock()

        async def blocked() -> bool:
            nonlocal progress, since
            if self.progress != progress:
                progress, since = self.progress, clock()
            return clock() - since > _PATIENCE

        return blocked

    def not_connected(self, own: socket.socket, expected: Outcome) -> Callable[[], Awaitable[bool]]:
        """Return what tells whether the kernel has dropped all that a connection sent, or what answers it."""
        progress, before = self.progress, 0

        async def blocked() -> bool:
            nonlocal progress, before
            sent_again = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RETRANSMITS + 1)[_RETRANSMITS]
            if self.progress != progress and expected is Outcome.REACH:
                progress, before = self.progress, sent_again
            if sent_again - before < _SENT_AGAIN[expected]:
                return False
            await self._settled()
            return not select.select([], [own], [], 0)[1]

        return blocked

    def not_answered(self, own: socket.socket) -> Callable[[], Awaitable[bool]]:
        """Return what tells whether a datagram, or its answer, has been dropped, or no server has answered it."""

        async def blocked() -> bool:
            await self._settled()
            return not select.select([own], [], [], 0)[0]

        return blocked

    async def _settled(self) -> None:
        """Return when all that has been sent before has arrived, been answered, and the answers have arrived."""
        if self._settling_next is None:
            self._settling_next = asyncio.ensure_future(self._settle_after(self._settling_now))
        await self._settling_next

    async def _settle_after(self, another: asyncio.Task[None] | None) -> None:
        if another is not None:
            await asyncio.wait({another})
        self._settling_now, self._settling_next = self._settling_next, None
        await asyncio.to_thread(self._settle)

    def _settle(self) -> None:
        self._settling.settle()
        for node, address, port in self._servers:
            wait_for_server(node, address, port)
        self._settling.settle()


async def _exchange_all(trials: Mapping[int, Trial], moment: _Moment, report: Callable[[int, str], None]) -> None:
    async def one(number: int, exchange: Exchange, expected: Outcome) -> None:
        report(number, await _observe(exchange, expected, moment))

    await asyncio.gather(*(one(number, *trial) for number, trial in trials.items()))


async def _observe(exchange: Exchange, expected: Outcome, moment: _Moment) -> str:
    try:
        own = _socket(exchange)
    except OSError as error:
        if exhausted := exhaustion(error):
            raise exhausted from error
        await moment.ready()  # the others wait for all
        return f"no socket: {error.strerror}"
    with own:
        try:
            match exchange.port.protocol:
                case Protocol.TCP:
                    return await _tcp(exchange, own, expected, moment)
                case Protocol.UDP:
                    return await _udp(exchange, own, moment)
                case Protocol.ICMP:
                    return await _icmp(exchange, own, moment)
        except (TimeoutError, ConnectionError):
            # Its addresses and ports are free at once, for the next attempt.
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return Outcome.BLOCK
        except OSError as error:
            if exhausted := exhaustion(error):
                raise exhausted from error
            # A router on the way answers that the destination is unreachable.
            unreachable = error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
            return Outcome.BLOCK if unreachable else f"error: {error.strerror}"


def _socket(exchange: Exchange) -> socket.socket:
    kinds = {
        Protocol.TCP: (socket.SOCK_STREAM, 0),
        Protocol.UDP: (socket.SOCK_DGRAM, 0),
        Protocol.ICMP: (socket.SOCK_RAW, socket.IPPROTO_ICMP),
    }
    with PRIVATE.entered(namespace_name(exchange.node)):
        own = socket.socket(socket.AF_INET, *kinds[exchange.port.protocol])
    own.setblocking(False)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.bind((str(exchange.source), 0 if exchange.port.protocol is Protocol.ICMP else exchange.source_port))
    return own


async def _tcp(exchange: Exchange, own: socket.socket, expected: Outcome, moment: _Moment) -> str:
    loop = asyncio.get_running_loop()
    try:
        connecting = loop.sock_connect(own, (str(exchange.destination), exchange.port.number))
        await moment.wait_for(connecting, moment.not_connected(own, expected))
    finally:
        await moment.ready()
    answer = b""
    await loop.sock_sendall(own, b"GET / HTTP/1.0\r\n\r\n")
    while part := await moment.wait_for(loop.sock_recv(own, _PART), moment.no_progress()):
        answer += part
    return parsed(answer).difference(exchange) or Outcome.REACH


async def _udp(exchange: Exchange, own: socket.socket, moment: _Moment) -> str:
    loop = asyncio.get_running_loop()
    own.connect((str(exchange.destination), exchange.port.number))
    await moment.ready()
    question = f"{exchange.node} to {exchange.service}".encode()
    await loop.sock_sendall(own, question)
    answer = await moment.wait_for(loop.sock_recv(own, _PART), moment.not_answered(own))
    return Outcome.REACH if answer == question else f"unexpected reply {answer[:40]!r}"


async def _icmp(exchange: Exchange, own: socket.socket, moment: _Moment) -> str:
    loop = asyncio.get_running_loop()
    own.connect((str(exchange.destination), 0))  # from then on the kernel passes only what comes from there
    await moment.ready()
    rest = exchange.source_port.to_bytes(2, "big") + b"\0\1" + f"{exchange.node} to {exchange.service}".encode()
    check = checksum(bytes((ECHO_REQUEST, 0, 0, 0)) + rest)
    await loop.sock_sendall(own, bytes((ECHO_REQUEST, 0)) + check.to_bytes(2, "big") + rest)

    async def echo() -> None:
        while True:
            answer = await loop.sock_recv(own, _PART)
            header = (answer[0] & 0x0F) * 4
            if answer[header] == 0 and answer[header + 4 :] == rest:
                return

    await moment.wait_for(echo(), moment.not_answered(own))
    return Outcome.REACH
