"""The case of the demo: its checks, their expected results, and the comparison. Pure but for reading its file."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from farshore.cli.demo.picture import Call, Marks
from farshore.cli.inputs import read_built
from farshore.conformance.check import Check, Exchange, Injection, Result
from farshore.conformance.exchanges import Fetched
from farshore.conformance.expectations import expectations
from farshore.conformance.topology import UNOFFERED_PORT, Topology
from farshore.fabric import names
from farshore.fabric.model import EndSystem, Fabric
from farshore.fabric.names import LinkEnd
from farshore.intent.model import Intent
from farshore.plan.document import document
from farshore.plan.model import Plan
from farshore.port import Port, Protocol
from farshore.realm import LAKE, Address
from farshore.semantics.packet import Packet
from farshore.semantics.profile import profile_of
from farshore.semantics.trace import trace


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that must be blocked, the device that does it, and the reason in one clause."""

    check: Check
    device: str
    why: str

    @property
    def what(self) -> str:
        """Return who tries what, without the packet."""
        return self.check.name.partition(": ")[0]


def refusals(topology: Topology, fabric: Fabric, checks: Sequence[Check]) -> tuple[Refusal, ...]:
    """Choose from the checks one of each kind that the first tenant might try, and one that is tried on it.

    Raises LookupError where the intent has fewer than two tenants that use a service.
    """
    return tuple(_refusal(_find(checks, *wanted), topology, fabric) for wanted in _wanted(topology))


def allowed(topology: Topology, checks: Sequence[Check]) -> Check:
    """Return the check that an allowed packet arrives: it shows that the others are blocked and not lost."""
    first = next(iter(topology.intent.tenants))
    node = topology.hosts[first][0].name
    return next(
        check
        for check in checks
        if isinstance(check.attempt, Injection) and (check.attempt.node, check.expected) == (node, "reach")
    )


Wanted = tuple[str, str, str, int | None]


def _wanted(topology: Topology) -> Iterator[Wanted]:
    """Yield sender, source, destination and, where it matters, port of each attempt."""
    mine, other, *_ = topology.intent.tenants
    service, presented = next(iter(topology.plan.tenants[mine].presents.items()))
    host, victim = topology.hosts[mine][0], topology.hosts[other][0]
    here, shown = str(host.address.ip), str(topology.appears(mine, host.address).lake.ip)
    theirs = str(topology.appears(other, victim.address).lake.ip)
    served = topology.plan.services[service]
    yield host.name, here, str(presented.ip), UNOFFERED_PORT
    yield host.name, theirs, str(presented.ip), None
    yield names.ce(mine), here, str(served.lake.ip), None
    yield names.ce(mine), here, theirs, None
    yield names.service(service), str(served.address.ip), shown, None


def _find(checks: Sequence[Check], node: str, source: str, destination: str, port: int | None) -> Check:
    for check in checks:
        match check.attempt:
            case Injection(node=sender, packet=packet) if (
                (sender, str(packet.source), str(packet.destination)) == (node, source, destination)
                and port in (None, packet.destination_port)
                and check.expected == "block"
            ):
                return check
    raise LookupError(f"no check has {node} send from {source} to {destination}")


def _refusal(check: Check, topology: Topology, fabric: Fabric) -> Refusal:
    """Walk the packet to the device that drops it, and return the rule."""
    assert isinstance(check.attempt, Injection)  # noqa: S101 - only injections are found
    injected = check.attempt
    start = LinkEnd(injected.node, injected.interface)
    journey = trace(fabric, profile_of(None), start, _seen_by_the_walk(injected, topology, fabric), {})
    last = journey.hops[-1]
    if last.crossing is None or not last.crossing.refused:
        raise LookupError(f"no device drops this: {check.name}")
    return Refusal(check, last.node, last.crossing.events[-1].says)


def _seen_by_the_walk(injected: Injection, topology: Topology, fabric: Fabric) -> Packet:
    """Return a injected packet with realms: an address of the lake is that wherever it is, others are local."""
    here = next(i.realm for i in fabric.nodes[injected.node].interfaces if i.name == injected.interface)
    source, destination = (
        Address(LAKE if ip in topology.plan.lake.network else here, ip)
        for ip in (injected.packet.source, injected.packet.destination)
    )
    packet = injected.packet
    return Packet(packet.protocol, source, destination, packet.source_port, packet.destination_port)


