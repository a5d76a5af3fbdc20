"""The services of a lab: TCP ports answer HTTP with the service's name and the source they saw, UDP ports echo.

A service that receives the caller's identity repeats it in its answer, and answers only what comes from the proxy.
"""

from __future__ import annotations

import contextlib
import errno
import http.server
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address
from typing import Any

from farshore.caller_identity import CallerIdentity, ProxyProtocol, SignedHeader
from farshore.fabric.model import EndSystem
from farshore.fabric.names import NodeName
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.port import Port, Protocol
from farshore.traffic.caller_claim import CallerClaim, ForgedError, read_proxy_header
from farshore.verify import VerificationError, Verifier

_logger = logging.getLogger(__name__)

_BACKLOG = 4096
_LARGEST_DATAGRAM = 65535
_PATIENCE = 30.0  # seconds for a request
_PAUSE = 0.02  # seconds, where there is no descriptor for one more connection


@dataclass(frozen=True, slots=True)
class Offer:
    """A port that is answered on.

    ``identity`` is how the service receives the caller's identity, and ``key`` that of its signed header.
    """

    node: NodeName
    ip: IPv4Address
    port: Port
    identity: CallerIdentity | None = None
    key: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        """Return ``10.1.1.1 tcp/80``."""
        return f"{self.ip} {self.port}"


def offers(
    end_systems: Iterable[EndSystem], identities: Mapping[NodeName, CallerIdentity], keys: Mapping[NodeName, bytes]
) -> tuple[Offer, ...]:
    """Return what end systems answer on: every TCP and UDP port that they listen on.

    Args:
        end_systems: the nodes that answer.
        identities: how services receive the caller's identity, by the names of their nodes.
        keys: of the services that receive it in a signed header.
    """
    return tuple(
        Offer(node.name, node.address.ip, port, identities.get(node.name), keys.get(node.name, b""))
        for node in end_systems
        for port in node.listens
        if port.protocol in {Protocol.TCP, Protocol.UDP}
    )


class Servers:
    """The servers of this process. They are to be used from one thread; others answer."""

    def __init__(self) -> None:
        """Begin with none."""
        # Each with the number of its namespace: one that was deleted is kept by the server alone.
        self._open: dict[Offer, tuple[_Server | _Echo, int | None]] = {}

    def surplus(self, wanted: Iterable[Offer]) -> tuple[Offer, ...]:
        """Return what is answered on and not wanted, or not in its node any more."""
        kept = set(wanted)
        return tuple(each for each in self._open if each not in kept or not self._is_in_its_node(each))

    def missing(self, wanted: Iterable[Offer]) -> tuple[Offer, ...]:
        """Return what is wanted and not answered on."""
        return tuple(each for each in wanted if each not in self._open or not self._is_in_its_node(each))

    def _is_in_its_node(self, offer: Offer) -> bool:
        return self._open[offer][1] == PRIVATE.number(namespace_name(offer.node))

    def open(self, wanted: Iterable[Offer]) -> None:
        """Answer on everything that is wanted; all ports are open on return. Raises OSError where one cannot be."""
        for each in wanted:
            if each in self._open:
                # A port that is there twice cannot be opened twice, as by any other two programs.
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(each))
            with PRIVATE.entered(namespace_name(each.node)):
                server = _Server(each) if each.port.protocol is Protocol.TCP else _Echo(each)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self._open[each] = server, PRIVATE.number(namespace_name(each.node))

    def close(self, unwanted: Iterable[Offer]) -> None:
        """Answer no more on these, and end the connections that stand there: no socket keeps their namespace."""
        for each in tuple(unwanted):
            server, _ = self._open.pop(each)
            server.end()


def serve(
    end_systems: Iterable[EndSystem], identities: Mapping[NodeName, CallerIdentity], keys: Mapping[NodeName, bytes]
) -> None:
    """Answer for as long as the process lives. Arguments: :func:`offers`. Errors: :meth:`Servers.open`."""
    Servers().open(offers(end_systems, identities, keys))


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = _BACKLOG
    daemon_threads = True

    def __init__(self, offer: Offer) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__((str(offer.ip), offer.port.number), _handler(offer))

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - socketserver's
        _logger.exception("a request from %s failed", client_address)

    def server_bind(self) -> None:
        # HTTPServer would look its own name up in the DNS, which a lab does not have.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)

    def get_request(self) -> tuple[Any, Any]:
        try:
            return super().get_request()
        except OSError as error:
            # The connection waits in the queue until another has ended; the thread must not spin until then.
            if error.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(_PAUSE)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def end(self) -> None:
        """Accept no more, and end what stands."""
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self.shutdown()
        self.server_close()
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)


def _handler(offer: Offer) -> type[http.server.BaseHTTPRequestHandler]:
    name, port, identity, key = offer.node.local, offer.port.number, offer.identity, offer.key

    class Handler(http.server.BaseHTTPRequestHandler):
        server_version = "farshore-lab"
        timeout = _PATIENCE
        caller: CallerClaim | None = None

        def handle(self) -> None:
            if isinstance(identity, ProxyProtocol):
                try:
                    self.caller = read_proxy_header(self.rfile)
                except (ForgedError, OSError) as error:
                    _logger.debug("%s dropped a connection from %s: %s", name, self.client_address[0], error)
                    return
            # A health check closes the connection as soon as it stands.
            with contextlib.suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:
            if isinstance(identity, SignedHeader):
                try:
                    # self.path is not the target: it has one slash where the target begins with two.
                    target = self.requestline.split(" ")[1]
                    verifier = Verifier(name, {identity.key_name: key})
                    caller = verifier.verify(self.command, target, self.headers.items())
                    self.caller = CallerClaim(caller.tenant, None, caller.client, caller.client_port)
                except VerificationError as error:
                    _logger.debug("%s rejected a request from %s: %s", name, self.client_address[0], error)
                    self.send_error(http.HTTPStatus.FORBIDDEN, explain=str(error))
                    return
            source, source_port = self.client_address
            seen = {"service": name, "port": port, "source": source, "source_port": source_port, "path": self.path}
            if self.caller is not None:
                seen |= asdict(self.caller)
            body = (json.dumps(seen) + "\n").encode()
            self.send_response(http.HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in http.server
            """Log no requests: a million of them must not fill the disk."""

    return Handler


class _Echo:
    def __init__(self, offer: Offer) -> None:
        self._ended = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((str(offer.ip), offer.port.number))

    def serve_forever(self) -> None:
        with self._socket as receiver:
            while not self._ended:
                try:
                    data, sender = receiver.recvfrom(_LARGEST_DATAGRAM)
                    if sender is not None:
                        receiver.sendto(data, sender)
                except OSError:
                    # An ICMP error about an earlier answer, or a sender that cannot be answered: the next one may be.
                    continue

    def end(self) -> None:
        """Echo no more. The thread that waits holds the socket, and closes it."""
        self._ended = True
        # It wakes the thread, and says that a socket of datagrams is not connected.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
