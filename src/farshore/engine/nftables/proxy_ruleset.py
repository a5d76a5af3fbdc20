"""What may come to a proxy's routing instance, and what may leave it. Nothing is ever forwarded. Pure text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from farshore.engine.nftables.grammar import chain, named, prefixes, table
from farshore.engine.nftables.ruleset import FILTER_TABLE, ICMP_ERRORS, NO_OPTIONS, cap_chain, cap_name
from farshore.fabric.model import Front, Limit
from farshore.realm import Prefix


def tenant_ruleset(fronts: Sequence[Front], limit: Limit | None) -> str:
    """Return the rule set of a tenant's instance: its own hosts may connect to what is presented there."""
    return table(FILTER_TABLE, _tenant_lines(fronts, limit)) + "\n"


def provider_ruleset(fronts: Sequence[Front]) -> str:
    """Return the rule set of the provider's instance: the proxy may connect to the servers, and they may answer."""
    return table(FILTER_TABLE, _provider_lines(fronts)) + "\n"


def _tenant_lines(fronts: Sequence[Front], limit: Limit | None) -> Iterator[str]:
    presented = _hosts(Prefix.of(front.presented) for front in fronts)
    asking = _hosts(prefix for front in fronts for prefix in front.sources)
    if fronts:
        elements = _once(f"{front.presented.ip} . {front.port.number}" for front in fronts)
        yield from named("fronts", "ipv4_addr . inet_service", elements)
    arriving = [f"{ICMP_ERRORS} ip daddr {presented} accept", f"ip saddr {asking} ip daddr {presented} accept"]
    yield from _arriving(arriving if fronts else [])
    if limit is not None:
        yield from cap_chain(limit)
    admitted = "accept" if limit is None else f"goto {cap_name(limit.ingress)}"
    received = [
        # Every packet is held against the fronts, so that what is revoked stops at once.
        "ct state established ct direction original ip daddr . tcp dport @fronts accept",
        f"ct state related {ICMP_ERRORS} accept",
        f"ct state new ip daddr . tcp dport @fronts {admitted}",
    ]
    sent = ["ct state established ct direction reply ip saddr . tcp sport @fronts accept"]
    yield from _own(received if fronts else [], sent if fronts else [])


def _provider_lines(fronts: Sequence[Front]) -> Iterator[str]:
    servers = _hosts(Prefix.of(front.server) for front in fronts)
    own = _hosts(Prefix.of(front.own) for front in fronts)
    if fronts:
        elements = _once(f"{f.own.ip} . {f.server.ip} . {f.port.number}" for f in fronts)
        yield from named("servers", "ipv4_addr . ipv4_addr . inet_service", elements)
    arriving = [f"{ICMP_ERRORS} ip daddr {own} accept", f"ip saddr {servers} ip daddr {own} accept"]
    yield from _arriving(arriving if fronts else [])
    received = [
        "ct state established ct direction reply ip daddr . ip saddr . tcp sport @servers accept",
        f"ct state related {ICMP_ERRORS} accept",
    ]
    sent = ["ct direction original ip saddr . ip daddr . tcp dport @servers accept"]
    yield from _own(received if fronts else [], sent if fronts else [])


def _arriving(rules: list[str]) -> Iterator[str]:
    yield from chain("arriving", "filter hook prerouting priority -300; policy drop", [NO_OPTIONS, *rules])


def _own(received: list[str], sent: list[str]) -> Iterator[str]:
    yield from chain("forwarding", "filter hook forward priority 0; policy drop", [])
    yield from chain("to_device", "filter hook input priority 0; policy drop", received)
    yield from chain("from_device", "filter hook output priority 0; policy drop", sent)


def _hosts(given: Iterable[Prefix]) -> str:
    found = tuple(dict.fromkeys(given))
    return prefixes(found) if found else ""


def _once(elements: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(elements))
