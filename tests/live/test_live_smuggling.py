"""Identities smuggled past the proxy, byte for byte: a service sees none but what the proxy wrote for that request.

The service records what it gets and agrees to everything that it is asked for, tunnels and upgrades too: it is the
worst that can stand behind a proxy.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from dataclasses import dataclass
from datetime import timedelta

import live_tools
import pytest
from http_message_signatures import HTTPMessageVerifier, MappingKeyResolver, algorithms
from live_appliance import ALICE, HERE, KEYS, NEWS, applied, fabric
from live_world import World

from farshore.fabric.model import Fabric
from farshore.fabric.names import NodeName
from farshore.verify import COVERED, VerificationError, Verifier

pytestmark = pytest.mark.kernel

KEY = KEYS[NodeName("provider/news")]
NAMES = ["signature", "signatureinput", "xfarshoreclient", "xfarshoretenant"]
H1 = b"GET /x HTTP/1.1\r\nHost: news\r\nConnection: close\r\n"
FORGED = b"X-Farshore-Tenant: customer-b\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: news\r\n" + FORGED + b"X-Farshore-Signature: 00\r\nConnection: close\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
# GET / by static table entries 2 (method), 6 (scheme), 4 (path), and x-farshore-tenant as a literal.
HPACK = b"\x82\x86\x84\x41\x04news\x00\x11x-farshore-tenant\x0acustomer-b"
H2 = PREFACE + SETTINGS + len(HPACK).to_bytes(3, "big") + b"\x01\x05\0\0\0\x01" + HPACK


def post(lines: bytes, body: bytes = b"") -> bytes:
    return b"POST /x HTTP/1.1\r\nHost: news\r\nConnection: close\r\n" + lines + b"\r\n" + body


def named(name: bytes) -> bytes:
    return H1 + name + b": customer-b\r\n\r\n"


def chunked(lines: bytes, body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n" + lines, body)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a client sends, and what it sends when it has an answer.

    ``status`` is what the client is to get: 200 from the service, any other from the proxy, which passes nothing on.
    None: as HAProxy's version has it.
    """

    sends: bytes
    status: int | None
    then: bytes = b""


