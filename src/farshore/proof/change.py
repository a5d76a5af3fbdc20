"""The effects of a change of the intent on addresses and on reachability, from two proofs. Pure.

Who reaches what is compared as sets of packets, exactly, and then written as sentences. A tenant without an effect is
proven to be untouched: the same packets reach the same services, and are seen there with the same sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, summarize_address_range

from farshore.fabric.names import NodeName
from farshore.intent.model import Intent
from farshore.plan.model import Plan, TenantPlan
from farshore.proof.judges.account import Account, Reached
from farshore.proof.prove import Proof
from farshore.proof.sets.intervals import Intervals, port_at, union, without
from farshore.realm import PROVIDER

_MOST = 6


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
    """One effect, and the tenant, service or node that it is on. ``says`` is a sentence."""

    subject: str
    kind: EffectKind
    says: str


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared."""

    intent: Intent
    plan: Plan
    proof: Proof


@dataclass(frozen=True, slots=True)
class Difference:
    """All effects, in the order of the files, and the tenants that have none."""

    effects: tuple[Effect, ...]
    untouched: tuple[str, ...]

    def outside(self, tenant: str) -> tuple[Effect, ...]:
        """Return the effects on all but one tenant."""
        return tuple(effect for effect in self.effects if effect.subject != tenant)


def difference(old: Side, new: Side) -> Difference:
    """Return the effects of a change."""
    effects = [*_services(old.plan, new.plan)]
    for name in dict.fromkeys((*old.plan.tenants, *new.plan.tenants)):
        effects += _tenant(old, new, name)
    for name in dict.fromkeys((*old.proof.accounts, *new.proof.accounts)):
        if name not in old.plan.tenants and name not in new.plan.tenants:
            effects += _reach(old.proof.accounts.get(name), new.proof.accounts.get(name), name, name)
    touched = {effect.subject for effect in effects}
    both = (name for name in new.plan.tenants if name in old.plan.tenants)
    return Difference(tuple(effects), tuple(name for name in both if name not in touched))


# --- addresses ---------------------------------------------------------------------------------------


def _services(old: Plan, new: Plan) -> Iterator[Effect]:
    for name in dict.fromkeys((*old.services, *new.services)):
        before, after = old.services.get(name), new.services.get(name)
        if before is None:
            assert after is not None  # noqa: S101 - one of them has it
            says = f"service {name} added: address {after.address.ip}, lake address {after.lake.ip}"
            yield Effect(name, EffectKind.COMES, says)
        elif after is None:
            yield Effect(name, EffectKind.GOES, f"service {name} removed")
        else:
            what = f"service {name}:"
            yield from _moved(name, f"{what} address", str(before.address.ip), str(after.address.ip))
            yield from _moved(name, f"{what} lake address", str(before.lake.ip), str(after.lake.ip))


def _tenant(old: Side, new: Side, name: str) -> Iterator[Effect]:
    before, after = old.plan.tenants.get(name), new.plan.tenants.get(name)
    if before is None:
        yield Effect(name, EffectKind.COMES, f"tenant {name} added")
    elif after is None:
        yield Effect(name, EffectKind.GOES, f"tenant {name} removed")
    else:
        for service in before.presents:
            if service in after.presents:
                was, now = (str(plan.presents[service].ip) for plan in (before, after))
                yield from _moved(name, f"tenant {name}: presented address of {service}", was, now)
        yield from _lake(before, after, name)
        yield from _carried(old.intent, new.intent, name)
    yield from _reach(old.proof.accounts.get(name), new.proof.accounts.get(name), name, f"tenant {name}")


def _lake(before: TenantPlan, after: TenantPlan, name: str) -> Iterator[Effect]:
    known = {source.network: source for source in before.sources}
    for source in after.sources:
        was = known.get(source.network)
        if was is not None:
            blocks = [", ".join(str(block.network) for block in each.lake) for each in (was, source)]
            yield from _moved(name, f"tenant {name}: lake addresses of {source.network.network}", *blocks)


def _carried(old: Intent, new: Intent, name: str) -> Iterator[Effect]:
    """Yield what else the intent says of a tenant: by which design it is carried, and what it may use up."""
    both = [each.service for each in old.tenants[name].subscriptions if each.service in _services_of(new, name)]
    carriers = [{service: intent.design_of(name, service) for service in (*both, None)} for intent in (old, new)]
    moved = {
        service: (was, carriers[1][service]) for service, was in carriers[0].items() if was != carriers[1][service]
    }
    for service, (was, now) in moved.items() if None not in moved else ((None, moved[None]),):
        what = "design" if service is None else f"design for {service}"
        yield Effect(name, EffectKind.CARRIED, f"tenant {name}: {what} {was} → {now}")
    for what, limits in (
        ("session limit", [intent.tenants[name].sessions for intent in (old, new)]),
        ("limit of new sessions per second", [intent.tenants[name].rate for intent in (old, new)]),
    ):
        if limits[0] != limits[1]:
            was_most, now_most = ("unlimited" if limit is None else f"{limit:,}" for limit in limits)
            yield Effect(name, EffectKind.CARRIED, f"tenant {name}: {what} {was_most} → {now_most}")


def _services_of(intent: Intent, tenant: str) -> set[str]:
    return {each.service for each in intent.tenants[tenant].subscriptions}


def _moved(subject: str, what: str, was: str, now: str) -> Iterator[Effect]:
    if was != now:
        yield Effect(subject, EffectKind.ADDRESS, f"{what} {was} → {now}")


# --- who reaches what --------------------------------------------------------------------------------

# What is reached at a node, by port index: from which sources.
Relation = Mapping[tuple[NodeName, int], Intervals]


def _reach(old: Account | None, new: Account | None, subject: str, label: str) -> Iterator[Effect]:
    before, after = (account.reached if account is not None else [] for account in (old, new))
    if _plain(before) == _plain(after):
        return
    was, now = _relation(before), _relation(after)
    for kind, says in (
        *((EffectKind.GAINS, f" gains {what}") for what in _more(was, now)),
        *((EffectKind.LOSES, f" loses {what}") for what in _more(now, was)),
        *((EffectKind.SEEN, f": source at {what}") for what in _seen(before, after)),
    ):
        yield Effect(subject, kind, f"{label}{says}")


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


def _more(old: Relation, new: Relation) -> Iterator[str]:
    """Yield what the second holds and the first does not."""
    for (node, port_index), sources in new.items():
        had = old.get((node, port_index), ())
        more = without(sources, had)
        if more:
            where = node.local if node.owner == PROVIDER.name else node
            some = f" for {_addresses(more)}" if had or more != sources else ""
            yield f"{where} {port_at(port_index)}{some}"


def _seen(old: Iterable[Reached], new: Iterable[Reached]) -> Iterator[str]:
    was, now = (_as_seen(each) for each in (old, new))
    for node in sorted(was.keys() & now.keys()):
        if was[node] != now[node]:
            where = node.local if node.owner == PROVIDER.name else node
            yield f"{where} {_addresses(was[node])} → {_addresses(now[node])}"


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
