"""A service for many tenants: it reads a PROXY header, version 2, and answers with the name of the tenant.

Usage: python3 service.py ADDRESS PORT

The header's form is that of HAProxy's proxy-protocol.txt, section 2.2.
"""

from __future__ import annotations

import socketserver
import struct
import sys
from ipaddress import IPv4Address

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
HEADER = struct.Struct("!12sBBH")  # signature, version and command, family, length of the rest
ADDRESSES = struct.Struct("!4s4sHH")  # source, destination, their ports
FIELD = struct.Struct("!BH")  # type and length of what follows the addresses
LOCAL, PROXY = 0x20, 0x21
TCP_OVER_IPV4 = 0x11
UNIQUE_ID = 0x05  # the proxy writes the tenant's name here


class Answer(socketserver.StreamRequestHandler):
    """One connection."""

    timeout = 30

    def handle(self) -> None:
        """Read who is calling, then the request, and answer. Whoever does not come from the proxy gets nothing."""
        start = self.rfile.read(HEADER.size)
        if len(start) < HEADER.size:
            return
        signature, command, family, length = HEADER.unpack(start)
        rest = self.rfile.read(length)
        if signature != SIGNATURE or command not in (LOCAL, PROXY):
            return
        if command == LOCAL:  # the proxy's own health check: no caller
            return
        if family != TCP_OVER_IPV4 or len(rest) < ADDRESSES.size:
            return
        source, _, port, _ = ADDRESSES.unpack_from(rest)
        tenant = fields(rest[ADDRESSES.size :]).get(UNIQUE_ID, b"unknown").decode()
        while self.rfile.readline().strip():
            pass
        body = f"hello {tenant}, at your {IPv4Address(source)}:{port}\n".encode()
        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def fields(content: bytes) -> dict[int, bytes]:
    """Return the fields behind the addresses, by their types."""
    found = {}
    while len(content) >= FIELD.size:
        kind, length = FIELD.unpack_from(content)
        found[kind] = content[FIELD.size : FIELD.size + length]
        content = content[FIELD.size + length :]
    return found


class Server(socketserver.ThreadingTCPServer):
    """As many connections at once as come."""

    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server((sys.argv[1], int(sys.argv[2])), Answer) as server:
        server.serve_forever()
