"""Making the attempts, inside the lab: first every exchange at the same moment, then every throw at once."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import resource
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from farshore.conformance.answer import parsed
from farshore.conformance.check import Check, Exchange, Injection, Outcome, Result
from farshore.engine.nftables.desired import compile_fabric
from farshore.fabric.model import Fabric
from farshore.fabric.names import NodeName
from farshore.machine import namespace
from farshore.machine.placement import instance_name, namespace_name
from farshore.port import Protocol
from farshore.traffic.packet import ECHO_REQUEST, TCP_ACK, TCP_SYN, checksum, decode, encode

_ETH_P_ALL = 0x0003
_ETH_P_IP = 0x0800
_PACKET_OUTGOING = 4
_PATIENCE = 5.0  # seconds for an answer that must come
_SILENCE = 1.0  # seconds without any arrival after which nothing more is expected
_LARGEST_PACKET = 65535
_TOKEN = b"farshore throw "
_TOKEN_DIGITS = 8
_FIRST_SEQUENCE = 0x5EA0_0000  # a throw's number is told from it where a proxy answers
_RECEIVE_BUFFER = 4 << 20

Report = Callable[[Result], None]
Conduct = Callable[[Exchange, socket.socket, asyncio.Barrier], Awaitable[str]]


def attempt_all(checks: Sequence[Check], fabric: Fabric, report: Report) -> None:
    """Make every attempt and report each result. Runs inside the lab."""
    _allow_many_sockets()
    exchanges = [(check, check.attempt) for check in checks if isinstance(check.attempt, Exchange)]
    injections = [(check, check.attempt) for check in checks if isinstance(check.attempt, Injection)]
    asyncio.run(_exchange_all(exchanges, report))
    _throw_all(injections, fabric, report)


def _allow_many_sockets() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


# --- exchanges -----------------------------------------------------------------------------------------


async def _exchange_all(exchanges: Sequence[tuple[Check, Exchange]], report: Report) -> None:
    """Connect everybody, and only when all are connected, or have failed to, let everybody speak."""
    connected = asyncio.Barrier(len(exchanges)) if exchanges else None

    async def one(check: Check, exchange: Exchange) -> None:
        assert connected is not None  # noqa: S101 - there is an exchange
        observed = await _observe(_EXCHANGES[exchange.port.protocol], exchange, connected)
        report(Result(check.name, check.expected, observed))

    await asyncio.gather(*(one(check, exchange) for check, exchange in exchanges))


async def _observe(conduct: Conduct, exchange: Exchange, all_ready: asyncio.Barrier) -> str:
    try:
        own = _socket(exchange)
    except OSError as error:
        await all_ready.wait()  # the others count on everybody
        return f"no socket: {error.strerror}"
    with own:
        try:
            return await conduct(exchange, own, all_ready)
        except (TimeoutError, ConnectionError):
            return Outcome.BLOCK
        except OSError as error:
            # A router on the way says that it goes no further.
            unreachable = error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
            return Outcome.BLOCK if unreachable else f"error: {error.strerror}"


def _socket(exchange: Exchange) -> socket.socket:
    kinds = {
        Protocol.TCP: (socket.SOCK_STREAM, 0),
        Protocol.UDP: (socket.SOCK_DGRAM, 0),
        Protocol.ICMP: (socket.SOCK_RAW, socket.IPPROTO_ICMP),
    }
    with namespace.entered(namespace_name(exchange.node)):
        own = socket.socket(socket.AF_INET, *kinds[exchange.port.protocol])
    own.setblocking(False)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.bind((str(exchange.source), 0 if exchange.port.protocol is Protocol.ICMP else exchange.source_port))
    return own


async def _tcp(exchange: Exchange, own: socket.socket, all_ready: asyncio.Barrier) -> str:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE):
            await loop.sock_connect(own, (str(exchange.destination), exchange.port.number))
    finally:
        await all_ready.wait()
    answer = b""
    async with asyncio.timeout(_PATIENCE):
        await loop.sock_sendall(own, b"GET / HTTP/1.0\r\n\r\n")
        while part := await loop.sock_recv(own, _LARGEST_PACKET):
            answer += part
    return parsed(answer).difference(exchange) or Outcome.REACH


async def _udp(exchange: Exchange, own: socket.socket, all_ready: asyncio.Barrier) -> str:
    loop = asyncio.get_running_loop()
    own.connect((str(exchange.destination), exchange.port.number))
    await all_ready.wait()
    question = f"{exchange.node} asks {exchange.service}".encode()
    async with asyncio.timeout(_PATIENCE):
        await loop.sock_sendall(own, question)
        answer = await loop.sock_recv(own, _LARGEST_PACKET)
    return Outcome.REACH if answer == question else f"answered {answer[:40]!r}"


async def _icmp(exchange: Exchange, own: socket.socket, all_ready: asyncio.Barrier) -> str:
    loop = asyncio.get_running_loop()
    own.connect((str(exchange.destination), 0))  # from then on the kernel passes only what comes from there
    await all_ready.wait()
    rest = exchange.source_port.to_bytes(2, "big") + b"\0\1" + f"{exchange.node} asks {exchange.service}".encode()
    check = checksum(bytes((ECHO_REQUEST, 0, 0, 0)) + rest)
    async with asyncio.timeout(_PATIENCE):
        await loop.sock_sendall(own, bytes((ECHO_REQUEST, 0)) + check.to_bytes(2, "big") + rest)
        while True:
            answer = await loop.sock_recv(own, _LARGEST_PACKET)
            header = (answer[0] & 0x0F) * 4
            if answer[header] == 0 and answer[header + 4 :] == rest:
                return Outcome.REACH


_EXCHANGES = {Protocol.TCP: _tcp, Protocol.UDP: _udp, Protocol.ICMP: _icmp}


# --- injections ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ear:
    """A listener behind every end system's interface, for what arrives there, and every proxy's, for its answers."""

    node: NodeName
    socket: socket.socket
    answers: bool = False


def _throw_all(injections: Sequence[tuple[Check, Injection]], fabric: Fabric, report: Report) -> None:
    ears = list(_ears(fabric))
    try:
        _inject([injection for _, injection in injections], fabric)
        heard = _listen(ears)
    finally:
        for ear in ears:
            ear.socket.close()
    for number, (check, injection) in enumerate(injections):
        others = sorted(heard.get(number, set()) - {injection.node})
        report(Result(check.name, check.expected, _judge_throw(injection, others)))


def _judge_throw(injection: Injection, heard_by: list[str]) -> str:
    if not heard_by:
        return Outcome.BLOCK
    if injection.target is not None and set(heard_by) - {injection.owner} != {injection.target}:
        return f"reached {', '.join(heard_by)} instead of {injection.target}"
    return Outcome.REACH


def _ears(fabric: Fabric) -> Iterator[_Ear]:
    for node in fabric.end_systems:
        yield _Ear(node.name, _listener(node.name, node.interface.name, _ETH_P_IP))
    for proxy in fabric.proxies:
        for interface in proxy.interfaces:
            # Only a socket for all protocols hears what leaves.
            ear = _listener(instance_name(proxy, interface.realm), interface.name, _ETH_P_ALL)
            yield _Ear(proxy.name, ear, answers=True)


def _listener(node: NodeName, interface: str, protocol: int) -> socket.socket:
    with namespace.entered(namespace_name(node)):
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(protocol))
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    ear.setblocking(False)
    ear.bind((interface, protocol))
    return ear


def _inject(injections: Sequence[Injection], fabric: Fabric) -> None:
    desired = compile_fabric(fabric)
    far_macs = {(node.name, i.name): i.far_mac for node in desired.nodes.values() for i in node.interfaces}
    # One socket a node: the kernel waits for all its processors whenever such a socket is closed.
    with contextlib.ExitStack() as stack:
        wires = {
            node: stack.enter_context(_wire(node)) for node in dict.fromkeys(injection.node for injection in injections)
        }
        for number, injection in enumerate(injections):
            packet = replace(injection.packet, sequence=_FIRST_SEQUENCE + number)
            content = encode(packet, _TOKEN + str(number).zfill(_TOKEN_DIGITS).encode())
            far_mac = bytes.fromhex(far_macs[injection.node, injection.interface].replace(":", ""))
            wires[injection.node].sendto(content, (injection.interface, _ETH_P_IP, 0, 0, far_mac))


def _wire(node: NodeName) -> socket.socket:
    """Return a socket that sends from a node what it is given, past the node's own routes and rules."""
    with namespace.entered(namespace_name(node)):
        return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)


