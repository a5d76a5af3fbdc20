"""The tables of a device or a proxy, prepared for whole sets of packets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from farshore.fabric.model import Device, Direction, Front, Guard, Permit, Proxy, Route
from farshore.proof.sets.intervals import Interval, Intervals, of_port, of_prefix, of_prefixes
from farshore.proof.sets.layers import Layers
from farshore.proof.sets.targets import Targets
from farshore.realm import Realm
from farshore.semantics.profile import FilterView, Profile, Stage, stages
from farshore.semantics.routing import Found
from farshore.translation import BasicNat, SourceTranslation

Value = TypeVar("Value")


class Pass(NamedTuple):
    """What a permit lets through once the address is right: a port index, into a realm."""

    egress: Realm
    port: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """A guard's addresses."""

    sources: Intervals
    destinations: Intervals


class Part(NamedTuple):
    """Targets within a device: ``now`` was sent as what it was when it arrived; and what was found of its way out."""

    now: Targets
    egress: str | None = None
    leaves: Realm | None = None
    doubtful: bool = False

    def cut(self, first: int, last: int) -> Part:
        """Return what of it is now between two bounds."""
        now = self.now.cut(first, last)
        return self if now is self.now else Part(now, self.egress, self.leaves, self.doubtful)


@dataclass(frozen=True, slots=True)
class Passages:
    """All that becomes of one piece of targets in a device, and the look-ups without one right answer."""

    parts: tuple[Part, ...]
    two_sided: tuple[tuple[Targets, Found], ...]


@dataclass(frozen=True, slots=True)
class DeviceTables:
    """A device's tables. Those that depend on where a packet came in go by the name of that realm.

    ``forward`` and ``backward`` are the stages of a first packet and of a reply, in order.

    ``known`` is what has been worked out for targets already, by realm, bounds and ports, and ``bounds`` those of
    the guards that packets have come to: they only save time.
    """

    device: Device
    profile: Profile
    forward: tuple[Stage, ...]
    backward: tuple[Stage, ...]
    realms: Mapping[str, Realm]
    guards: Mapping[tuple[str, Direction], Guard]
    routes: Layers[Route]
    destination: Mapping[str, Layers[BasicNat]]
    source: Mapping[str, Layers[SourceTranslation]]
    permits: Mapping[str, Layers[Pass]]
    known: dict[tuple[str, int, int, int, int, str], Passages] = field(default_factory=dict, compare=False, repr=False)
    bounds: dict[tuple[str, Direction], Bounds] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, device: Device, profile: Profile) -> DeviceTables:
        """Lay out a device. ``profile`` is the one by which it works."""
        policy = device.policy
        return cls(
            device,
            profile,
            stages(device, profile, returning=False),
            stages(device, profile, returning=True),
            {interface.name: interface.realm for interface in device.interfaces},
            # Of two guards on one interface and direction the first counts, as in the walk.
            {(guard.interface, guard.direction): guard for guard in reversed(device.guards)},
            Layers((of_prefix(route.destination), route) for route in device.routes),
            _by_realm((nat.inside.realm.name, of_prefix(nat.inside), nat) for nat in device.destination_nat),
            _by_realm((nat.inside.realm.name, of_prefix(nat.inside), nat) for nat in device.source_nat),
            {} if policy is None else _permits(policy.permits, profile.filter_reads),
        )

    def guard(self, interface: str, direction: Direction) -> Bounds | None:
        """Return what may pass an interface, None where nothing stands guard there."""
        found = self.bounds.get((interface, direction))
        if found is None:
            guard = self.guards.get((interface, direction))
            if guard is None:
                return None
            found = Bounds(of_prefixes(guard.sources), of_prefixes(guard.destinations))
            self.bounds[interface, direction] = found
        return found


class Answering(NamedTuple):
    """A front as sets: the port index, who may connect, and the interface toward the server."""

    front: Front
    port_index: int
    sources: Intervals
    egress: str


@dataclass(frozen=True, slots=True)
class Fronts:
    """A proxy's fronts by the realm that they are for; of two for one address and port the first counts."""

    realms: Mapping[str, Realm]
    by_realm: Mapping[str, tuple[Answering, ...]]

    @classmethod
    def of(cls, proxy: Proxy) -> Fronts:
        """Lay out a proxy."""
        toward = {interface.realm.name: interface.name for interface in reversed(proxy.interfaces)}
        # Most fronts of a tenant let the very same networks in.
        sources: dict[int, Intervals] = {}
        found: dict[str, dict[tuple[int, int], Answering]] = {}
        for front in proxy.fronts:
            if id(front.sources) not in sources:
                sources[id(front.sources)] = of_prefixes(front.sources)
            port_index, egress = of_port(front.port), toward[front.server.realm.name]
            answering = Answering(front, port_index, sources[id(front.sources)], egress)
            found.setdefault(front.ingress.name, {}).setdefault((int(front.presented.ip), port_index), answering)
        return cls(
            {interface.name: interface.realm for interface in proxy.interfaces},
            {name: tuple(fronts.values()) for name, fronts in found.items()},
        )


def _permits(permits: Iterable[Permit], reads: FilterView) -> dict[str, Layers[Pass]]:
    return _by_realm(
        (
            permit.ingress.name,
            of_prefix(permit.destination if reads is FilterView.ARRIVED else permit.translated),
            Pass(permit.egress, of_port(permit.port)),
        )
        for permit in permits
    )


def _by_realm(rules: Iterable[tuple[str, Interval, Value]]) -> dict[str, Layers[Value]]:
    found: dict[str, list[tuple[Interval, Value]]] = {}
    for name, interval, rule in rules:
        found.setdefault(name, []).append((interval, rule))
    return {name: Layers(table) for name, table in found.items()}
