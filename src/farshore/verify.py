"""For services: who is calling, by the signed headers of a request. Of Python's library only; the file can be copied.

The proxy signs by HTTP Message Signatures (RFC 9421) with hmac-sha256 (section 3.3.3). It writes one form, and no other
is accepted: what is covered, and the algorithm, are never the message's choice::

    verifier = Verifier("news", {"news.key": key})
    caller = verifier.verify("GET", "/latest?page=2", request_headers)

Two keys may overlap while one replaces the other: give both, each by its file's name.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

VALIDITY = 60
"""Seconds for which a signature of the proxy is valid."""
COVERED = ("@method", "@authority", "@path", "@query", "x-farshore-tenant", "x-farshore-client")
"""The components that the proxy's signature covers, in its order."""

_SKEW = 5  # seconds by which the proxy's clock may be ahead of ours
_NEEDED = ("host", "x-farshore-tenant", "x-farshore-client", "signature-input", "signature")
_LIST = re.escape("(" + " ".join(f'"{name}"' for name in COVERED) + ")")
_INPUT = re.compile(
    rf"farshore=(?P<parameters>{_LIST};created=(?P<created>[0-9]{{1,12}});expires=(?P<expires>[0-9]{{1,12}})"
    r';nonce="(?P<nonce>[0-9a-f-]{36})";keyid="(?P<key>[A-Za-z0-9._-]+)";alg="hmac-sha256"'
    r';tag="farshore/(?P<service>[a-z0-9-]+)")'
)
_SIGNATURE = re.compile(r"farshore=:([A-Za-z0-9+/]{43}=):")
_CLIENT = re.compile(r"([0-9.]+):([0-9]{1,5})")


class VerificationError(Exception):
    """The headers are not what the proxy has signed for this request and this service."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: the tenant, and the address and port of its host in the tenant's own network.

    ``nonce`` is never used twice: a service that must not act twice on one request keeps those of the last
    ``VALIDITY`` seconds.
    """

    tenant: str
    client: str
    client_port: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a service needs to know: its own name in the intent, and its keys by the names of their files."""

    service: str
    keys: Mapping[str, bytes]

    def verify(self, method: str, target: str, headers: Iterable[tuple[str, str]], now: float | None = None) -> Caller:
        """Return who is calling.

        Args:
            method: as in the request line.
            target: as in the request line, with the query, before any decoding: ``/a%20b?c``.
            headers: all of the request as pairs, duplicates included; names in any case.
            now: seconds since 1970; the machine's clock if left out.

        Raises:
            VerificationError: says why. Answer 403, and believe none of the headers.
        """
        found = _once(headers)
        signed = _INPUT.fullmatch(found["signature-input"])
        signature = _SIGNATURE.fullmatch(found["signature"])
        client = _CLIENT.fullmatch(found["x-farshore-client"])
        if signed is None or signature is None or client is None:
            raise VerificationError("the signature has another form than the proxy's")
        if signed["service"] != self.service:
            raise VerificationError(f"the signature is for service {signed['service']}")
        key = self.keys.get(signed["key"])
        if key is None:
            raise VerificationError(f"key {signed['key']} is unknown")
        base = _signature_base(method, target, found, signed["parameters"])
        if not hmac.compare_digest(hmac.digest(key, base, "sha256"), _decoded(signature[1])):
            raise VerificationError("wrong signature")
        _check_time(int(signed["created"]), int(signed["expires"]), time.time() if now is None else now)
        return Caller(found["x-farshore-tenant"], client[1], int(client[2]), signed["nonce"])


def _once(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for given, value in headers:
        name = given.lower()
        if name in _NEEDED and name in found:
            raise VerificationError(f"two headers {name}")
        found[name] = value
    for name in _NEEDED:
        if name not in found:
            raise VerificationError(f"no header {name}")
    return found


def _signature_base(method: str, target: str, headers: Mapping[str, str], parameters: str) -> bytes:
    """Return what is signed (RFC 9421 section 2.5)."""
    path, _, query = target.partition("?")
    values = {
        "@method": method,
        "@authority": headers["host"].lower().removesuffix(":80"),
        "@path": path,
        "@query": f"?{query}",
        **headers,
    }
    lines = [f'"{name}": {values[name]}' for name in COVERED]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode("utf-8", "surrogateescape")


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except binascii.Error as error:
        raise VerificationError("the signature is not base64") from error


def _check_time(created: int, expires: int, now: float) -> None:
    if not 0 <= expires - created <= VALIDITY:
        raise VerificationError(f"the signature is valid for other than {VALIDITY} seconds")
    if created > now + _SKEW:
        raise VerificationError("the signature is of the future; compare the clocks of proxy and service")
    if expires < now:
        raise VerificationError("the signature has expired")
