"""The proof of a whole fabric: every place that packets come from is looked at, and all that is wrong is gathered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from farshore.fabric.model import Fabric
from farshore.intent.model import Intent
from farshore.plan.model import Plan
from farshore.proof.account import Account, Property, Refuted
from farshore.proof.expected import Expected, callers, expected, published
from farshore.proof.flows import collisions
from farshore.proof.internet import internet_account
from farshore.proof.provider_hosts import provider_account
from farshore.proof.scene import Scene, scene
from farshore.proof.side_by_side import mapped
from farshore.proof.spread import Terrain
from farshore.proof.tenants import tenant_account
from farshore.walk.journey import profile_of
from farshore.walk.profile import Profile

Reporter = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a proof says of one property: it holds where nothing refutes it."""

    what: Property
    checked: int
    refuted: tuple[Refuted, ...]

    @property
    def holds(self) -> bool:
        """Tell whether no packet refutes it."""
        return not self.refuted


@dataclass(frozen=True, slots=True)
class Proof:
    """A fabric, proven or refuted. ``accounts`` go by the places that packets come from."""

    accounts: Mapping[str, Account]
    verdicts: tuple[Verdict, ...]

    @property
    def holds(self) -> bool:
        """Tell whether every property holds."""
        return all(verdict.holds for verdict in self.verdicts)


def prove(
    intent: Intent,
    plan: Plan,
    fabric: Fabric,
    *,
    design: str | None = None,
    profile: Profile | None = None,
    report: Reporter = lambda _done, _total, _what: None,
) -> Proof:
    """Prove a fabric that was built from an intent and its plan. Pure.

    ``design`` is the one for all, None where the intent chooses; ``profile`` is that of every device that
    filters, None takes each one's own.
    """
    there = scene(fabric)
    terrain = Terrain(fabric, profile_of(profile), {})
    total = len(intent.tenants)

    def look(name: str) -> Account:
        tenant = intent.tenants[name]
        return tenant_account(terrain, tenant.realm, there.grounds[name], expected(intent, plan, tenant, design))

    names = tuple(intent.tenants)
    looked = mapped(look, names, lambda done: report(done, total, names[done]))
    report(total, total, "")
    accounts = dict(zip(names, looked, strict=True))
    reached = {reach.tenant for reach in intent.provider.reaches}
    called = {name: expected(intent, plan, intent.tenants[name], design) for name in names if name in reached}
    for account in _others(intent, plan, terrain, there, called):
        accounts[account.origin] = account
    return Proof(accounts, verdicts(accounts.values()))


def _others(
    intent: Intent, plan: Plan, terrain: Terrain, there: Scene, called: Mapping[str, Expected]
) -> Iterable[Account]:
    may_call = callers(plan)
    for host in there.provider:
        yield provider_account(terrain, host, may_call, called)
    for host in there.internet:
        yield internet_account(terrain, host, published(intent))


def verdicts(accounts: Iterable[Account]) -> tuple[Verdict, ...]:
    """Gather what all accounts say, the smallest packet of each property first."""
    listed = tuple(accounts)
    refuted: dict[Property, list[Refuted]] = {what: [] for what in Property}
    marks = tuple(mark for account in listed for mark in account.prints)
    for found in (*(each for account in listed for each in account.refuted), *collisions(marks)):
        refuted[found.what].append(found)
    checked = {what: sum(account.checked.get(what, 0) for account in listed) for what in Property}
    checked[Property.ONE_TO_ONE] = len(marks)
    return tuple(Verdict(what, checked[what], tuple(sorted(refuted[what], key=_smallest))) for what in Property)


def _smallest(found: Refuted) -> tuple[int, int, int]:
    return found.source, found.destination, found.place