def _listen(ears: Sequence[_Ear]) -> dict[int, set[str]]:
    """Return which nodes heard which injections, once there has been silence for a while."""
    heard: dict[int, set[str]] = {}
    deadline = time.monotonic() + _SILENCE
    while time.monotonic() < deadline:
        for ear, content in _arrivals(ears):
            number = _answered(content) if ear.answers else _told(content)
            if number is not None:
                heard.setdefault(number, set()).add(ear.node)
                deadline = time.monotonic() + _SILENCE
        time.sleep(_SILENCE / 50)
    return heard


def _told(content: bytes) -> int | None:
    """Return the number of the throw that a packet's payload names."""
    _, found, rest = content.partition(_TOKEN)
    return int(rest[:_TOKEN_DIGITS]) if found else None


def _answered(content: bytes) -> int | None:
    """Return the number of the throw that a proxy's packet answers: it agrees to a connection, or sends it back.

    Where it agrees to somebody else's, there is no throw of that number.
    """
    packet = decode(content)
    agrees = packet is not None and packet.protocol is Protocol.TCP and packet.tcp_flags == TCP_SYN | TCP_ACK
    return packet.acknowledgment - 1 - _FIRST_SEQUENCE if packet is not None and agrees else _told(content)


def _arrivals(ears: Iterable[_Ear]) -> Iterator[tuple[_Ear, bytes]]:
    for ear in ears:
        while True:
            try:
                content, (_, _, kind, *_) = ear.socket.recvfrom(_LARGEST_PACKET)
            except BlockingIOError:
                break
            if (kind == _PACKET_OUTGOING) is ear.answers:
                yield ear, content


def say(result: Result) -> None:
    """Write a result to standard output, a JSON line."""
    line = json.dumps({"name": result.name, "expected": result.expected, "observed": result.observed}) + "\n"
    os.write(1, line.encode())