HTTP = Port(Protocol.TCP, 80)


@dataclass(frozen=True, slots=True)
class Case:
    """Who fetches from the one service, who tries what is forbidden, and everything that this stands on."""

    intent: Intent
    plan: Plan
    fabric: Fabric
    hosts: tuple[EndSystem, ...]
    service: EndSystem
    fetches: tuple[Exchange, ...]
    allowed: Check
    refusals: tuple[Refusal, ...]

    @property
    def marks(self) -> Marks:
        """Return the colours and letters of its realms."""
        return Marks(tuple(self.intent.tenants))

    @property
    def calls(self) -> tuple[Call, ...]:
        """Return the fetches as calls."""
        return tuple(
            Call(self.host(exchange), Address(self.host(exchange).address.realm, exchange.destination), exchange.port)
            for exchange in self.fetches
        )

    def host(self, exchange: Exchange) -> EndSystem:
        """Return who makes a fetch."""
        return next(host for host in self.hosts if host.name == exchange.node)


def read_case() -> Case:
    """Read the demo's intent, which comes with the package, and work out what is to be tried."""
    resource = importlib.resources.files("farshore.cli.demo") / "article.yaml"
    with importlib.resources.as_file(resource) as file:
        built = read_built(file, "lake")
    intent, plan, fabric = built.intent, built.plan, built.fabric
    topology = Topology.of(intent, plan, fabric)
    checks = expectations(intent, plan, fabric)
    hosts = tuple(host for tenant in intent.tenants for host in topology.hosts[tenant])
    fetches = _fetches(checks, hosts)
    service = fabric.nodes[names.service(fetches[0].service)]
    assert isinstance(service, EndSystem)  # noqa: S101 - a design makes its services so
    return Case(
        intent, plan, fabric, hosts, service, fetches, allowed(topology, checks), refusals(topology, fabric, checks)
    )


def _fetches(checks: Sequence[Check], hosts: Sequence[EndSystem]) -> tuple[Exchange, ...]:
    """Return the exchanges that are fetches of a page by tenants' hosts."""
    tenants_hosts = {host.name for host in hosts}
    exchanges = [check.attempt for check in checks if isinstance(check.attempt, Exchange)]
    return tuple(exchange for exchange in exchanges if exchange.port == HTTP and exchange.node in tenants_hosts)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was really seen in the lab: a fetch for each of the case's, and results by the name of the check."""

    fetched: Sequence[Fetched]
    results: Mapping[str, Result]

    def differences(self, case: Case) -> tuple[str, ...]:
        """Return everything that is not as planned."""
        fetches = (
            f"{exchange.node}: {reason}"
            for exchange, fetched in zip(case.fetches, self.fetched, strict=True)
            if (reason := fetched.difference(exchange)) is not None
        )
        checks = (case.allowed, *(refusal.check for refusal in case.refusals))
        results = (self.results[check.name] for check in checks)
        injected = (f"{r.name}: expected {r.expected}, observed {r.observed}" for r in results if not r.ok)
        return (*fetches, *injected)


def report(case: Case, findings: Findings) -> dict[str, Any]:
    """Return all of it as a value that JSON can hold."""
    return {
        "ok": not findings.differences(case),
        "plan": document(case.intent, case.plan),
        "fetches": [
            {
                "from": exchange.node,
                "url": url(str(exchange.destination)),
                "source": str(exchange.source),
                "source_port": exchange.source_port,
                "expected_source": str(exchange.seen_as),
                "seen": None if fetched.seen is None else asdict(fetched.seen),
                "ok": fetched.difference(exchange) is None,
                "reason": fetched.difference(exchange),
            }
            for exchange, fetched in zip(case.fetches, findings.fetched, strict=True)
        ],
        "blocked": [
            {
                "name": refusal.check.name,
                "expected": refusal.check.expected,
                "observed": findings.results[refusal.check.name].observed,
                "ok": findings.results[refusal.check.name].ok,
                "device": refusal.device,
                "reason": refusal.why,
            }
            for refusal in case.refusals
        ],
        "differences": list(findings.differences(case)),
    }


def url(destination: str) -> str:
    """Return what a browser would be given."""
    return f"http://{destination}/"
