"""A service for many tenants: it verifies the signed headers of each request, and answers with the name of the tenant.

Usage: PYTHONPATH=src python3 news.py ADDRESS PORT KEY-FILE...

With --for-nginx first it answers nginx's auth_request (nginx.conf beside it) instead, 204 or 403, and names the tenant
in X-Tenant. It then must listen where nothing but nginx reaches it. Two key files overlap while a key is replaced.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from farshore.verify import VerificationError, Verifier

SERVICE = "news"  # its name in the intent
FOR_NGINX = sys.argv[1:2] == ["--for-nginx"]
ADDRESS, PORT, *KEY_FILES = sys.argv[2:] if FOR_NGINX else sys.argv[1:]
VERIFIER = Verifier(SERVICE, {Path(each).name: Path(each).read_bytes() for each in KEY_FILES})


class Answer(BaseHTTPRequestHandler):
    """One connection."""

    timeout = 30

    def do_GET(self) -> None:
        """Answer only what the proxy has signed."""
        # The target as it came: self.path begins with one slash where that begins with two.
        method, target = self.command, self.requestline.split(" ")[1]
        if FOR_NGINX:
            method, target = self.headers["X-Original-Method"], self.headers["X-Original-Target"]
        try:
            caller = VERIFIER.verify(method, target, self.headers.items())
        except VerificationError as error:
            self.send_error(403, explain=str(error))
            return
        body = b"" if FOR_NGINX else f"hello {caller.tenant}, at your {caller.client}:{caller.client_port}\n".encode()
        self.send_response(204 if FOR_NGINX else 200)
        self.send_header("X-Tenant", caller.tenant)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer as to a GET."""
        self.do_GET()


if __name__ == "__main__":
    with ThreadingHTTPServer((ADDRESS, int(PORT)), Answer) as server:
        server.serve_forever()
