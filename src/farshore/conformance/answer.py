"""What a lab's service answers, and whether that is what an exchange expects."""

from __future__ import annotations

import json
from dataclasses import dataclass

from farshore.conformance.check import Exchange


@dataclass(frozen=True, slots=True)
class Seen:
    """What a service says of a request: which one it is, from where it came, and who was said to have sent it."""

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
    """What came of a fetch: what the service saw or, where that is None, why there was no answer."""

    seen: Seen | None
    failure: str | None

    def difference(self, exchange: Exchange) -> str | None:
        """Return in what the answer is not what the exchange expects, None where it is."""
        if self.seen is None:
            return self.failure
        first, last = exchange.seen_ports or (exchange.source_port, exchange.source_port)
        if self.seen.service != exchange.service:
            return f"{self.seen.service} answered instead of {exchange.service}"
        if self.seen.source != str(exchange.seen_as):
            return f"seen as {self.seen.source} instead of {exchange.seen_as}"
        if not first <= self.seen.source_port <= last:
            return f"seen from port {self.seen.source_port} instead of {first if first == last else f'{first}-{last}'}"
        introduced = (self.seen.tenant, self.seen.client, self.seen.client_port)
        if exchange.introduced is not None and introduced != (
            exchange.introduced,
            str(exchange.source),
            exchange.source_port,
        ):
            whose = f"{exchange.introduced} at {exchange.source}:{exchange.source_port}"
            return f"introduced as {introduced} instead of {whose}"
        return None


def parsed(answer: bytes) -> Fetched:
    """Return what an HTTP answer of a lab's service says."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.0 200", b"HTTP/1.1 200")):
        return Fetched(None, f"answered {head[:40]!r}")
    return Fetched(Seen(**json.loads(body)), None)
