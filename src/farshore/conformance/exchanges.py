"""Real exchanges: hosts connect to services by sockets, all at the same moment.

:func:`exchange_all` makes the checks' exchanges, and :func:`fetch` returns the answers themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from farshore.conformance.check import Exchange, Outcome
from farshore.machine.inside import Channel, call
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE, World
from farshore.port import Protocol
from farshore.traffic.packet import ECHO_REQUEST, checksum

# Seconds in which no exchange comes any further, after which those that are left count as blocked.
_PATIENCE = 5.0
_PART = 65536

_T = TypeVar("_T")
Conduct = Callable[[Exchange, socket.socket, "_Moment"], Awaitable[str]]


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


# --- exchanges, all at the same moment -------------------------------------------------------------


def exchange_all(exchanges: Sequence[Exchange], report: Callable[[int, str], None]) -> None:
    """Make all exchanges at the same moment, and report what is observed of each, by its number, as it comes.

    What is observed is an :class:`Outcome` or, where an answer differs from what is expected, in what. Runs inside
    the world. Only when all are connected, or have failed to, does the first one send its request.
    """
    if exchanges:
        asyncio.run(_exchange_all(exchanges, report))


class _Moment:
    """What exchanges of the same moment share: the start of the requests, and the last time that one got further."""

    def __init__(self, exchanges: int) -> None:
        self._ready = asyncio.Barrier(exchanges)
        self._progress = asyncio.get_running_loop().time()

    async def ready(self) -> None:
        """Return when all exchanges are ready to send their requests, or have failed."""
        await self._ready.wait()
        self._progress = asyncio.get_running_loop().time()

    async def wait_for(self, step: Coroutine[Any, Any, _T]) -> _T:
        """Return what a step of an exchange returns. Raises TimeoutError where no exchange gets any further."""
        clock, task = asyncio.get_running_loop().time, asyncio.ensure_future(step)
        while not task.done():
            left = self._progress + _PATIENCE - clock()
            if left <= 0:
                task.cancel()
                await asyncio.wait({task})
                raise TimeoutError
            await asyncio.wait({task}, timeout=left)
        result = task.result()
        self._progress = clock()
        return result


async def _exchange_all(exchanges: Sequence[Exchange], report: Callable[[int, str], None]) -> None:
    moment = _Moment(len(exchanges))

    async def one(number: int, exchange: Exchange) -> None:
        report(number, await _observe(_EXCHANGES[exchange.port.protocol], exchange, moment))

    await asyncio.gather(*(one(number, exchange) for number, exchange in enumerate(exchanges)))


async def _observe(conduct: Conduct, exchange: Exchange, moment: _Moment) -> str:
    try:
        own = _socket(exchange)
    except OSError as error:
        await moment.ready()  # the others wait for all
        return f"no socket: {error.strerror}"
    with own:
        try:
            return await conduct(exchange, own, moment)
        except (TimeoutError, ConnectionError):
            return Outcome.BLOCK
        except OSError as error:
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


async def _tcp(exchange: Exchange, own: socket.socket, moment: _Moment) -> str:
    loop = asyncio.get_running_loop()
    try:
        await moment.wait_for(loop.sock_connect(own, (str(exchange.destination), exchange.port.number)))
    finally:
        await moment.ready()
    answer = b""
    await moment.wait_for(loop.sock_sendall(own, b"GET / HTTP/1.0\r\n\r\n"))
    while part := await moment.wait_for(loop.sock_recv(own, _PART)):
        answer += part
    return parsed(answer).difference(exchange) or Outcome.REACH


async def _udp(exchange: Exchange, own: socket.socket, moment: _Moment) -> str:
    loop = asyncio.get_running_loop()
    own.connect((str(exchange.destination), exchange.port.number))
    await moment.ready()
    question = f"{exchange.node} to {exchange.service}".encode()
    await moment.wait_for(loop.sock_sendall(own, question))
    answer = await moment.wait_for(loop.sock_recv(own, _PART))
    return Outcome.REACH if answer == question else f"unexpected reply {answer[:40]!r}"


async def _icmp(exchange: Exchange, own: socket.socket, moment: _Moment) -> str:
    loop = asyncio.get_running_loop()
    own.connect((str(exchange.destination), 0))  # from then on the kernel passes only what comes from there
    await moment.ready()
    rest = exchange.source_port.to_bytes(2, "big") + b"\0\1" + f"{exchange.node} to {exchange.service}".encode()
    check = checksum(bytes((ECHO_REQUEST, 0, 0, 0)) + rest)
    await moment.wait_for(loop.sock_sendall(own, bytes((ECHO_REQUEST, 0)) + check.to_bytes(2, "big") + rest))

    async def echo() -> None:
        while True:
            answer = await loop.sock_recv(own, _PART)
            header = (answer[0] & 0x0F) * 4
            if answer[header] == 0 and answer[header + 4 :] == rest:
                return

    await moment.wait_for(echo())
    return Outcome.REACH


_EXCHANGES = {Protocol.TCP: _tcp, Protocol.UDP: _udp, Protocol.ICMP: _icmp}
