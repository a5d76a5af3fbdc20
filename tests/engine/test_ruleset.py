"""Every device's rule set, to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import engine_cases
import pytest

from farshore.engine.nftables.ruleset import FILTER_TABLE, device_ruleset
from farshore.engine.nftables.ruleset_update import update
from farshore.fabric.model import Device, Fabric
from farshore.fabric.names import PROVIDER_LAST_HOP, PROVIDER_NAT

GOLDEN = Path(__file__).parent / "golden"
FILTERING = [
    (f"{made.__name__}-{box.name.replace('/', '-')}", made, box.name)
    for made in (engine_cases.article, engine_cases.modes, engine_cases.last_hop, engine_cases.reached)
    for box in made().devices
    if box.policy is not None
]


@pytest.mark.parametrize(("name", "made", "node"), FILTERING, ids=[name for name, _, _ in FILTERING])
def test_golden(name: str, made: Callable[[], Fabric], node: str, request: pytest.FixtureRequest) -> None:
    box = made().nodes[node]
    assert isinstance(box, Device)
    text = device_ruleset(box)
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
        assert device_ruleset(box) is None


@pytest.mark.parametrize("spoil", [lambda guards: guards[1:], lambda guards: (*guards, guards[0])])
def test_every_interface_needs_its_guards(spoil: Callable[[tuple[object, ...]], tuple[object, ...]]) -> None:
    box = engine_cases.article().nodes["customer-a/nat"]
    assert isinstance(box, Device)
    with pytest.raises(ValueError, match="every interface needs one guard in each direction"):
        device_ruleset(replace(box, guards=spoil(box.guards)))  # type: ignore[arg-type]


def test_what_hooks_in_drops_unless_it_translates() -> None:
    for _, made, node in FILTERING:
        box = made().nodes[node]
        assert isinstance(box, Device)
        for line in (device_ruleset(box) or "").splitlines():
            if " hook " in line:
                # What tells connections apart lets all pass to where it is judged.
                tells = "priority -440" in line or "priority -150" in line
                assert line.endswith("policy drop;") or tells or (line.startswith("\t\ttype nat") and "accept" in line)


def test_no_packet_is_worth_a_line_in_a_log() -> None:
    for _, made, node in FILTERING:
        box = made().nodes[node]
        assert isinstance(box, Device)
        assert not re.search(r"\blog\b|\bnftrace\b|\bqueue\b", device_ruleset(box) or "")


# Three blocks that are no neighbours are left where one in the middle goes.
FIVE = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  services: {portal: {address: 10.1.1.1, ports: [tcp/443, udp/5000]}}
tenants:
""" + "".join(
    f"  {name}: {{networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal]}}\n"
    for name in ("ash", "birch", "cedar", "date", "elm")
)


@pytest.mark.parametrize(
    ("design", "source"),
    [("lake", ""), ("lake", "  source: [10.250.0.0/16]\n"), ("last-hop", "")],
    ids=["lake", "lake-again", "last-hop"],
)
@pytest.mark.parametrize("gone", ["ash", "birch", "elm"])
def test_a_tenant_that_goes_touches_no_rule_of_others(design: str, source: str, gone: str) -> None:
    """What a packet passes through must stay: rules and elements that are deleted are lost a moment too early."""
    text = FIVE.replace("  services", f"{source}  services", 1)
    all_of_them, fewer = engine_cases.fabric(text, design), engine_cases.fabric(text, design, less=gone)
    name = PROVIDER_LAST_HOP if design == "last-hop" else PROVIDER_NAT
    box, after = all_of_them.nodes[name], fewer.nodes[name]
    assert isinstance(box, Device)
    assert isinstance(after, Device)
    touched = _touched(device_ruleset(box) or "", device_ruleset(after) or "")
    back = _touched(device_ruleset(after) or "", device_ruleset(box) or "")
    assert touched
    assert [line for line in (*touched, *back) if gone not in line and not _is_own_block(line, box, after)] == []


def _touched(before: str, after: str) -> list[str]:
    """Return what is taken from the filter. The rules that translate concern a flow's first packet alone."""
    lines = update(before, after).splitlines()
    return [line for line in lines if line.startswith(("flush", "delete")) and FILTER_TABLE in line]


def _is_own_block(line: str, box: Device, after: Device) -> bool:
    """Tell whether it is about the elements of shared sets that were the tenant's alone."""
    lost = {str(p.network) for g in box.guards for p in (*g.sources, *g.destinations)}
    lost -= {str(p.network) for g in after.guards for p in (*g.sources, *g.destinations)}
    found = re.fullmatch(r"delete element .* \{ (.*) \}", line)
    return found is not None and set(found[1].split(", ")) <= lost
