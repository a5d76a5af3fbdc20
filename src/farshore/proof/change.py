"""The effects of a change of the intent on addresses and on reachability, from two proofs. Pure.

Who reaches what is compared as sets of packets, exactly, and then written as sentences. A tenant that no effect touches
is proven to be untouched: the same packets reach the same services and are seen there with the same sources, and the
provider's hosts reach the same of its own, and are seen there as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, summarize_address_range

from farshore.caller_identity import ProxyProtocol, SignedHeader
from farshore.errors import counted
from farshore.fabric import names
from farshore.fabric.model import Device, Fabric, Proxy
from farshore.fabric.names import NodeName
from farshore.intent.model import Intent, Mode, Service
from farshore.plan.model import Plan, SourcePlan, TenantPlan
from farshore.proof.judges.account import Account, Reached
from farshore.proof.prove import Proof
from farshore.proof.sets.intervals import Intervals, port_at, union, without
from farshore.realm import INTERNET, PROVIDER

_MOST = 6
_NO_TENANTS = frozenset({PROVIDER.name, INTERNET.name})


class EffectKind(StrEnum):
    """What sort of effect it is."""

    COMES = "comes"
    GOES = "goes"
    ADDRESS = "address"
    GAINS = "gains"
    LOSES = "loses"
    SEEN = "seen"
    CARRIED = "carried"


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect, and the tenant, service or node that it is on. ``says`` is a sentence.

    ``touches`` are the tenants with packets or addresses that differ by it at either end.
    """

    subject: str
    kind: EffectKind
    says: str
    touches: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared."""

    intent: Intent
    plan: Plan
    proof: Proof


@dataclass(frozen=True, slots=True)
class Difference:
    """All effects, in the order of the files, and the tenants of both sides that none touches.

    ``devices`` are the boxes of the fabric that come, go, or are no longer what they were.
    """

    effects: tuple[Effect, ...]
    untouched: tuple[str, ...]
    devices: ChangedDevices

    @property
    def touched(self) -> tuple[str, ...]:
        """Return the tenants that are touched, in the order of the effects."""
        return tuple(dict.fromkeys(name for effect in self.effects for name in sorted(effect.touches)))

    def outside(self, tenant: str) -> tuple[Effect, ...]:
        """Return the effects that are not one tenant's alone: those on another, or on none."""
        return tuple(effect for effect in self.effects if effect.touches != {tenant})


@dataclass(frozen=True, slots=True)
class ChangedDevices:
    """The boxes of two fabrics that are not the same in both, in the order of the fabrics."""

    added: tuple[NodeName, ...]
    changed: tuple[NodeName, ...]
    removed: tuple[NodeName, ...]

    @classmethod
    def of(cls, old: Fabric, new: Fabric) -> ChangedDevices:
        """Compare the boxes of two fabrics."""
        before, after = (
            {node.name: node for node in fabric.nodes.values() if isinstance(node, Device | Proxy)}
            for fabric in (old, new)
        )
        return cls(
            tuple(name for name in after if name not in before),
            tuple(name for name in after if name in before and after[name] != before[name]),
            tuple(name for name in before if name not in after),
        )


def difference(old: Side, new: Side) -> Difference:
    """Return the effects of a change."""
    effects = [*_services(old, new), *_callers(old, new)]
    for name in dict.fromkeys((*old.plan.tenants, *new.plan.tenants)):
        effects += _tenant(old, new, name)
    for name in dict.fromkeys((*old.proof.accounts, *new.proof.accounts)):
        if name not in old.plan.tenants and name not in new.plan.tenants:
            effects += _reach(old.proof.accounts.get(name), new.proof.accounts.get(name), name, name)
    effects = _shortened(effects)
    touched = {name for effect in effects for name in effect.touches}
    both = (name for name in new.plan.tenants if name in old.plan.tenants)
    devices = ChangedDevices.of(old.proof.question.fabric, new.proof.question.fabric)
    return Difference(tuple(effects), tuple(name for name in both if name not in touched), devices)


def _shortened(effects: Sequence[Effect]) -> list[Effect]:
    """Leave out how sources are seen, where the address that moved is named already."""
    moved = {effect.touches for effect in effects if effect.kind is EffectKind.ADDRESS}
    return [effect for effect in effects if effect.kind is not EffectKind.SEEN or effect.touches not in moved]


# --- addresses ---------------------------------------------------------------------------------------


