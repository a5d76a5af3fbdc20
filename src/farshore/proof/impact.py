"""The impact of a change of one device: the packets to prove again. Pure.

A device's tables are compared entry by entry; an entry that is in both makes no difference. What is new or
gone concerns only packets that its addresses, its interface or its realm hold, or the replies to them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

from farshore.fabric.model import Device, Node, Proxy
from farshore.proof.sets.intervals import Interval, Intervals, common, of_prefix, union
from farshore.proof.spread.spread import Met
from farshore.proof.spread.tables import DeviceTables, Fronts

Entry = TypeVar("Entry", bound=Hashable)

_TABLES = ("interfaces", "routes", "destination_nat", "source_nat", "guards", "policy", "fronts", "limits")


@dataclass(frozen=True, slots=True)
class Impact:
    """What is different about a device: interfaces, addresses that are routed, and by realm what rules are about."""

    interfaces: frozenset[str]
    routed: Intervals
    destinations: dict[str, Intervals]
    sources: dict[str, Intervals]
    toward: dict[str, Intervals]

    def touches(self, met: Met, realm: str) -> bool:
        """Tell whether packets that came to the device may fare differently now, whatever they were sent to."""
        if met.ingress in self.interfaces or not self.interfaces.isdisjoint(met.egresses):
            return True
        if self.routed and (common(met.senders, self.routed) or common(met.left, self.routed)):
            return True
        return realm in self.sources and bool(common(met.senders, self.sources[realm]))

    def touches_targets(self, targets: Intervals, realm: str, box: DeviceTables | Fronts) -> bool:
        """Tell the same of what packets were sent to. ``box`` is the device as it was."""
        rules = self.destinations.get(realm, ())
        if common(targets, rules):
            return True
        after = images(box, realm, targets)
        toward = union(interval for name in self.interfaces for interval in self.toward.get(name, ()))
        return bool(common(after, self.routed) or common(after, toward) or common(after, rules))


def images(box: DeviceTables | Fronts, realm: str, targets: Intervals) -> Intervals:
    """Return what targets may be after destination translation, and what they were before."""
    rules = box.destination.get(realm) if isinstance(box, DeviceTables) else None
    if rules is None:
        return targets
    found: list[Interval] = list(targets)
    for first, last in targets:
        for stretch in rules.over(first, last):
            for nat in stretch.entries[:1]:
                shift = int(nat.outside.network.network_address) - int(nat.inside.network.network_address)
                found.append((stretch.first + shift, stretch.last + shift))
    return union(found)


def impact(old: Node, new: Node) -> Impact | None:
    """Return the packets that a change of a device affects, None where it may be any packet."""
    if isinstance(old, Proxy) and isinstance(new, Proxy):
        return _proxy(old, new)
    if not isinstance(old, Device) or not isinstance(new, Device):
        return None
    if any(getattr(old, f.name) != getattr(new, f.name) for f in fields(old) if f.compare and f.name not in _TABLES):
        return None
    if (old.policy is None) is not (new.policy is None):
        return None
    permits = [device.policy.permits if device.policy is not None else () for device in (old, new)]
    tables: list[tuple[Sequence[Hashable], Sequence[Hashable]]] = [
        (old.interfaces, new.interfaces),
        (old.routes, new.routes),
        (old.destination_nat, new.destination_nat),
        (old.source_nat, new.source_nat),
        (old.guards, new.guards),
        (permits[0], permits[1]),
    ]
    if not all(in_order(*pair) for pair in tables):
        return None
    interfaces = {each.name for each in different(old.interfaces, new.interfaces)}
    guarded = {each.interface for each in different(old.guards, new.guards)}
    rules = different(old.destination_nat, new.destination_nat)
    passes = different(*permits)
    destinations = [(each.inside.realm.name, of_prefix(each.inside)) for each in rules]
    destinations += [
        (each.ingress.name, of_prefix(prefix)) for each in passes for prefix in (each.destination, each.translated)
    ]
    sources = [(each.inside.realm.name, of_prefix(each.inside)) for each in different(old.source_nat, new.source_nat)]
    changed = frozenset(interfaces | guarded)
    toward: dict[str, list[Interval]] = {}
    for route in (*old.routes, *new.routes):
        if route.interface in changed:
            toward.setdefault(route.interface, []).append(of_prefix(route.destination))
    return Impact(
        changed,
        union(of_prefix(route.destination) for route in different(old.routes, new.routes)),
        _by_realm(destinations),
        _by_realm(sources),
        {name: union(intervals) for name, intervals in toward.items()},
    )


def _proxy(old: Proxy, new: Proxy) -> Impact | None:
    if not in_order(old.interfaces, new.interfaces) or not in_order(old.fronts, new.fronts):
        return None
    fronts = different(old.fronts, new.fronts)
    interfaces = frozenset(each.name for each in different(old.interfaces, new.interfaces))
    destinations = [(front.ingress.name, (int(front.presented.ip),) * 2) for front in fronts]
    return Impact(interfaces, (), _by_realm(destinations), {}, {})


def different(old: Sequence[Entry], new: Sequence[Entry]) -> list[Entry]:
    """Return the entries of two tables that are not in both. Most are the very same values, which costs nothing."""
    if old is new:
        return []
    kept = set(map(id, old)) & set(map(id, new))
    before, after = ([each for each in table if id(each) not in kept] for table in (old, new))
    both = set(before) & set(after)
    return [each for each in (*before, *after) if each not in both]


def in_order(old: Sequence[Hashable], new: Sequence[Hashable]) -> bool:
    """Tell whether what is in both tables stands in the same order: the first of two rules counts."""
    if old is new:
        return True
    gone = set(map(id, different(old, new)))
    before, after = ([each for each in table if id(each) not in gone] for table in (old, new))
    return len(before) == len(after) and all(a is b or a == b for a, b in zip(before, after, strict=True))


def _by_realm(rules: Iterable[tuple[str, Interval]]) -> dict[str, Intervals]:
    found: dict[str, list[Interval]] = {}
    for name, interval in rules:
        found.setdefault(name, []).append(interval)
    return {name: union(intervals) for name, intervals in found.items()}
