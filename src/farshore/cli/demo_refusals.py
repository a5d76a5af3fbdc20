"""A handful of attempts that must be refused, and by what. Pure: the walk says who refuses them, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from farshore.conformance.check import Check, Injection
from farshore.conformance.refusals import UNOFFERED_PORT
from farshore.conformance.topology import Topology
from farshore.design import names
from farshore.fabric.model import Fabric, LinkEnd
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


def honest(topology: Topology, checks: Sequence[Check]) -> Check:
    """Return the check that a made-up packet which breaks no rule arrives, or else silence would prove nothing."""
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
    """Walk the packet to find out who refuses it, and why."""
    assert isinstance(check.attempt, Injection)  # noqa: S101 - only injections are found
    injected = check.attempt
    start = LinkEnd(injected.node, injected.interface)
    journey = trace(fabric, profile_of(None), start, _seen_by_the_walk(injected, topology, fabric), {})
    last = journey.hops[-1]
    if last.crossing is None or not last.crossing.refused:
        raise LookupError(f"nothing on its way refuses this: {check.name}")
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