def _services(old: Side, new: Side) -> Iterator[Effect]:
    users_before, users_after = _users(old), _users(new)
    for name in dict.fromkeys((*old.plan.services, *new.plan.services)):
        before, after = old.plan.services.get(name), new.plan.services.get(name)
        users = users_before.get(name, frozenset()) | users_after.get(name, frozenset())
        if before is None:
            assert after is not None  # noqa: S101 - one of them has it
            says = f"service {name} added: address {after.address.ip}, lake address {after.lake.ip}"
            yield Effect(name, EffectKind.COMES, says, users)
        elif after is None:
            yield Effect(name, EffectKind.GOES, f"service {name} removed", users)
        else:
            what = f"service {name}:"
            yield from _moved(name, f"{what} address", str(before.address.ip), str(after.address.ip), users)
            yield from _moved(name, f"{what} lake address", str(before.lake.ip), str(after.lake.ip), users)
            identities = [_identity(side.intent.provider.services[name]) for side in (old, new)]
            if identities[0] != identities[1]:
                says = f"{what} caller's identity {identities[0]} → {identities[1]}"
                yield Effect(name, EffectKind.CARRIED, says, users)


def _users(side: Side) -> Mapping[str, frozenset[str]]:
    """Return for each service the tenants that use it, and those that it calls."""
    found: dict[str, set[str]] = {}
    for tenant in side.intent.tenants.values():
        for each in tenant.subscriptions:
            found.setdefault(each.service, set()).add(tenant.name)
    called = _called(side)
    for name in side.plan.callers if called else ():
        found.setdefault(name, set()).update(called)
    return {name: frozenset(users) for name, users in found.items()}


def _called(side: Side) -> frozenset[str]:
    return frozenset(reach.tenant for reach in side.intent.provider.reaches)


def _identity(service: Service) -> str:
    match service.caller_identity:
        case None:
            return "not passed on"
        case SignedHeader(key):
            return f"signed-header {key}"
        case ProxyProtocol():
            return "proxy-protocol v2"


def _callers(old: Side, new: Side) -> Iterator[Effect]:
    """Yield what moved of the provider's hosts that call: each tenant that it calls sees replies to another address."""
    called = _called(old) | _called(new)
    for name, before in old.plan.callers.items():
        after = new.plan.callers.get(name)
        if after is not None and name not in new.plan.services:
            for what, was, now in (
                ("address", before.address, after.address),
                ("lake address", before.lake, after.lake),
            ):
                subject = str(names.service(name))
                yield from _moved(subject, f"{subject}: {what}", str(was.ip), str(now.ip), called)


def _tenant(old: Side, new: Side, name: str) -> Iterator[Effect]:
    before, after, own = old.plan.tenants.get(name), new.plan.tenants.get(name), frozenset((name,))
    if before is None:
        yield Effect(name, EffectKind.COMES, f"tenant {name} added", own)
    elif after is None:
        yield Effect(name, EffectKind.GOES, f"tenant {name} removed", own)
    else:
        for what, presented in (("", before.presents), ("caller ", before.callers)):
            there = after.callers if what else after.presents
            for each in presented:
                if each in there:
                    was, now = str(presented[each].ip), str(there[each].ip)
                    yield from _moved(name, f"tenant {name}: presented address of {what}{each}", was, now, own)
        yield from _lake(before, after, name)
        yield from _carried(old.intent, new.intent, name)
    yield from _reach(old.proof.accounts.get(name), new.proof.accounts.get(name), name, f"tenant {name}")


def _lake(before: TenantPlan, after: TenantPlan, name: str) -> Iterator[Effect]:
    """Yield one effect for each network of which any host's addresses moved, or that came or went."""
    known, now = ({source.network: source for source in plan.sources} for plan in (before, after))
    own = frozenset((name,))
    for network in dict.fromkeys((*known, *now)):
        was, source = known.get(network), now.get(network)
        what = f"tenant {name}: lake addresses of {network.network}"
        if was is None or source is None:
            blocks = ["none" if each is None else _blocks(each) for each in (was, source)]
            yield Effect(name, EffectKind.ADDRESS, f"{what} {blocks[0]} → {blocks[1]}", own)
        elif was.lake != source.lake or was.mode != source.mode:
            yield Effect(name, EffectKind.ADDRESS, f"{what} {_blocks(was)} → {_blocks(source)}", own)
        elif was.translations != source.translations:
            moved = sum(1 for each in was.translations if each not in source.translations)
            came = sum(1 for each in source.translations if each not in was.translations)
            what = f"{what}, {_blocks(source)}: "
            says = f"{counted(moved, 'host')} moved or removed" if moved else f"{counted(came, 'host')} added"
            yield Effect(name, EffectKind.ADDRESS, f"{what}{says}", own)
        elif was.provider_translations != source.provider_translations:
            blocks = [
                ", ".join(str(t.outside.network) for t in s.provider_translations) or "none" for s in (was, source)
            ]
            says = f"tenant {name}: provider addresses of {network.network} {blocks[0]} → {blocks[1]}"
            yield Effect(name, EffectKind.ADDRESS, says, own)


def _blocks(source: SourcePlan) -> str:
    listed = ", ".join(str(block.network) for block in source.lake) or "none"
    return listed if source.mode is Mode.PREFIX else f"{listed} ({source.mode})"


