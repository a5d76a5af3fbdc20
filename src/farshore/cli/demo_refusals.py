"""A handful of attempts that must be refused, and by what. Pure: a shore's guards and policy say why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from farshore.design import names
from farshore.fabric.model import Device, Direction, Fabric
from farshore.lab.check import Check, Throw
from farshore.lab.packet import Packet
from farshore.lab.refusals import UNOFFERED_PORT
from farshore.lab.scene import Scene
from farshore.realm import Realm, RealmKind


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that must be blocked, the shore that does it, and the reason in one clause."""

    check: Check
    shore: str
    why: str

    @property
    def what(self) -> str:
        """Return who tries what, without the packet."""
        return self.check.name.partition(": ")[0]


def refusals(scene: Scene, fabric: Fabric, checks: Sequence[Check]) -> tuple[Refusal, ...]:
    """Choose from the checks one of each kind that the first tenant might try, and one that is tried on it.

    Raises LookupError where the intent has fewer than two tenants that use a service.
    """
    return tuple(_refusal(_find(checks, *wanted), fabric) for wanted in _wanted(scene))


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


def _refusal(check: Check, fabric: Fabric) -> Refusal:
    assert isinstance(check.attempt, Throw)  # noqa: S101 - only throws are found
    shore, interface = _shore(check.attempt.node, fabric)
    return Refusal(check, shore.name, why(shore, interface, check.attempt.packet))


def _shore(node: str, fabric: Fabric) -> tuple[Device, str]:
    """Return the shore that a node's packets come to first, and the interface at which they do."""
    owner = node.partition("/")[0]
    shore = fabric.nodes[names.tenant_nat(owner) if owner != "provider" else names.PROVIDER_NAT]
    assert isinstance(shore, Device)  # noqa: S101 - every design has a NAT device there
    interface = next(i for i in shore.interfaces if i.realm.kind is not RealmKind.LAKE)
    return shore, interface.name


def why(shore: Device, interface: str, packet: Packet) -> str:
    """Return why a shore refuses a new flow that arrives at an interface."""
    guard = next(g for g in shore.guards if (g.interface, g.direction) == (interface, Direction.IN))
    realm = next(i.realm for i in shore.interfaces if i.name == interface)
    if not any(packet.source in prefix.network for prefix in guard.sources):
        own = ", ".join(str(prefix.network) for prefix in guard.sources)
        return f"guard: only {own} may come from {realm}"
    if not any(packet.destination in prefix.network for prefix in guard.destinations):
        called = ", ".join(str(prefix.network.network_address) for prefix in guard.destinations)
        return f"guard: from {realm} only {called} may be called"
    return f"policy: {_offer(shore, realm, packet)}"


def _offer(shore: Device, realm: Realm, packet: Packet) -> str:
    permits = shore.policy.permits if shore.policy is not None else ()
    from_here = [permit for permit in permits if permit.ingress == realm]
    offered = [str(permit.port) for permit in from_here if permit.destination.ip == packet.destination]
    if not from_here:
        return f"the {realm}'s side may only answer"
    return f"{packet.destination} offers {', '.join(offered) or 'nothing'}"
