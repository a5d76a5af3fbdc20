"""The picture: everything is in it, long names fit, and it reads without colour."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from walk_builders import ARTICLE, built, walked

from farshore.walk.draw.drawing import draw

SVG = "{http://www.w3.org/2000/svg}"
LONG = "x" * 60


def drawing(design: str, text: str = ARTICLE, **probe: str) -> ElementTree.Element:
    walk = walked(design, text=text, **probe)
    return ElementTree.fromstring(draw(walk, built(text, design)[2]))  # noqa: S314 - it is our own


def texts(drawn: ElementTree.Element) -> list[str]:
    return [(each.text or "") for each in drawn.iter(f"{SVG}text")]


@pytest.mark.parametrize("design", ["single-nat", "lake", "last-hop", "appliance"])
def test_every_step_has_its_circle_on_its_device(design: str) -> None:
    drawn = drawing(design)
    circles = list(drawn.iter(f"{SVG}circle"))
    numbers = [text for text in texts(drawn) if text.isdigit()]
    steps = walked(design).steps
    assert len(circles) == len(steps)
    assert sorted(map(int, numbers)) == [step.number for step in steps]


def test_circles_go_right_with_the_request_and_left_with_the_reply() -> None:
    drawn = drawing("lake")
    circles = [(float(each.attrib["cy"]), float(each.attrib["cx"])) for each in drawn.iter(f"{SVG}circle")]
    above, below = min(y for y, _ in circles), max(y for y, _ in circles)
    assert len([x for y, x in circles if y == above]) == 5
    assert len([x for y, x in circles if y == below]) == 5


def test_the_lake_is_in_the_middle_and_only_where_there_is_one() -> None:
    def bands(design: str) -> list[str]:
        return [text for text in texts(drawing(design)) if text in {"customer-a", "the lake", "provider"}]

    assert list(dict.fromkeys(bands("lake"))) == ["customer-a", "the lake", "provider"]
    assert "the lake" not in bands("single-nat")


def test_glitches_are_marked_with_a_word() -> None:
    assert texts(drawing("single-nat")).count("GLITCH") == 2
    assert texts(drawing("lake")).count("GLITCH") == 0
    assert texts(drawing("lake", target="portal:22")).count("DROPPED") == 1


def test_what_is_not_reached_is_shown() -> None:
    assert "not reached" in texts(drawing("lake", target="portal:22"))
    assert "not reached" not in texts(drawing("lake"))


def test_realms_differ_in_more_than_colour() -> None:
    rhythms = {each.get("stroke-dasharray") for each in drawing("lake").iter(f"{SVG}line")}
    assert len(rhythms) == 3


def test_long_names_end_in_an_ellipsis_and_are_told_in_full() -> None:
    text = ARTICLE.replace("customer-a", f"a{LONG}").replace("alice", f"b{LONG}").replace("portal", f"c{LONG}")
    drawn = drawing("lake", text, origin=f"a{LONG}/b{LONG}", target=f"c{LONG}")
    cut = {each.find(f"{SVG}title").text: each.text for each in drawn.iter(f"{SVG}text") if len(each)}  # type: ignore[union-attr]
    assert {f"a{LONG}", f"b{LONG}", f"c{LONG}"} <= cut.keys()
    assert all((shown or "").endswith("…") for shown in cut.values())
    width = float(drawn.attrib["width"])
    for each in drawn.iter(f"{SVG}text"):
        x = float(each.attrib["x"])
        half = len(each.text or "") * float(each.attrib["font-size"]) * 0.58 / 2
        ends = (x - half, x + half) if each.get("text-anchor") == "middle" else (x, x + 2 * half)
        assert 0 <= ends[0] < ends[1] <= width + 20, each.text


def test_names_are_escaped() -> None:
    drawn = draw(walked("lake"), built(ARTICLE, "lake")[2])
    assert "provider's network" not in drawn
    assert "provider&#x27;s network" in drawn
