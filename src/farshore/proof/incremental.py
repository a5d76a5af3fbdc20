"""The incremental proof after a change: only the packets that it affects are proven again.

What has not changed must be the very same values in both fabrics to be passed over quickly; what is equal and not
the same costs a comparison, and what cannot be distinguished is proven again. The result is that of a whole proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from farshore.fabric.model import EndSystem, Fabric
from farshore.fabric.names import LinkEnd, NodeName
from farshore.proof.impact import Impact, impact
from farshore.proof.judges.account import Account, Property
from farshore.proof.judges.flows import Marks, collisions, laid_out
from farshore.proof.judges.sources import Sources
from farshore.proof.prove import Proof, Question, look_at, prove, results, summed_up
from farshore.proof.sets.intervals import Intervals
from farshore.proof.spread.spread import Met, Terrain
from farshore.realm import RealmKind
from farshore.semantics.profile import profile_of


def prove_again(before: Proof, question: Question) -> Proof:
    """Return the proof of a changed fabric, given that of the one before."""
    old, new = before.question, question
    if old.design != new.design or old.profile != new.profile or old.intent.provider != new.intent.provider:
        # All tenants depend on what the provider is and offers.
        return prove(new.intent, new.plan, new.fabric, design=new.design, profile=new.profile)
    nodes = _changed_nodes(old.fabric, new.fabric)
    tables = {name: box for name, box in before.terrain.boxes.items() if name not in nodes}
    terrain = Terrain(new.fabric, profile_of(new.profile), tables)
    there = Sources.of(new.fabric)
    stale = _stale(before, new, nodes)
    kept = {name: account for name, account in before.accounts.items() if name not in stale}
    sources = (*new.intent.tenants, *there.provider, *there.internet)
    looked = {name: look_at(new, terrain, there, name) for name in sources if name not in kept}
    accounts = {name: looked[name] if name in looked else kept[name] for name in sources}
    gone = [account for name, account in before.accounts.items() if name not in kept or name not in accounts]
    marks = _marks(before.marks, gone, looked)
    if not before.holds:
        return Proof(new, terrain, accounts, marks, results(accounts.values(), marks))
    checked = {result.what: result.checked for result in before.results}
    for account, sign in chain(((each, -1) for each in gone), ((each, 1) for each in looked.values())):
        for what, cases in account.checked.items():
            checked[what] += sign * cases
        checked[Property.ONE_TO_ONE] += sign * len(account.prints)
    # Nothing collided before: if anything does now, it is on a side that has changed.
    fresh = {where: there for where, there in marks.items() if before.marks.get(where) is not there}
    refuted = [found for account in looked.values() for found in account.refuted]
    return Proof(new, terrain, accounts, marks, summed_up(checked, (*refuted, *collisions(fresh))))


def _changed_nodes(old: Fabric, new: Fabric) -> dict[NodeName, Impact | None]:
    """Return the nodes that are not what they were, and what is different about them; None where that is anything."""
    found: dict[NodeName, Impact | None] = {}
    for name, node in new.nodes.items():
        was = old.nodes.get(name)
        if was is not node and was != node:
            found[name] = None if was is None else impact(was, node)
    found.update((name, None) for name in old.nodes.keys() - new.nodes.keys())
    return found


def _moved_ends(old: Fabric, new: Fabric) -> set[LinkEnd]:
    """Return the ends of links that lead elsewhere than they did."""
    if old.links is new.links:
        return set()
    kept = set(map(id, old.links)) & set(map(id, new.links))
    moved = {link for link in (*old.links, *new.links) if id(link) not in kept}
    ends = {end for link in moved for end in (link.left, link.right)}
    return {end for end in ends if old.far_ends.get(end) != new.far_ends.get(end)}


def _stale(before: Proof, new: Question, nodes: Mapping[NodeName, Impact | None]) -> set[str]:
    """Return the sources that the change can touch."""
    old = before.question
    moved: dict[NodeName, set[str]] = {}
    for end in _moved_ends(old.fabric, new.fabric):
        moved.setdefault(end.node, set()).add(end.interface)
    touch = _Touch(before, nodes, moved, {})
    ends = {name for name in nodes.keys() | moved.keys() if isinstance(old.fabric.nodes.get(name), EndSystem)}
    services = {name for name in ends if _kind(old.fabric, name) is not RealmKind.TENANT}
    stale: set[str] = set()
    for name, account in before.accounts.items():
        tenant = new.intent.tenants.get(name)
        known = tenant is None or (
            _same(old.intent.tenants[name], tenant) and _same(old.plan.tenants[name], new.plan.tenants[name])
        )
        own = account.touched.isdisjoint(nodes) and account.touched.isdisjoint(moved)
        # A tenant's hosts are reached by itself and by the provider's alone: no other tenant need be asked.
        there = services if tenant is not None else ends
        if not known or not own or touch.touches(account) or _reaches(account, there):
            stale.add(name)
    return stale


def _kind(fabric: Fabric, name: NodeName) -> RealmKind:
    return fabric.nodes[name].interfaces[0].realm.kind


def _reaches(account: Account, nodes: set[NodeName]) -> bool:
    return bool(nodes) and any(each.node in nodes for each in account.reached)


def _same(one: object, other: object) -> bool:
    return one is other or one == other


@dataclass(frozen=True, slots=True)
class _Touch:
    """Tells which accounts a change touches. ``known`` remembers what was found of targets that many send to."""

    before: Proof
    nodes: Mapping[NodeName, Impact | None]
    moved: Mapping[NodeName, set[str]]
    known: dict[tuple[str, str, Intervals], bool]

    def touches(self, account: Account) -> bool:
        return any(
            (met.node in self.moved and not self.moved[met.node].isdisjoint((met.ingress, *met.egresses)))
            or (met.node in self.nodes and self._at(met))
            for met in account.met
        )

    def _at(self, met: Met) -> bool:
        change = self.nodes[met.node]
        box = self.before.terrain.box(self.before.question.fabric.nodes[met.node])
        realm = box.realms[met.ingress].name
        if change is None or change.touches(met, realm):
            return True
        key = (met.node, realm, met.targets)
        if key not in self.known:
            self.known[key] = change.touches_targets(met.targets, realm, box)
        return self.known[key]


def _marks(before: Marks, gone: list[Account], looked: Mapping[str, Account]) -> Marks:
    """Return the prints of all flows: those of accounts that are gone taken out, those of new ones put in."""
    out = {id(mark) for account in gone for mark in account.prints}
    fresh = laid_out(mark for account in looked.values() for mark in account.prints)
    sides = {(mark.node, mark.side) for account in gone for mark in account.prints} | fresh.keys()
    marks = dict(before)
    for where in sides:
        left = (mark for mark in before.get(where, ()) if id(mark) not in out)
        marks.update(laid_out((*left, *fresh.get(where, ()))))
        if where not in fresh and all(id(mark) in out for mark in before.get(where, ())):
            del marks[where]
    return marks
