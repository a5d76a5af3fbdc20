"""docs/designs.md shows the walks' own output, docs/profiles.md the profiles' own orders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from walk_builders import ARTICLE, DISTINCT, walked

from farshore.design.catalogue import DESIGNS
from farshore.semantics.profile import PROFILES, FilterView, Returning
from farshore.walk.tell.summary import order, verdict

DOCS = Path(__file__).parents[2] / "docs"
GOLDEN = Path(__file__).parent / "golden"
FILTER_READS = {FilterView.ARRIVED: "as it arrived", FilterView.TRANSLATED: "as translated"}
FOLLOW = {Returning.ROUTE: "a route look-up", Returning.SESSION: "the session", Returning.LAST_HOP: "the last hop"}


def block(name: str) -> str:
    return "```text\n" + (GOLDEN / f"{name}.txt").read_text(encoding="utf-8") + "```\n"


def matrix() -> str:
    rows = ["| design | equal addresses | distinct addresses |", "| --- | --- | --- |"]
    for design in DESIGNS:
        cells = (verdict(walked(design, text=text)) for text in (ARTICLE, DISTINCT))
        rows.append(f"| `{design}` | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def orders() -> str:
    rows = ["| profile | first packet | reply | replies follow | filter reads the destination |", "| --- " * 5 + "|"]
    rows += [
        f"| `{each.name}` | {order(each.forward)} | {order(each.backward)} | {FOLLOW[each.returning]} "
        f"| {FILTER_READS[each.filter_reads]} |"
        for each in PROFILES.values()
    ]
    return "\n".join(rows) + "\n"


def sources() -> str:
    rows = ["| profile | grade | source | replies |", "| --- " * 4 + "|"]
    rows += [
        f"| `{each.name}` | {each.grade.name} | {each.source} | {each.returning_says} |" for each in PROFILES.values()
    ]
    return "\n".join(rows) + "\n"


def glitches() -> str:
    rows = ["| profile | `single-nat`, equal addresses | `single-nat`, distinct | `lake` |", "| --- " * 4 + "|"]
    for name in PROFILES:
        walks = (walked("single-nat", name), walked("single-nat", name, text=DISTINCT), walked("lake", name))
        rows.append(f"| `{name}` | {' | '.join(verdict(walk) for walk in walks)} |")
    return "\n".join(rows) + "\n"


PARTS = {
    "designs.md": {
        "matrix": matrix,
        **{f"article-{design}": lambda design=design: block(f"article-{design}") for design in DESIGNS},
        "refused": lambda: block("refused"),
    },
    "profiles.md": {"orders": orders, "sources": sources, "glitches": glitches},
}


@pytest.mark.parametrize(
    ("document", "part"), [(document, part) for document, parts in PARTS.items() for part in parts]
)
def test_the_document_shows_what_is(document: str, part: str, request: pytest.FixtureRequest) -> None:
    path = DOCS / document
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(f"(<!-- {part} -->\n).*?(<!-- /{part} -->\n)", re.S)
    assert pattern.search(text), f"{document} has no place for {part}"
    written = pattern.sub(lambda found: found[1] + PARTS[document][part]() + found[2], text)
    if request.config.getoption("--update-goldens"):
        path.write_text(written, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == written, "write it anew with pytest --update-goldens"


def test_every_design_has_a_heading() -> None:
    text = (DOCS / "designs.md").read_text(encoding="utf-8")
    for design in DESIGNS:
        assert f"\n## `{design}`" in text
        assert f"](pictures/article-{design}.svg)" in text
