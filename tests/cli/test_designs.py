"""``farshore designs``: the designs side by side, as people and programs see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from farshore.cli.main import cli
from farshore.errors import EXIT_YES

EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).parent / "golden"


def designs(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["designs", *arguments])
    assert done.exit_code == EXIT_YES, done.output
    return done.stdout


@pytest.mark.parametrize("example", ["article", "several-networks", "ten-tenants", "appliance/intent"])
def test_text(example: str, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"designs-{example.replace('/', '-')}.txt"
    text = designs(str(EXAMPLES / f"{example}.yaml"))
    if request.config.getoption("--update-goldens"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_json() -> None:
    found = {each["design"]: each for each in json.loads(designs(str(EXAMPLES / "article.yaml"), "--json"))["designs"]}
    assert found.keys() == {"lake", "last-hop", "last-hop-plain", "appliance", "single-nat"}
    assert found["lake"]["complete"]
    assert found["last-hop"]["complete"]
    assert not found["appliance"]["complete"]
    assert "portal" in found["appliance"]["uncarried"][0]
    alice = {"from": "customer-a/alice", "to": "portal"}
    assert found["lake"]["reached"][0] == alice | {
        "ports": ["tcp/443", "tcp/80", "icmp"],
        "missed": [],
        "identity_lost": False,
    }
    assert found["appliance"]["reached"][0] == alice | {
        "ports": ["tcp/443", "tcp/80"],
        "missed": ["icmp"],
        "identity_lost": False,
    }
    assert found["single-nat"]["reached"][0]["ports"] == []
    assert found["single-nat"]["failures"][0]["step"] == 3
    assert found["lake"]["costs"]["nat_stages"] == 2
    assert found["last-hop"]["costs"]["nat_stages"] == 1


def test_a_service_without_its_callers_identity_is_no_yes() -> None:
    found = json.loads(designs(str(EXAMPLES / "appliance" / "intent.yaml"), "--json"))["designs"]
    lost = {each["design"]: [r["identity_lost"] for r in each["reached"]] for each in found}
    assert not any(lost["appliance"])
    assert any(lost["lake"])
    assert any(lost["last-hop"])
    rows = [line.split("  ") for line in designs(str(EXAMPLES / "appliance" / "intent.yaml")).splitlines()]
    assert any("without identity" in map(str.strip, row) for row in rows)


def test_a_mix_is_one_more_choice(tmp_path: Path) -> None:
    file = tmp_path / "mixed.yaml"
    text = (EXAMPLES / "article.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("  customer-b:\n", "  customer-b:\n    design: last-hop\n"), encoding="utf-8")
    first, *others = json.loads(designs(str(file), "--json"))["designs"]
    assert first["design"] == "lake+last-hop"
    assert first["complete"]
    assert len(others) == 5
