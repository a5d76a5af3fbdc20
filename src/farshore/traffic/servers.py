"""The services of a lab: TCP ports answer HTTP with the service's name and the source they saw, UDP ports echo.

A service that receives the caller's identity repeats it in its answer, and answers only what comes from the proxy.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import logging
import socket
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from farshore.caller_identity import CallerIdentity, ProxyProtocol, SignedHeader
from farshore.fabric.model import EndSystem
from farshore.fabric.names import NodeName
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.port import Protocol
from farshore.traffic.caller_claim import CallerClaim, ForgedError, read_proxy_header, read_signed

_logger = logging.getLogger(__name__)

_BACKLOG = 4096
_LARGEST_DATAGRAM = 65535
_PATIENCE = 30.0  # seconds for a request


def serve(
    end_systems: Iterable[EndSystem], identities: Mapping[NodeName, CallerIdentity], keys: Mapping[NodeName, bytes]
) -> None:
    """Open every port of every end system in its namespace and answer on it for as long as the process lives.

    All ports are open when this returns. Raises OSError where one cannot be opened.

    Args:
        end_systems: the nodes that answer.
        identities: how services receive the caller's identity, by the names of their nodes.
        keys: of the services that receive it in a signed header.
    """
    for node in end_systems:
        with PRIVATE.entered(namespace_name(node.name)):
            for port in node.listens:
                if port.protocol is Protocol.TCP:
                    server = _http_server(node, port.number, identities.get(node.name), keys.get(node.name, b""))
                    _start(server.serve_forever)
                elif port.protocol is Protocol.UDP:
                    _start(_echo, _udp_socket(node, port.number))


def _start(function: object, *arguments: object) -> None:
    assert callable(function)  # noqa: S101 - tells mypy what the two callers give
    threading.Thread(target=function, args=arguments, daemon=True).start()


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = _BACKLOG
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - socketserver's
        _logger.exception("a request from %s failed", client_address)

    def server_bind(self) -> None:
        # HTTPServer would look its own name up in the DNS, which a lab does not have.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)


def _http_server(
    node: EndSystem, port: int, identity: CallerIdentity | None, key: bytes
) -> http.server.ThreadingHTTPServer:
    name = node.name.local

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
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    self.caller = read_signed(key, self.command, self.path, headers)
                except ForgedError as error:
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

    return _Server((str(node.address.ip), port), Handler)


def _udp_socket(node: EndSystem, port: int) -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind((str(node.address.ip), port))
    return receiver


def _echo(receiver: socket.socket) -> None:
    while True:
        try:
            data, sender = receiver.recvfrom(_LARGEST_DATAGRAM)
            receiver.sendto(data, sender)
        except OSError:
            # An ICMP error about an earlier answer, or a sender that cannot be answered: the next one may be.
            continue
