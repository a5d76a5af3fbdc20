"""Every node of every design knows the line of the intent that it is there for, and is no other node by that."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from farshore.design.catalogue import DESIGNS, build
from farshore.engine.nftables.desired import compile_fabric
from farshore.fabric.model import Device, EndSystem, Fabric, NodeKind, Proxy
from farshore.intent.load import load_text
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.proof.impact import impact
from farshore.proof.incremental import prove_again
from farshore.proof.prove import Question, prove

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.yaml"))}
ARTICLE = TEXTS["article"]


def built(text: str, design: str | None) -> tuple[Intent, Plan, Fabric]:
    intent = load_text(text, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return intent, plan, build(intent, plan, design)


def named_on_its_line(intent: Intent, node: Device | EndSystem | Proxy) -> str:
    """Return what must stand on the line of a node's origin."""
    owner, local = node.name.owner, node.name.local
    if owner in intent.tenants:
        named = {host.name for host in intent.tenants[owner].hosts}
        return local if isinstance(node, EndSystem) and local in named else owner
    if owner == "internet" or (isinstance(node, Device) and node.kind is NodeKind.NAT and local == "edge"):
        return "internet:"
    return local if isinstance(node, EndSystem) else "provider"


@pytest.mark.parametrize("design", [None, *DESIGNS])
@pytest.mark.parametrize("name", TEXTS)
def test_a_nodes_origin_is_the_line_that_it_is_there_for(name: str, design: str | None) -> None:
    intent, _, fabric = built(TEXTS[name], design)
    lines = TEXTS[name].splitlines()
    for node in fabric.nodes.values():
        assert node.origin is not None, node.name
        assert node.origin.file == "intent.yaml"
        assert named_on_its_line(intent, node) in lines[node.origin.line - 1], node.name
        assert str(node.origin) == f"intent.yaml:{node.origin.line}"


@pytest.mark.parametrize("design", [None, *DESIGNS])
def test_a_line_more_at_the_top_changes_no_device(design: str | None) -> None:
    intent, plan, fabric = built(ARTICLE, design)
    lower_intent, lower_plan, lower = built("# one line more\n" + ARTICLE, design)
    assert all(
        node.origin is not None and now.origin is not None and now.origin.line == node.origin.line + 1
        for node, now in zip(fabric.nodes.values(), lower.nodes.values(), strict=True)
    )
    assert lower == fabric
    assert list(map(hash, lower.nodes.values())) == list(map(hash, fabric.nodes.values()))
    assert compile_fabric(lower) == compile_fabric(fabric)
    before = prove(intent, plan, fabric, design=design)
    again = prove_again(before, Question(lower_intent, lower_plan, lower, design, None))
    # Nothing was looked at again: the accounts are the very same.
    assert all(again.accounts[name] is account for name, account in before.accounts.items())


def test_what_changes_about_a_device_is_not_its_line() -> None:
    _, _, fabric = built(ARTICLE, "lake")
    _, _, lower = built("# one line more\n" + ARTICLE, "lake")
    for old in fabric.devices:
        moved = lower.nodes[old.name]
        assert isinstance(moved, Device)
        found = impact(old, replace(moved, routes=moved.routes[1:]))
        assert found is not None
        assert found.routed


def test_no_field_but_the_origin_is_left_out_of_comparisons() -> None:
    for kind in (Device, EndSystem, Proxy):
        assert [field.name for field in fields(kind) if not field.compare] == ["origin"]