def _carried(old: Intent, new: Intent, name: str) -> Iterator[Effect]:
    """Yield what else the intent says of a tenant: by which design it is carried, and what it may use up."""
    own = frozenset((name,))
    both = [each.service for each in old.tenants[name].subscriptions if each.service in _services_of(new, name)]
    carriers = [{service: intent.design_of(name, service) for service in (*both, None)} for intent in (old, new)]
    moved = {
        service: (was, carriers[1][service]) for service, was in carriers[0].items() if was != carriers[1][service]
    }
    for service, (was, now) in moved.items() if None not in moved else ((None, moved[None]),):
        what = "design" if service is None else f"design for {service}"
        yield Effect(name, EffectKind.CARRIED, f"tenant {name}: {what} {was} → {now}", own)
    for what, limits in (
        ("session limit", [intent.tenants[name].sessions for intent in (old, new)]),
        ("limit of new sessions per second", [intent.tenants[name].rate for intent in (old, new)]),
    ):
        if limits[0] != limits[1]:
            was_most, now_most = ("unlimited" if limit is None else f"{limit:,}" for limit in limits)
            yield Effect(name, EffectKind.CARRIED, f"tenant {name}: {what} {was_most} → {now_most}", own)


def _services_of(intent: Intent, tenant: str) -> set[str]:
    return {each.service for each in intent.tenants[tenant].subscriptions}


def _moved(subject: str, what: str, was: str, now: str, touches: frozenset[str]) -> Iterator[Effect]:
    if was != now:
        yield Effect(subject, EffectKind.ADDRESS, f"{what} {was} → {now}", touches)


# --- who reaches what --------------------------------------------------------------------------------

# What is reached at a node, by port index: from which sources.
Relation = Mapping[tuple[NodeName, int], Intervals]


def _reach(old: Account | None, new: Account | None, subject: str, label: str) -> Iterator[Effect]:
    before, after = (account.reached if account is not None else [] for account in (old, new))
    if _plain(before) == _plain(after):
        return
    was, now = _relation(before), _relation(after)
    for kind, found in (
        (EffectKind.GAINS, ((node, f" gains {what}") for node, what in _more(was, now))),
        (EffectKind.LOSES, ((node, f" loses {what}") for node, what in _more(now, was))),
        (EffectKind.SEEN, ((node, f": source at {what}") for node, what in _seen(before, after))),
    ):
        for node, says in found:
            yield Effect(subject, kind, f"{label}{says}", _touched(subject, node))


def _touched(subject: str, node: NodeName) -> frozenset[str]:
    """Return the tenants at the ends of what changed: where it comes from, and where it is reached."""
    ends = (_owner(subject), node.owner)
    return frozenset(end for end in ends if end not in _NO_TENANTS)


def _owner(subject: str) -> str:
    return subject.partition("/")[0]


def _plain(reached: Iterable[Reached]) -> list[tuple[object, ...]]:
    """Return what is reached and how it is seen, whatever link it goes by."""
    return sorted((each.node, each.sources, sorted(each.asked), each.seen) for each in reached)


def _relation(reached: Iterable[Reached]) -> Relation:
    found: dict[tuple[NodeName, int], Intervals] = {}
    for each in reached:
        for _, _, low, high in each.asked:
            for port_index in range(low, high + 1):
                found[each.node, port_index] = union((*found.get((each.node, port_index), ()), *each.sources))
    return found


def _more(old: Relation, new: Relation) -> Iterator[tuple[NodeName, str]]:
    """Yield what the second holds and the first does not, each with its node."""
    for (node, port_index), sources in new.items():
        had = old.get((node, port_index), ())
        more = without(sources, had)
        if more:
            where = node.local if node.owner == PROVIDER.name else node
            some = f" for {_addresses(more)}" if had or more != sources else ""
            yield node, f"{where} {port_at(port_index)}{some}"


def _seen(old: Iterable[Reached], new: Iterable[Reached]) -> Iterator[tuple[NodeName, str]]:
    was, now = (_as_seen(each) for each in (old, new))
    for node in sorted(was.keys() & now.keys()):
        if was[node] != now[node]:
            where = node.local if node.owner == PROVIDER.name else node
            yield node, f"{where} {_addresses(was[node])} → {_addresses(now[node])}"


def _as_seen(reached: Iterable[Reached]) -> dict[NodeName, Intervals]:
    found: dict[NodeName, Intervals] = {}
    for each in reached:
        found[each.node] = union((*found.get(each.node, ()), *each.seen))
    return found


def _addresses(intervals: Intervals) -> str:
    """Return addresses as prefixes, as few as can be."""
    prefixes = [
        prefix for first, last in intervals for prefix in summarize_address_range(IPv4Address(first), IPv4Address(last))
    ]
    listed = [str(p.network_address) if p.num_addresses == 1 else str(p) for p in prefixes[:_MOST]]
    more = len(prefixes) - _MOST
    return ", ".join(listed) + (f" and {more} more {'prefix' if more == 1 else 'prefixes'}" if more > 0 else "")