ATTEMPTS = {
    "request": Attempt(H1 + b"\r\n", 200),
    "HTTP/1.0 without a host": Attempt(b"GET /x HTTP/1.0\r\n\r\n", 200),
    "host in capitals with the port": Attempt(H1.replace(b"Host: news", b"Host: NEWS:80") + b"\r\n", 200),
    "host with another port": Attempt(H1.replace(b"Host: news", b"Host: news:8080") + b"\r\n", 200),
    "target with a query": Attempt(H1.replace(b"/x", b"//x/../y?a=%0d%0aX-Farshore-Tenant:b&?") + b"\r\n", 200),
    "target with a fragment": Attempt(H1.replace(b"/x", b"/x#y") + b"\r\n", 400),
    # What cannot be signed: the client would speak past the proxy, or for another target.
    "CONNECT": Attempt(b"CONNECT news:80 HTTP/1.1\r\nHost: news:80\r\n\r\n", 405, SECOND),
    "CONNECT of a path": Attempt(b"CONNECT /x HTTP/1.1\r\nHost: news\r\n\r\n", None, SECOND),
    "TRACE": Attempt(b"TRACE /x HTTP/1.1\r\nHost: news\r\nConnection: close\r\n\r\n", 405),
    "upgrade to websocket": Attempt(
        b"GET /x HTTP/1.1\r\nHost: news\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        501,
        SECOND,
    ),
    "upgrade to h2c": Attempt(
        b"GET /x HTTP/1.1\r\nHost: news\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
        # HAProxy 3.0 takes this header out and passes the request on, and then refuses the service's 101.
        None,
        H2,
    ),
    "upgrade that was not asked for": Attempt(b"GET /upgrade HTTP/1.1\r\nHost: news\r\n\r\n", 502, SECOND),
    "HTTP/2 at once": Attempt(H2, 400),
    "absolute form": Attempt(H1.replace(b"/x", b"http://news/x") + b"\r\n", 400),
    "absolute form, another host": Attempt(H1.replace(b"/x", b"http://other/x") + b"\r\n", 400),
    "absolute form, https": Attempt(H1.replace(b"/x", b"https://news/x") + b"\r\n", 400),
    "absolute form, HTTP/1.0": Attempt(b"GET http://news/x HTTP/1.0\r\n\r\n", 400),
    "asterisk form": Attempt(H1.replace(b"GET /x", b"OPTIONS *") + b"\r\n", 400),
    "asterisk of another method": Attempt(H1.replace(b"/x", b"*") + b"\r\n", None),
    "authority form": Attempt(H1.replace(b"/x", b"news:80") + b"\r\n", None),
    "no form": Attempt(H1.replace(b"/x", b"x") + b"\r\n", None),
    # Names that some service reads as ours: CGI, WSGI, PHP and old Apaches make one of all punctuation.
    **{
        name.decode(): Attempt(named(name), 200)
        for name in (
            b"X-Farshore-Tenant",
            b"x-farshore-tenant",
            b"X_Farshore_Tenant",
            b"X.Farshore.Tenant",
            b"X-FARSHORE_Tenant",
            b"X~Farshore|Tenant",
            b"X-Farshore.Tenant",
            b"X--Farshore--Tenant",
            b"_X-Farshore-Tenant",
            b"XFarshore-Tenant",
            b"X-Farshore",
            b"Signature",
            b"Signature-Input",
            b"signature_input",
            b"SIGNATURE.INPUT",
            b"Signature-",
        )
    },
    "twice": Attempt(H1 + FORGED * 2 + b"\r\n", 200),
    "a list": Attempt(H1 + b"X-Farshore-Tenant: customer-b, customer-a\r\n\r\n", 200),
    "hop by hop": Attempt(
        b"GET /x HTTP/1.1\r\nHost: news\r\nConnection: close, X-Farshore-Tenant, X-Farshore-Signature\r\n\r\n", 400
    ),
    "folded value": Attempt(H1 + b"X-Other: y\r\n X-Farshore-Tenant: customer-b\r\n\r\n", None),
    "folded name": Attempt(H1 + b"X-Farshore-Tenant\r\n : customer-b\r\n\r\n", 400),
    "space before the colon": Attempt(named(b"X-Farshore-Tenant "), 400),
    "tab before the colon": Attempt(named(b"X-Farshore-Tenant\t"), 400),
    "space before the name": Attempt(H1 + b" X-Farshore-Tenant: customer-b\r\n\r\n", None),
    "bare CR": Attempt(H1 + b"X-Other: y\rX-Farshore-Tenant: customer-b\r\n\r\n", 400),
    "bare LF": Attempt(H1 + b"X-Other: y\nX-Farshore-Tenant: customer-b\n\r\n", None),
    "NUL": Attempt(H1 + b"X-Other: y\0X-Farshore-Tenant: customer-b\r\n\r\n", 400),
    "two hosts": Attempt(H1 + b"Host: other\r\n\r\n", 400),
    "host that is a list": Attempt(H1.replace(b"Host: news", b"Host: news, other") + b"\r\n", 400),
    # Where a body ends: what the proxy takes for a body must be no request to the service.
    "length and chunks": Attempt(
        post(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SECOND), None
    ),
    "two lengths": Attempt(post(b"Content-Length: 0\r\nContent-Length: 4\r\n", b"abcd" + SECOND), 400),
    "list of lengths": Attempt(post(b"Content-Length: 0, 4\r\n", b"abcd" + SECOND), 400),
    "length with a sign": Attempt(post(b"Content-Length: +4\r\n", b"abcd" + SECOND), 400),
    "chunks": Attempt(chunked(b"", b"1\r\nx\r\n0\r\n\r\n"), 411),
    "chunks in HTTP/1.0": Attempt(
        b"POST /x HTTP/1.0\r\nHost: news\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND, None
    ),
    "chunk extension": Attempt(chunked(b"", b'1;a="\r\nx\r\n0\r\n\r\n' + SECOND), None),
    "chunk extension with a bare LF": Attempt(chunked(b"", b"1;a\nx\r\n0\r\n\r\n" + SECOND), None),
    "chunk of odd size": Attempt(chunked(b"", b"0x1\r\nx\r\n0\r\n\r\n" + SECOND), None),
    "chunk of a huge size": Attempt(chunked(b"", b"10000000000000000\r\nx\r\n0\r\n\r\n" + SECOND), None),
    "trailer": Attempt(chunked(b"Trailer: X-Farshore-Tenant\r\n", b"0\r\n" + FORGED + b"\r\n"), 411),
    "trailer unannounced": Attempt(chunked(b"", b"0\r\n" + FORGED + b"\r\n"), 411),
    "unknown coding": Attempt(post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + SECOND), None),
    "two codings": Attempt(post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + SECOND), None),
    "coding with a tab": Attempt(post(b"Transfer-Encoding:\tchunked\r\n", b"0\r\n\r\n" + SECOND), None),
    "coding in another name": Attempt(post(b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"), None),
    "a body in a GET": Attempt(H1 + b"Content-Length: %d\r\n\r\n" % len(SECOND) + SECOND, 200),
    # Several requests on one connection.
    "pipelined": Attempt(b"GET /x HTTP/1.1\r\nHost: news\r\n\r\n" + SECOND, 200),
    "pipelined behind an error": Attempt(b"GET http://news/x HTTP/1.1\r\nHost: news\r\n\r\n" + SECOND, 400),
    "pipelined behind a refused tunnel": Attempt(b"CONNECT news:80 HTTP/1.1\r\nHost: news:80\r\n\r\n" + SECOND, 405),
    "pipelined behind nonsense": Attempt(b"nonsense\r\n\r\n" + SECOND, 400),
    "HTTP/0.9": Attempt(b"GET /x\r\n\r\n", 400),
    "another protocol": Attempt(H1.replace(b"HTTP/1.1", b"RTSP/1.0") + b"\r\n", None),
    "HTTP/3.0 in text": Attempt(H1.replace(b"HTTP/1.1", b"HTTP/3.0") + b"\r\n", None),
    "headers as long as the buffer": Attempt(H1.replace(b"/x", b"/" + b"y" * 16_000) + b"\r\n", 400),
}


class Service:
    """One that records and agrees. The proxy's checks say nothing, and are not recorded."""

    def __init__(self) -> None:
        self._listener = live_tools.open_socket("provider/news", socket.SOCK_STREAM)
        self._listener.bind(("10.1.1.2", 80))
        self._listener.listen(64)
        self.got: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            caller, _ = self._listener.accept()
            threading.Thread(target=self._answer, args=(caller,), daemon=True).start()

    def _answer(self, caller: socket.socket) -> None:
        heard = b""
        place = None
        with caller, contextlib.suppress(OSError):
            while part := caller.recv(65535):
                heard += part
                if place is None:
                    place = len(self.got)
                    self.got.append(heard)
                    caller.sendall(self._agreed(heard))
                self.got[place] = heard

    @staticmethod
    def _agreed(heard: bytes) -> bytes:
        if heard.startswith(b"CONNECT"):
            return b"HTTP/1.1 200 Agreed\r\n\r\n"
        if b"pgrade" in heard or heard.startswith(b"GET /upgrade"):
            return b"HTTP/1.1 101 Agreed\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def attempted(attempt: Attempt) -> bytes:
    """Send an attempt as Alice and return all that comes back."""
    answer = b""
    with live_tools.tcp(ALICE, HERE, 0, NEWS, 80) as flow, contextlib.suppress(ConnectionError):
        flow.sendall(attempt.sends)
        if attempt.then:
            answer = flow.recv(65535)
            flow.sendall(attempt.then)
        with contextlib.suppress(OSError):  # the proxy has ended the connection
            flow.shutdown(socket.SHUT_WR)
        while part := flow.recv(65535):
            answer += part
    return answer


def corpus(whole: Fabric) -> dict[str, tuple[bytes, list[bytes]]]:
    """Make all attempts: what the client gets, and what the service gets on each connection."""
    live_tools.build(whole)
    service = Service()
    applied(whole)
    live_tools.until(lambda: attempted(ATTEMPTS["request"]).startswith(b"HTTP/1.1 200"))
    found = {}
    for name, attempt in ATTEMPTS.items():
        service.got = []
        answer = attempted(attempt)
        found[name] = answer, list(service.got)
    return found


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[bytes, list[bytes]]]:
    with World() as world:
        return world.call(corpus, fabric())  # type: ignore[no-any-return]


