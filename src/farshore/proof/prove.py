"""The proof of a whole fabric: the findings at every source of packets, by property."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from farshore.fabric.model import Fabric
from farshore.intent.model import Intent
from farshore.plan.model import Plan
from farshore.proof.judges.account import Account, Property, Refuted
from farshore.proof.judges.expected import callers, expected, published
from farshore.proof.judges.flows import Marks, collisions, laid_out
from farshore.proof.judges.internet import internet_account
from farshore.proof.judges.provider_hosts import provider_account
from farshore.proof.judges.sources import Sources
from farshore.proof.judges.tenants import tenant_account
from farshore.proof.side_by_side import mapped
from farshore.proof.spread.spread import Terrain
from farshore.reporter import SILENT, Reporter
from farshore.semantics.profile import Profile, profile_of


@dataclass(frozen=True, slots=True)
class PropertyResult:
    """What a proof says of one property: it holds where nothing refutes it."""

    what: Property
    checked: int
    refuted: tuple[Refuted, ...]

    @property
    def holds(self) -> bool:
        """Tell whether no packet refutes it."""
        return not self.refuted


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be proven: a fabric, and the intent and plan that it was built from.

    ``design`` is the one for all, None where the intent chooses; ``profile`` is that of every device that
    filters, None takes each one's own.
    """

    intent: Intent
    plan: Plan
    fabric: Fabric
    design: str | None = None
    profile: Profile | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A fabric, proven or refuted. ``accounts`` go by the places that packets come from.

    The question, the fabric's tables and the marks of all flows are kept for the next proof, after a change.
    """

    question: Question
    terrain: Terrain
    accounts: Mapping[str, Account]
    marks: Marks
    results: tuple[PropertyResult, ...]

    @property
    def holds(self) -> bool:
        """Tell whether every property holds."""
        return all(result.holds for result in self.results)


def prove(
    intent: Intent,
    plan: Plan,
    fabric: Fabric,
    *,
    design: str | None = None,
    profile: Profile | None = None,
    reporter: Reporter = SILENT,
) -> Proof:
    """Prove a fabric that was built from an intent and its plan."""
    question = Question(intent, plan, fabric, design, profile)
    terrain = Terrain(fabric, profile_of(profile), {})
    there = Sources.of(fabric)
    names, total = tuple(intent.tenants), len(intent.tenants)
    reporter.started("proof")
    looked = mapped(
        lambda name: look_at(question, terrain, there, name),
        names,
        lambda done: reporter.advanced(done, total, names[done]),
    )
    accounts = dict(zip(names, looked, strict=True))
    for name in (*there.provider, *there.internet):
        accounts[name] = look_at(question, terrain, there, name)
    marks = laid_out(mark for account in accounts.values() for mark in account.prints)
    proof = Proof(question, terrain, accounts, marks, results(accounts.values(), marks))
    reporter.finished("proof")
    return proof


def look_at(question: Question, terrain: Terrain, there: Sources, source: str) -> Account:
    """Look at everything that can come from one place: a tenant, a host of the provider, or the Internet."""
    intent, plan, design = question.intent, question.plan, question.design
    if source in there.provider:
        reached = dict.fromkeys(reach.tenant for reach in intent.provider.reaches)
        called = {name: expected(intent, plan, intent.tenants[name], design) for name in reached}
        return provider_account(terrain, there.provider[source], callers(plan), called)
    if source in there.internet:
        return internet_account(terrain, there.internet[source], published(intent))
    tenant = intent.tenants[source]
    return tenant_account(terrain, tenant.realm, there.site(source), expected(intent, plan, tenant, design))


def results(accounts: Iterable[Account], marks: Marks) -> tuple[PropertyResult, ...]:
    """Gather what all accounts say, the smallest packet of each property first."""
    checked = dict.fromkeys(Property, 0)
    refuted: list[Refuted] = []
    for account in accounts:
        for what, cases in account.checked.items():
            checked[what] += cases
        if account.refuted:
            refuted += account.refuted
    checked[Property.ONE_TO_ONE] += sum(map(len, marks.values()))
    return summed_up(checked, (*refuted, *collisions(marks)))


def summed_up(checked: Mapping[Property, int], refuted: Iterable[Refuted]) -> tuple[PropertyResult, ...]:
    """Return a result on each property."""
    by_property: dict[Property, list[Refuted]] = {what: [] for what in Property}
    for found in refuted:
        by_property[found.what].append(found)
    return tuple(
        PropertyResult(what, checked[what], tuple(sorted(found, key=_smallest))) for what, found in by_property.items()
    )


def _smallest(found: Refuted) -> tuple[int, int, int]:
    return found.source, found.destination, found.port_index
