"""What the proof says of the very packets that a lab tries, and where it and the lab do not agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from farshore.conformance.check import Check, Exchange, Injection, Outcome
from farshore.conformance.expectations import expectations
from farshore.design.catalogue import build
from farshore.fabric.model import Device, EndSystem, Fabric, Proxy
from farshore.fabric.names import LinkEnd
from farshore.intent.load import load
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.port import Port, Protocol
from farshore.proof.query import Arrived, Query
from farshore.realm import LAKE, Address, Realm, RealmKind
from farshore.semantics.profile import profile_of
from farshore.traffic.packet import TCP_SYN

# A look-up on the way has no one right answer: the proof counts it as not reached, a real table does one or the other.
DOUBTFUL = "doubtful"
_ALL_PORTS = (0, 65535)
_PROXY_PORTS = (1, 65535)


@dataclass(frozen=True, slots=True)
class Judged:
    """A check, and what the proof says of its packet, in the words that the lab has for what it observes.

    ``alike`` tells that another exchange of the same moment looks the same where it arrives: of the two, one fails.
    """

    check: Check
    verdict: str
    alike: bool

    def agrees(self, observed: str) -> bool:
        """Tell whether this could be observed."""
        if self.alike and observed.startswith("source port "):
            return True  # the later of the two was given another
        either = self.alike or self.verdict == DOUBTFUL
        return observed in (Outcome.REACH, Outcome.BLOCK) if either else observed == self.verdict


def planned(intent: Intent | None) -> tuple[Intent, Plan]:
    """Return an intent with its plan; there must be both."""
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return intent, plan


def disagreeing(file: Path, design: str | None, report: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return, of a report of ``lab run``, what the proof says and what was observed where the two differ."""
    intent, plan = planned(load(file).intent)
    fabric = build(intent, plan, design)
    judged = verdicts(plan, fabric, expectations(intent, plan, fabric))
    observed = {check["name"]: check["observed"] for check in report["checks"]}
    assert set(observed) == set(judged)
    return differences(judged, observed)


def differences(judged: Mapping[str, Judged], observed: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return what the proof says and what was observed where the two differ."""
    return {name: (judged[name].verdict, seen) for name, seen in observed.items() if not judged[name].agrees(seen)}


def verdicts(plan: Plan, fabric: Fabric, checks: Sequence[Check]) -> dict[str, Judged]:
    """Ask the proof for every check, by name."""
    lab = _Lab(plan, fabric, Query.of(fabric, profile_of(None)))
    exchanges = Counter(
        mark for check in checks if isinstance(check.attempt, Exchange) for mark in lab.marks(check.attempt)
    )
    return {check.name: lab.judged(check, exchanges) for check in checks}


# How an exchange looks where it arrives: at which node, from which source and ports, from which one, and to which.
_Mark = tuple[str, IPv4Address, tuple[int, int], int, Port]


@dataclass(frozen=True, slots=True)
class _Lab:
    plan: Plan
    fabric: Fabric
    asked: Query

    def judged(self, check: Check, exchanges: Counter[_Mark]) -> Judged:
        attempt = check.attempt
        if isinstance(attempt, Injection):
            return Judged(check, self._injected(attempt), alike=False)
        alike = any(exchanges[mark] > 1 for mark in self.marks(attempt))
        return Judged(check, self._exchanged(check.name, attempt), alike)

    def marks(self, exchange: Exchange) -> Iterable[_Mark]:
        for each in self._answers(exchange):
            # A proxy's connections have ports of their own, each another.
            if not self._proxy(each):
                yield each.node, each.source, each.ports, exchange.source_port, exchange.port

    # --- exchanges ---

    def _exchanged(self, name: str, exchange: Exchange) -> str:
        """Return what comes of an exchange, in the words of ``Fetched.difference``."""
        answers = self._answers(exchange)
        if not answers:
            return Outcome.BLOCK
        if any(each.doubtful for each in answers):
            return DOUBTFUL
        (there,) = answers
        if not name.startswith((f"{exchange.node} reaches {there.node} ", f"{exchange.node} reaches {_short(there)} ")):
            return f"reply from {_short(there)}, expected {exchange.service}"
        if there.source != exchange.seen_as:
            return f"source {there.source}, expected {exchange.seen_as}"
        # A proxy takes any port at all, which is the same set as that of those who keep their own.
        ports = _PROXY_PORTS if self._proxy(there) else None if there.ports == _ALL_PORTS else there.ports
        if ports != exchange.seen_ports:
            return f"source ports {ports}, expected {exchange.seen_ports}"
        return Outcome.REACH

    def _answers(self, exchange: Exchange) -> tuple[Arrived, ...]:
        start = self._node(exchange.node).interface.name
        there = self._arrivals(LinkEnd(exchange.node, start), exchange.source, exchange.destination, exchange.port)
        return tuple(each for each in there if each.answered and exchange.port in self._node(each.node).listens)

    # --- made-up packets ---

    def _injected(self, injection: Injection) -> str:
        """Return who hears a made-up packet, whoever it is for; a proxy that it comes to answers instead of a node."""
        if injection.cut is not None and not injection.cut.finished:
            return Outcome.BLOCK  # what is not whole arrives nowhere, whatever it is a part of
        packet = injection.packet
        port = Port(packet.protocol, 0 if packet.protocol is Protocol.ICMP else packet.destination_port)
        there = self._arrivals(LinkEnd(injection.node, injection.interface), packet.source, packet.destination, port)
        if packet.protocol is Protocol.TCP and packet.tcp_flags != TCP_SYN:
            # The proof is of packets that open flows: any other goes no further than to what keeps flows.
            there = tuple(each for each in there if not any(self._keeps_flows(name) for name in each.through))
        heard = {self._proxy(each) or each.node for each in there} - {injection.node}
        if not heard:
            return Outcome.BLOCK
        if any(each.doubtful for each in there):
            return DOUBTFUL
        if injection.target is not None and heard - {injection.owner} != {injection.target}:
            return f"received by {', '.join(sorted(heard))}, expected {injection.target}"
        return Outcome.REACH

    # --- both ---

    def _arrivals(self, start: LinkEnd, source: IPv4Address, to: IPv4Address, port: Port) -> tuple[Arrived, ...]:
        node = self.fabric.nodes[start.node]
        realm = next(interface.realm for interface in node.interfaces if interface.name == start.interface)
        return self.asked.arrivals(start, source, Address(self._meant(realm, to), to), port)

    def _meant(self, here: Realm, ip: IPv4Address) -> Realm:
        """Return the realm of an address that is dialled: the provider's hosts call tenants' by the lake's."""
        return LAKE if here.kind is RealmKind.PROVIDER and ip in self.plan.lake.network else here

    def _node(self, name: str) -> EndSystem:
        node = self.fabric.nodes[name]
        assert isinstance(node, EndSystem)
        return node

    def _keeps_flows(self, name: str) -> bool:
        node = self.fabric.nodes[name]
        return isinstance(node, Proxy) or (isinstance(node, Device) and node.policy is not None)

    def _proxy(self, there: Arrived) -> str | None:
        return next((name for name in there.through if isinstance(self.fabric.nodes[name], Proxy)), None)


def _short(there: Arrived) -> str:
    return there.node.local