def claims(request: bytes) -> list[tuple[str, str]]:
    """Return what in a request can be taken for an identity by who makes one of all punctuation in a name."""
    lines = [line.partition(b":") for line in re.split(rb"[\r\n\0]+", request)[1:]]
    names = [(re.sub(r"[^a-z0-9]", "", name.decode("latin-1").lower()), value.strip()) for name, _, value in lines]
    return [(name, value.decode("latin-1")) for name, value in names if name.startswith("xfarshore") or name in NAMES]


def body_length(head: bytes) -> int:
    lengths = re.findall(rb"^content-length: *(\d+)\r?$", head, re.MULTILINE | re.IGNORECASE)
    return int(lengths[0]) if lengths else 0


@dataclass(frozen=True, slots=True)
class Message:
    """A request as the independent verifier takes it."""

    method: str
    url: str
    headers: dict[str, str]


def parts(head: bytes) -> tuple[str, str, list[tuple[str, str]]]:
    request_line, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = request_line.split(" ")
    fields = [line.partition(":") for line in lines]
    return method, target, [(name, value.strip()) for name, _, value in fields]


def believed(head: bytes) -> str:
    """Return the tenant that both verifiers read from the request that the service gets, target and host included."""
    method, target, fields = parts(head)
    headers = dict(fields)
    ours = Verifier("news", {"news.key": KEY}).verify(method, target, fields)
    keys = MappingKeyResolver(public_keys={"news.key": KEY}, private_keys={})
    theirs = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=keys)
    (result,) = theirs.verify(
        Message(method, f"http://{headers['host']}{target}", headers),
        max_age=timedelta(seconds=60),
        expect_tag="farshore/news",
        require_components=COVERED,
    )
    assert result.nonce == ours.nonce
    assert result.covered_components['"x-farshore-tenant"'] == ours.tenant
    return ours.tenant


