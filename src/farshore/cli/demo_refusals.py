"""A handful of attempts that must be refused, and by what. Pure: the walk says who refuses them, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from farshore.design import names
from farshore.fabric.model import Fabric, LinkEnd
from farshore.lab.check import Check, Throw
from farshore.lab.refusals import UNOFFERED_PORT
from farshore.lab.scene import Scene
from farshore.realm import LAKE, Address
from farshore.walk.journey import profile_of
from farshore.walk.packet import Packet
from farshore.walk.trace import trace


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


def refusals(scene: Scene, fabric: Fabric, checks: Sequence[Check]) -> tuple[Refusal, ...]:
    """Choose from the checks one of each kind that the first tenant might try, and one that is tried on it.

    Raises LookupError where the intent has fewer than two tenants that use a service.
    """
    return tuple(_refusal(_find(checks, *wanted), scene, fabric) for wanted in _wanted(scene))


def honest(scene: Scene, checks: Sequence[Check]) -> Check:
    """Return the check that a made-up packet which breaks no rule arrives, or else silence would prove nothing."""
    first = next(iter(scene.intent.tenants))
    node = scene.hosts[first][0].name
    return next(
        check
        for check in checks
        if isinstance(check.attempt, Throw) and (check.attempt.node, check.expected) == (node, "reach")
    )


Wanted = tuple[str, str, str, int | None]


def _wanted(scene: Scene) -> Iterator[Wanted]:
    """Yield sender, source, destination and, where it matters, port of each attempt."""
    mine, other, *_ = scene.intent.tenants
    service, presented = next(iter(scene.plan.tenants[mine].presents.items()))
    host, victim = scene.hosts[mine][0], scene.hosts[other][0]
    here, shown = str(host.address.ip), str(scene.appears(mine, host.address).lake.ip)
    theirs = str(scene.appears(other, victim.address).lake.ip)
    served = scene.plan.services[service]
    yield host.name, here, str(presented.ip), UNOFFERED_PORT
    yield host.name, theirs, str(presented.ip), None
    yield names.ce(mine), here, str(served.lake.ip), None
    yield names.ce(mine), here, theirs, None
    yield names.service(service), str(served.address.ip), shown, None


def _find(checks: Sequence[Check], node: str, source: str, destination: str, port: int | None) -> Check:
    for check in checks:
        match check.attempt:
            case Throw(node=sender, packet=packet) if (
                (sender, str(packet.source), str(packet.destination)) == (node, source, destination)
                and port in (None, packet.destination_port)
                and check.expected == "block"
            ):
                return check
    raise LookupError(f"no check has {node} send from {source} to {destination}")


def _refusal(check: Check, scene: Scene, fabric: Fabric) -> Refusal:
    """Walk the packet to find out who refuses it, and why."""
    assert isinstance(check.attempt, Throw)  # noqa: S101 - only throws are found
    thrown = check.attempt
    start = LinkEnd(thrown.node, thrown.interface)
    journey = trace(fabric, profile_of(None), start, _seen_by_the_walk(thrown, scene, fabric), {})
    last = journey.hops[-1]
    if last.crossing is None or not last.crossing.refused:
        raise LookupError(f"nothing on its way refuses this: {check.name}")
    return Refusal(check, last.node, last.crossing.events[-1].says)


def _seen_by_the_walk(thrown: Throw, scene: Scene, fabric: Fabric) -> Packet:
    """Return a thrown packet with realms: an address of the lake is that wherever it is, others are local."""
    here = next(i.realm for i in fabric.nodes[thrown.node].interfaces if i.name == thrown.interface)
    source, destination = (
        Address(LAKE if ip in scene.plan.lake.network else here, ip)
        for ip in (thrown.packet.source, thrown.packet.destination)
    )
    packet = thrown.packet
    return Packet(packet.protocol, source, destination, packet.source_port, packet.destination_port)
