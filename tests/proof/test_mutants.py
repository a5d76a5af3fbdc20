"""Break it: every mutant of a good fabric is refuted by a property, or both engines show that it does the same.

``golden`` lists every mutant and what became of it; write them anew with ``--update-goldens``.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from mutant_fabrics import CASES, Good, good
from mutant_sets import Seen, differences, seen, starts
from mutant_walks import Walks
from mutants import Mutant
from mutants_rules import mutants
from mutants_table import BEGIN, END, EQUIVALENT, GOLDEN, SURVIVED, listed, table

from farshore.fabric.model import Fabric
from farshore.proof.incremental import prove_again
from farshore.proof.judges.account import Property
from farshore.proof.prove import Question


@lru_cache
def walks(name: str) -> Walks:
    return Walks(good(name).fabric, name)


def refuting(case: Good, mutant: Mutant) -> list[str]:
    return [str(result.what) for result in case.proof_of(mutant.fabric).results if not result.holds]


@lru_cache
def seen_in(name: str) -> tuple[Seen, ...]:
    fabric = good(name).fabric
    return tuple(seen(fabric, start) for start in starts(fabric))


def by_sets(name: str, fabric: Fabric) -> list[str]:
    """Return where the proof's engine sees that another fabric does something else."""
    there = tuple(starts(fabric))
    if len(there) != len(seen_in(name)):
        return ["other wires that packets come from"]
    pairs = zip(seen_in(name), there, strict=True)
    return [where for one, start in pairs for where in differences(one, seen(fabric, start))]


def by_walks(name: str, fabric: Fabric) -> list[str]:
    """Return the first packet to which, by the walk, another fabric does something else."""
    found = next(walks(name).differences(fabric), None)
    return [] if found is None else [str(found)]


def fate(name: str, mutant: Mutant) -> tuple[str, list[str]]:
    case = good(name)
    refuted = refuting(case, mutant)
    if refuted:
        return ", ".join(refuted), []
    different = [*by_sets(name, mutant.fabric), *by_walks(name, mutant.fabric)]
    return (SURVIVED, different) if different else (EQUIVALENT, [])


@pytest.mark.parametrize("name", CASES)
def test_every_mutant_is_refuted_or_equivalent(name: str, request: pytest.FixtureRequest) -> None:
    assert good(name).proof_of(good(name).fabric).holds
    lines: dict[str, list[str]] = {}
    survivors = []
    for mutant in mutants(good(name).fabric):
        result, different = fate(name, mutant)
        lines.setdefault(mutant.kind, []).append(f"  {mutant.what} => {result}")
        if different:
            survivors.append((mutant.what, different[0]))
    found = "\n".join(line for kind in sorted(lines) for line in (kind, *lines[kind], ""))
    path = GOLDEN / f"mutants-{name}.txt"
    if request.config.getoption("--update-goldens"):
        path.write_text(found, encoding="utf-8")
    assert survivors == []
    assert found == path.read_text(encoding="utf-8")


def test_there_are_enough_of_every_kind_and_no_property_is_idle() -> None:
    fates = list(listed())
    assert len(fates) >= 200
    kinds = {kind for kind, _ in fates}
    # No rule stands in another's way, so their order is all the same; and the designs are made for every profile.
    idle = {"profile changed", "rules reordered"}
    assert kinds - {kind for kind, result in fates if result != EQUIVALENT} == idle
    said = {each for _, result in fates for each in result.split(", ")}
    assert said == {*map(str, Property), EQUIVALENT}
    assert "100 %" in table()


def test_both_engines_see_what_the_properties_refute() -> None:
    """An engine that sees nothing would call everything equivalent."""
    blind: dict[str, int] = {"sets": 0, "walks": 0}
    looked_at = 0
    for name in ("article-lake", "mixed"):
        for mutant in mutants(good(name).fabric)[::11]:
            if Property.REACH in refuting(good(name), mutant):
                looked_at += 1
                blind["sets"] += not by_sets(name, mutant.fabric)
                blind["walks"] += not by_walks(name, mutant.fabric)
    assert looked_at > 40
    assert blind["sets"] == 0
    # A few differ only by a look-up without one answer, which falls right by the order of the routes.
    assert blind["walks"] < looked_at / 5


@pytest.mark.parametrize("name", ["article-lake", "article-appliance"])
def test_proving_again_says_the_same_of_every_mutant(name: str) -> None:
    case = good(name)
    proof = case.proof_of(case.fabric)
    for mutant in mutants(case.fabric):
        again = prove_again(proof, Question(case.intent, case.plan, mutant.fabric, case.design))
        assert [str(each.what) for each in again.results if not each.holds] == refuting(case, mutant), mutant.what


# What these mutants do was once seen by no property.
FOUND = (
    ("pools-lake", "customer-a/nat: the SNAT of 10.1.1.0/24 (customer-a) has blocks half as large", "one-to-one"),
    ("article-lake", "customer-a/nat: the SNAT of 10.1.1.0/24 (customer-a) exchanges its halves", "one-to-one"),
    (
        "mixed",
        "provider/proxy: the front of 10.2.2.1 tcp/443 for customer-c comes from the address after",
        "one-to-one",
    ),
    ("article-lake", "provider/edge: the guard in at internet admits half of the sources", "reach"),
    ("article-lake", "provider/edge: the guard out at provider admits every source", "no-forged-source"),
    ("article-lake", "provider/edge: the guard out at provider admits 0.0.0.0/8 as well", "no-forged-source"),
    ("article-lake", "provider/portal: does not listen to tcp/443", "reach"),
    ("mixed", "provider/monitor: has the address 10.1.1.51", "reach"),
    ("pools-lake", "customer-b/bill: has the address 10.1.1.2", "reach"),
    ("mixed", "customer-a/nat: the DNAT of 100.65.0.0/24 (lake) to 10.1.1.0/24 exchanges its halves", "nothing-else"),
    ("mixed", "customer-a/nat: the DNAT of 100.65.0.0/24 (lake) to 10.1.1.0/24 leaves out a half", "reach"),
    (
        "article-appliance",
        "provider/proxy: the cables at to-customer-a and to-customer-b exchanged",
        "tenant-isolation",
    ),
)


@pytest.mark.parametrize(("name", "what", "refuted_by"), FOUND)
def test_what_only_mutants_showed_is_refuted(name: str, what: str, refuted_by: str) -> None:
    mutant = next(mutant for mutant in mutants(good(name).fabric) if mutant.what == what)
    assert refuted_by in refuting(good(name), mutant)


def test_the_document_has_the_score(request: pytest.FixtureRequest) -> None:
    path = Path(__file__).parents[2] / "docs" / "proof.md"
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    shown, end, after = rest.partition(END)
    assert begin
    assert end
    if request.config.getoption("--update-goldens"):
        path.write_text(before + begin + table() + end + after, encoding="utf-8")
        shown = table()
    assert shown == table()
