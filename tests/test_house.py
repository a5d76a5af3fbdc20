"""The house keeps its order: one direction, no circle, modules of a readable size, and a page that shows all of it."""

from __future__ import annotations

import itertools
import re

import pytest

import house

ARCHITECTURE = house.REPOSITORY / "docs" / "architecture.md"
LONGEST = 400
SHORTEST = 60
# Where a reader meets each of the three travellers, in order.
TRAVELLERS = {
    "An intent file": (
        "cli.inputs.read_checked",
        "intent.load.load",
        "intent.read.source.read",
        "intent.read.salvage.read_text",
        "intent.read.document.compose",
        "intent.read.convert.tenant",
        "intent.check.tenant_collisions.tenant_collisions",
        "pipeline.stages.check",
        "plan.allocate.allocate",
        "design.catalogue.build",
        "fabric.model.Fabric",
        "proof.prove.prove",
        "engine.nftables.desired.compile_fabric",
        "engine.nftables.ruleset.device_ruleset",
        "machine.apply.apply",
    ),
    "A packet": (
        "semantics.packet.Packet",
        "semantics.trace.trace",
        "semantics.device.cross",
        "semantics.flow.find",
        "semantics.profile.stages",
        "semantics.routing.look_up",
        "semantics.proxy.cross_proxy",
        "semantics.crossing.Crossing",
        "walk.tell.journey.walk",
        "walk.tell.wording.reason",
        "walk.tell.summary.verdict",
        "walk.draw.drawing.draw",
    ),
    "A change to one tenant": (
        "pipeline.stages.difference",
        "proof.incremental.prove_again",
        "proof.impact.impact",
        "proof.change.difference",
        "machine.difference.difference",
        "machine.apply.apply",
        "engine.nftables.ruleset_update.update",
        "conformance.expectations.expectations",
        "conformance.run_checks.run_checks",
    ),
}


def way(stops: tuple[str, ...]) -> str:
    """Return a traveller's way as a table: where it is, and what happens to it there."""
    found = [house.stop(each) for each in stops]
    rows = "".join(
        f"| {number} | `{each.module}` | `{each.name}` | {each.says} |\n" for number, each in enumerate(found, 1)
    )
    return f"| | module | there | does |\n| --- | --- | --- | --- |\n{rows}"


def shown() -> dict[str, str]:
    """Return what the page shows of the house, by the name of the marker that it stands between."""
    ways = "\n".join(f"**{name}**\n\n{way(stops)}" for name, stops in TRAVELLERS.items())
    return {"house": f"\n```text\n{house.picture()}```\n\n", "travellers": f"\n{ways}\n"}


@pytest.mark.parametrize("name", ["house", "travellers"])
def test_the_page_shows_the_house_as_it_is(request: pytest.FixtureRequest, name: str) -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    marked = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.S)
    if request.config.getoption("--update-goldens"):
        ARCHITECTURE.write_text(marked.sub(lambda _: shown()[name], text), encoding="utf-8")
        return
    assert marked.findall(text) == [shown()[name]], "write it anew with pytest --update-goldens"


@pytest.mark.parametrize("stops", TRAVELLERS.values(), ids=TRAVELLERS)
def test_no_traveller_comes_back(stops: tuple[str, ...]) -> None:
    modules = [each.rpartition(".")[0] for each in stops]
    rooms = [room for room, _ in itertools.groupby(each.partition(".")[0] for each in modules)]
    assert len(set(modules)) == len(modules)
    assert len(set(rooms)) == len(rooms)


def test_every_package_has_a_list_of_its_modules_without_exceptions() -> None:
    contracts = house.contracts()
    listed = {name for each in contracts if each.get("exhaustive") for name in each["containers"]}
    assert listed == house.packages()
    assert [each["name"] for each in contracts if {"exhaustive_ignores", "ignore_imports"} & each.keys()] == []


def test_what_moved_is_where_the_page_says() -> None:
    moved = ARCHITECTURE.read_text(encoding="utf-8").partition("## What moved where")[2]
    there = {name.removeprefix(f"{house.PACKAGE}.") for name in house.graph().modules}
    rows = re.findall(r"^\| `[^|]+ \| ([^|]+) \|$", moved, flags=re.M)
    assert rows
    assert {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)} <= there


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert house.circles() == []


def test_every_module_can_be_read_at_one_sitting() -> None:
    assert {name: lines for name, lines in house.lengths().items() if lines > LONGEST} == {}


def test_a_short_module_is_an_idea_that_several_others_need() -> None:
    graph = house.graph()
    single = {
        name: lines
        for name, lines in house.lengths().items()
        if lines < SHORTEST and len(graph.find_modules_that_directly_import(name)) < 2
    }
    assert single == {}