def test_a_signature_is_one_requests_own(found: dict[str, tuple[bytes, list[bytes]]]) -> None:
    head = found["request"][1][0].partition(b"\r\n\r\n")[0]
    for old, new in ((b"GET", b"PUT"), (b"/x", b"/y"), (b": news", b": other"), (b"customer-a", b"customer-b")):
        assert old in head
        with pytest.raises(VerificationError):
            believed(head.replace(old, new))
    method, target, fields = parts(head)
    with pytest.raises(VerificationError, match="for service news"):
        Verifier("portal", {"news.key": KEY}).verify(method, target, fields)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_service_sees_no_identity_but_what_the_proxy_wrote(
    name: str, found: dict[str, tuple[bytes, list[bytes]]]
) -> None:
    answer, connections = found[name]
    expected = ATTEMPTS[name].status
    status = int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0
    if expected is not None:
        assert status == expected, answer
    if status not in (200, 502):  # 502: the service had a request, and answered it with an upgrade
        assert all(each.startswith(b"GET /second ") for each in connections), connections
    for each in connections:
        head, _, body = each.partition(b"\r\n\r\n")
        # Behind the body stands nothing: each connection to the service is one request's.
        assert len(body) == body_length(head), each
        assert believed(head) == "customer-a"
        told = claims(head)
        assert sorted(claim for claim, _ in told) == NAMES, each
        assert ("xfarshoretenant", "customer-a") in told
