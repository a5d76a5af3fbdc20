"""Proves a fabric of many tenants, and again after one has changed, in a process that does nothing else.

python -m tests.bench.proving FILE [--walk]

With --walk every pair is walked as well, the naive way: each tenant's host to each port of each of its services.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from farshore.comparison.compare import probes
from farshore.design.catalogue import build
from farshore.fabric.model import Fabric
from farshore.gc_pause import without_collector
from farshore.intent.load import load
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.proof.incremental import prove_again
from farshore.proof.prove import Question, prove
from farshore.walk.tell.journey import walk

from .memory import peak_mib


def main() -> None:
    """Print seconds and mebibytes as JSON."""
    with without_collector():
        intent, plan, fabric = _built(Path(sys.argv[1]))
        changed = _without_a_service(intent, plan, fabric)
        begun = time.perf_counter()
        proof = prove(intent, plan, fabric)
        proven = time.perf_counter()
        again = prove_again(proof, changed)
        done = time.perf_counter()
    assert proof.holds
    assert again.holds
    answer = {
        "prove_seconds": proven - begun,
        "prove_tenant": (proven - begun) / len(intent.tenants),
        "again_seconds": done - proven,
        "prove_mib": peak_mib(),
    }
    if "--walk" in sys.argv:
        answer["walk_seconds"] = _walked(intent, plan, fabric)
        answer["walk_ratio"] = answer["walk_seconds"] / answer["prove_seconds"]
    print(json.dumps(answer))  # noqa: T201 - this is how it answers


def _built(file: Path) -> tuple[Intent, Plan, Fabric]:
    intent = load(file).intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return intent, plan, build(intent, plan)


def _without_a_service(intent: Intent, plan: Plan, fabric: Fabric) -> Question:
    """Take one service from one tenant in the middle; what is equal stays the very same value."""
    name = list(intent.tenants)[len(intent.tenants) // 2]
    tenant, own = intent.tenants[name], plan.tenants[name]
    fewer = replace(tenant, subscriptions=tenant.subscriptions[:-1])
    presents = {each.service: own.presents[each.service] for each in fewer.subscriptions}
    less = replace(intent, tenants={**intent.tenants, name: fewer})
    smaller = replace(plan, tenants={**plan.tenants, name: replace(own, presents=presents)})
    after = build(less, smaller)
    nodes = tuple(kept(fabric.nodes[name], node) for name, node in after.nodes.items())
    assert after.links == fabric.links
    return Question(less, smaller, Fabric.of(after.design, nodes, fabric.links))


def kept(old: object, new: object) -> object:
    """Return the old value where the new is equal, and within a changed device the old entries of its tables."""
    if old == new:
        return old
    tables = {
        name: tuple(_old_entries(getattr(old, name), getattr(new, name)))
        for name in ("interfaces", "routes", "destination_nat", "source_nat", "guards")
        if hasattr(new, name)
    }
    return replace(new, **tables)  # type: ignore[type-var]


def _old_entries(old: tuple[object, ...], new: tuple[object, ...]) -> list[object]:
    known = {entry: entry for entry in old}
    return [known.get(entry, entry) for entry in new]


def _walked(intent: Intent, plan: Plan, fabric: Fabric) -> float:
    begun = time.perf_counter()
    assert all(walk(fabric, None, probe).delivered for probe in probes(intent, plan, fabric))
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
