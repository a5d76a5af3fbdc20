"""Walks as people and programs get them, to the letter."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console
from walk_builders import ARTICLE, built, walked

from farshore.cli.walk_text import show
from farshore.walk.draw.drawing import draw
from farshore.walk.tell.journey import Walk
from farshore.walk.tell.summary import document

GOLDEN = Path(__file__).parent / "golden"
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"  # those that docs/designs.md shows
TENANTS = ("customer-a", "customer-b")
WALKS: dict[str, dict[str, str]] = {
    "article-single-nat": {"design": "single-nat"},
    "article-lake": {"design": "lake"},
    "article-last-hop": {"design": "last-hop"},
    "article-last-hop-plain": {"design": "last-hop-plain"},
    "article-appliance": {"design": "appliance"},
    "refused": {"design": "lake", "target": "portal:22"},
    "routes-first": {"design": "single-nat", "profile": "cisco-ios"},
    "follows-session": {"design": "single-nat", "profile": "cisco-asa", "origin": "customer-b/bill"},
}


def golden(name: str, found: str, request: pytest.FixtureRequest, folder: Path = GOLDEN) -> None:
    path = folder / name
    if request.config.getoption("--update-goldens"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def shown(walk: Walk, width: int, *, terminal: bool = False) -> str:
    paper = StringIO()
    console = Console(
        file=paper, width=width, force_terminal=terminal, no_color=True, color_system=None, soft_wrap=True
    )
    show(console, walk, TENANTS)
    return "".join(line.rstrip() + "\n" for line in paper.getvalue().splitlines())


@pytest.mark.parametrize("name", WALKS)
def test_text(name: str, request: pytest.FixtureRequest) -> None:
    golden(f"{name}.txt", shown(walked(**WALKS[name]), 80), request)


@pytest.mark.parametrize("name", ["article-single-nat", "article-lake"])
def test_table(name: str, request: pytest.FixtureRequest) -> None:
    golden(f"{name}-wide.txt", shown(walked(**WALKS[name]), 120, terminal=True), request)


@pytest.mark.parametrize("width", [20, 60, 80, 99, 100, 120, 200])
@pytest.mark.parametrize("name", WALKS)
def test_no_line_is_wider_than_the_screen(name: str, width: int) -> None:
    lines = shown(walked(**WALKS[name]), width, terminal=True).splitlines()
    assert max(map(len, lines)) <= max(width, 36)  # an address with its port and realm is not broken


@pytest.mark.parametrize("name", WALKS)
def test_json(name: str, request: pytest.FixtureRequest) -> None:
    golden(f"{name}.json", json.dumps(document(walked(**WALKS[name])), indent=2, ensure_ascii=False) + "\n", request)


@pytest.mark.parametrize("name", WALKS)
def test_drawing(name: str, request: pytest.FixtureRequest) -> None:
    drawn = draw(walked(**WALKS[name]), built(ARTICLE, WALKS[name]["design"])[2])
    assert ElementTree.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - it is our own
    golden(f"{name}.svg", drawn, request, PICTURES if name.startswith("article-") else GOLDEN)
