"""``farshore diff``: what a change of the intent does, proven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from farshore.cli.main import cli
from farshore.errors import EXIT_NO, EXIT_YES, UsageError

EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).parent / "golden"
TEN = (EXAMPLES / "ten-tenants.yaml").read_text(encoding="utf-8")
ARTICLE = (EXAMPLES / "article.yaml").read_text(encoding="utf-8")

# What is changed, what for, and by whom.
CHANGES = {
    "nothing": (TEN, "", ""),
    "one-service-less": (TEN, "services: [portal, dns, syslog]", "services: [portal, dns]"),
    "another-port": (ARTICLE, "tcp/80, icmp]", "tcp/8443, icmp]"),
    "another-presented-address": (TEN, "portal: 10.9.9.9", "portal: 10.9.9.8"),
    "a-tenant-goes": (ARTICLE, ARTICLE[ARTICLE.index("\n  customer-b:") :], "\n"),
    "another-network": (
        ARTICLE,
        "    networks: [10.1.1.0/24]         # the same",
        "    networks: [10.7.0.0/25] #",
    ),
    "another-limit": (ARTICLE, "sessions: 50000", "sessions: 1000, rate: 50"),
    "another-design": (ARTICLE, "  customer-b:\n", "  customer-b:\n    design: last-hop\n"),
}


def diff(folder: Path, change: str, *arguments: str) -> Result:
    before, was, now = CHANGES[change]
    assert not was or was in before
    old, new = folder / "old.yaml", folder / "new.yaml"
    old.write_text(before, encoding="utf-8")
    after = before.replace(was, now, 1) if was else before
    if change == "another-network":
        after = after.replace("bill: 10.1.1.1", "bill: 10.7.0.1")
    new.write_text(after, encoding="utf-8")
    return CliRunner().invoke(cli, ["diff", str(old), str(new), *arguments])


@pytest.mark.parametrize("change", CHANGES)
def test_text(tmp_path: Path, change: str, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"diff-{change}.txt"
    done = diff(tmp_path, change)
    assert done.exit_code == EXIT_YES, done.output
    if request.config.getoption("--update-goldens"):
        path.write_text(done.stdout, encoding="utf-8")
    assert done.stdout == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "only", "status"),
    [
        ("nothing", "delta", EXIT_YES),
        ("one-service-less", "delta", EXIT_YES),
        ("one-service-less", "estuary", EXIT_NO),
        ("another-port", "customer-a", EXIT_NO),
        ("a-tenant-goes", "customer-b", EXIT_YES),
        ("another-design", "customer-b", EXIT_YES),
    ],
)
def test_only_one_tenant_may_be_touched(tmp_path: Path, change: str, only: str, status: int) -> None:
    done = diff(tmp_path, change, "--only", only, "--json")
    assert done.exit_code == status, done.output
    found = json.loads(done.stdout)
    assert found["ok"] is (status == EXIT_YES)
    assert bool(found["outside"]) is (status == EXIT_NO)


def test_untouched_means_it(tmp_path: Path) -> None:
    found = json.loads(diff(tmp_path, "one-service-less", "--json").stdout)
    assert found["changes"] == [
        {"subject": "delta", "kind": "loses", "says": "tenant delta loses syslog tcp/6514"},
        {"subject": "delta", "kind": "loses", "says": "tenant delta loses syslog udp/514"},
    ]
    assert len(found["untouched"]) == 9
    assert "delta" not in found["untouched"]
    assert all(each["holds"] and each["held"] for each in found["properties"])


def test_a_property_that_fails_is_a_no(tmp_path: Path) -> None:
    done = diff(tmp_path, "another-port", "--design", "single-nat")
    assert done.exit_code == EXIT_NO
    assert "✗ no-ambiguity does not hold" in done.stdout


def test_an_unknown_tenant(tmp_path: Path) -> None:
    done = diff(tmp_path, "nothing", "--only", "detla")
    assert "did you mean delta?" in str(done.exception)


def test_standard_input_is_one_file_only() -> None:
    result = CliRunner().invoke(cli, ["diff", "-", "-"], input=ARTICLE)
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == "OLD and NEW cannot both be standard input; name a file for one of them"
