"""Walks of the case in examples/article.yaml, for all tests of walks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from farshore.design.catalogue import build
from farshore.fabric.model import Fabric
from farshore.intent.load import load_text
from farshore.intent.model import Intent
from farshore.pipeline.probes import probe
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.semantics.profile import PROFILES
from farshore.walk.tell.journey import Walk, walk

ARTICLE = (Path(__file__).parents[2] / "examples" / "article.yaml").read_text(encoding="utf-8")
# The same with another network inside the provider: no tenant's addresses are equal to the portal's.
DISTINCT = ARTICLE.replace("networks: [10.1.1.0/24]           #", "networks: [10.9.9.0/24]           #", 1).replace(
    "address: 10.1.1.1 ", "address: 10.9.9.1 "
)


def planned(text: str) -> tuple[Intent, Plan]:
    intent = load_text(text, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return intent, plan


@lru_cache
def built(text: str, design: str) -> tuple[Intent, Plan, Fabric]:
    intent, plan = planned(text)
    return intent, plan, build(intent, plan, design)


def walked(
    design: str = "lake",
    profile: str | None = None,
    *,
    origin: str = "customer-a/alice",
    target: str = "portal",
    text: str = ARTICLE,
) -> Walk:
    """Return the walk that ``farshore walk --from origin --to target`` would show."""
    intent, plan, fabric = built(text, design)
    chosen = PROFILES[profile] if profile is not None else None
    return walk(fabric, chosen, probe(intent, plan, fabric, origin, target))
