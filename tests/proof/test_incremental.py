"""Proving again after a change says what a whole proof says, and looks only at what the change can touch."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from farshore.design.catalogue import build
from farshore.fabric.model import Device, Fabric
from farshore.intent.load import load_text
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.proof.incremental import prove_again
from farshore.proof.prove import Proof, Question, prove
from strategies import mixed_intents


def planned(intent: Intent) -> Plan:
    plan = allocate(intent).plan
    assert plan is not None
    return plan


def without(intent: Intent, plan: Plan, name: str) -> tuple[Intent, Plan]:
    """Remove a tenant; all others keep what the plan gave them."""
    provider = intent.provider
    left = replace(provider, reaches=tuple(reach for reach in provider.reaches if reach.tenant != name))
    return (
        replace(
            intent,
            provider=provider if left == provider else left,
            tenants={n: t for n, t in intent.tenants.items() if n != name},
        ),
        replace(plan, tenants={n: t for n, t in plan.tenants.items() if n != name}),
    )


def sharing(fabric: Fabric, other: Fabric) -> Fabric:
    """Return a fabric with the very same values as another where they are equal."""
    nodes = tuple(other.nodes[name] if other.nodes.get(name) == node else node for name, node in fabric.nodes.items())
    known = {link: link for link in other.links}
    return Fabric.of(fabric.design, nodes, tuple(known.get(link, link) for link in fabric.links))


def assert_same(again: Proof, whole: Proof) -> None:
    assert again.accounts.keys() == whole.accounts.keys()
    for name, account in whole.accounts.items():
        assert again.accounts[name] == account, name
    assert again.marks == whole.marks
    assert [(v.what, v.checked) for v in again.results] == [(v.what, v.checked) for v in whole.results]
    assert [v.holds for v in again.results] == [v.holds for v in whole.results]


@settings(max_examples=60)
@given(mixed_intents(), st.data())
def test_after_a_tenant_has_gone_and_come_again(intent: Intent, data: st.DataObject) -> None:
    assume(len(intent.tenants) > 1)
    plan = planned(intent)
    fewer, smaller = without(intent, plan, data.draw(st.sampled_from(sorted(intent.tenants))))
    fabric = build(intent, plan)
    left = sharing(build(fewer, smaller), fabric)
    before, after = prove(intent, plan, fabric), prove(fewer, smaller, left)
    assert_same(prove_again(before, Question(fewer, smaller, left)), after)
    assert_same(prove_again(after, Question(intent, plan, fabric)), before)


@settings(max_examples=60)
@given(mixed_intents(), st.data())
def test_after_a_device_has_been_broken(intent: Intent, data: st.DataObject) -> None:
    """Whatever is taken out of a device's tables, or put in another order."""
    plan = planned(intent)
    fabric = build(intent, plan)
    boxes = [device for device in fabric.devices if device.guards or device.routes]
    assume(boxes)
    box = data.draw(st.sampled_from(boxes))
    table = data.draw(st.sampled_from(["routes", "guards", "destination_nat", "source_nat", "permits"]))
    broken = with_table(box, table, data)
    nodes = tuple(broken if node is box else node for node in fabric.nodes.values())
    mutant = Fabric.of(fabric.design, nodes, fabric.links)
    before = prove(intent, plan, fabric)
    whole = prove(intent, plan, mutant)
    assert_same(prove_again(before, Question(intent, plan, mutant)), whole)
    assert_same(prove_again(whole, Question(intent, plan, fabric)), before)


def with_table(box: Device, table: str, data: st.DataObject) -> Device:
    if table == "permits":
        assume(box.policy is not None)
        assert box.policy is not None
        return replace(box, policy=replace(box.policy, permits=tuple(changed(box.policy.permits, data))))
    return replace(box, **{table: tuple(changed(getattr(box, table), data))})  # type: ignore[arg-type]


def changed(table: tuple[object, ...], data: st.DataObject) -> list[object]:
    assume(table)
    entries = list(table)
    first, second = (data.draw(st.integers(0, len(entries) - 1)) for _ in range(2))
    if data.draw(st.booleans()):
        entries[first], entries[second] = entries[second], entries[first]
    else:
        del entries[first]
    return entries


FIVE = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443]}
    dns: {address: 10.1.1.53, ports: [udp/53]}
tenants:
"""


def test_only_who_is_touched_is_looked_at_again() -> None:
    names = ["ash", "birch", "elm", "fir", "oak"]
    tenant = "{networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, dns], hosts: {h: 10.1.1.1}}"
    intent = load_text(FIVE + "".join(f"  {name}: {tenant}\n" for name in names), "intent.yaml").intent
    assert intent is not None
    plan = planned(intent)
    fabric = build(intent, plan)
    before = prove(intent, plan, fabric)
    elm = intent.tenants["elm"]
    less = replace(intent, tenants={**intent.tenants, "elm": replace(elm, subscriptions=elm.subscriptions[:1])})
    tenants = {**plan.tenants, "elm": planned(less).tenants["elm"]}
    smaller = replace(plan, tenants=tenants)
    after = prove_again(before, Question(less, smaller, sharing(build(less, smaller), fabric)))
    assert after.holds
    untouched = {name for name, account in after.accounts.items() if account is before.accounts[name]}
    assert untouched == {"ash", "birch", "fir", "oak"}
