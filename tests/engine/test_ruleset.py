"""Every device's rule set, to the letter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import engine_cases
import pytest

from farshore.engine.netfilter.ruleset import ruleset
from farshore.fabric.model import Device, Fabric

GOLDEN = Path(__file__).parent / "golden"
FILTERING = [
    (f"{made.__name__}-{box.name.replace('/', '-')}", made, box.name)
    for made in (engine_cases.article, engine_cases.modes)
    for box in made().devices
    if box.policy is not None
]


@pytest.mark.parametrize(("name", "made", "node"), FILTERING, ids=[name for name, _, _ in FILTERING])
def test_golden(name: str, made: Callable[[], Fabric], node: str, request: pytest.FixtureRequest) -> None:
    box = made().nodes[node]
    assert isinstance(box, Device)
    text = ruleset(box)
    assert text is not None
    golden = GOLDEN / f"{name}.nft"
    if request.config.getoption("--update-goldens"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_there_is_a_golden_file_for_each_device_and_no_other() -> None:
    assert {path.stem for path in GOLDEN.glob("*.nft")} == {name for name, _, _ in FILTERING}


def test_a_router_has_no_rules() -> None:
    for name in ("customer-a/ce", "provider/router"):
        box = engine_cases.article().nodes[name]
        assert isinstance(box, Device)
        assert ruleset(box) is None


@pytest.mark.parametrize("spoil", [lambda guards: guards[1:], lambda guards: (*guards, guards[0])])
def test_every_interface_needs_its_guards(spoil: Callable[[tuple[object, ...]], tuple[object, ...]]) -> None:
    box = engine_cases.article().nodes["customer-a/nat"]
    assert isinstance(box, Device)
    with pytest.raises(ValueError, match="every interface needs one guard in each direction"):
        ruleset(replace(box, guards=spoil(box.guards)))  # type: ignore[arg-type]


def test_what_hooks_in_drops_unless_it_translates() -> None:
    for _, made, node in FILTERING:
        box = made().nodes[node]
        assert isinstance(box, Device)
        for line in (ruleset(box) or "").splitlines():
            if " hook " in line:
                assert line.endswith("policy drop;") or (line.startswith("\t\ttype nat") and "accept" in line)
