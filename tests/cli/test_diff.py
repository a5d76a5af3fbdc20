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
        {"subject": "delta", "kind": "loses", "says": "tenant delta loses syslog tcp/6514", "touches": ["delta"]},
        {"subject": "delta", "kind": "loses", "says": "tenant delta loses syslog udp/514", "touches": ["delta"]},
    ]
    assert len(found["untouched"]) == 9
    assert "delta" not in found["untouched"]
    assert all(each["holds"] and each["held"] for each in found["properties"])


CALLS = Path(__file__).parent / "diff"


@pytest.mark.parametrize(
    ("new", "touched", "untouched"),
    [
        # A new opening on a tenant's router is that tenant's, whoever it is for.
        ("calls-rdp", ["beta"], ["alpha"]),
        # The address by which the tenants see a caller moves.
        ("calls-new", ["alpha", "beta"], []),
    ],
)
def test_whoever_is_called_is_touched(new: str, touched: list[str], untouched: list[str]) -> None:
    files = [str(CALLS / f"{name}.yaml") for name in ("calls-old", new)]
    found = json.loads(CliRunner().invoke(cli, ["diff", *files, "--json"]).stdout)
    assert sorted(found["touched"]) == touched
    assert found["untouched"] == untouched
    for tenant in ("alpha", "beta"):
        only = CliRunner().invoke(cli, ["diff", *files, "--only", tenant, "--json"])
        assert only.exit_code == (EXIT_YES if touched == [tenant] else EXIT_NO)
        others = [name for name in touched if name != tenant]
        assert set(json.loads(only.stdout)["outside"]) >= set(others)


def test_a_host_that_comes_is_told_of_in_one_line_for_each_network_that_moved() -> None:
    files = [str(CALLS / f"{name}.yaml") for name in ("host-old", "host-end")]
    done = CliRunner().invoke(cli, ["diff", *files])
    assert done.stdout.splitlines() == [
        "~ tenant alpha: lake addresses of 192.168.1.0/24 198.18.8.0/31 (host) → 198.18.8.0/30 (host)",
        "+ tenant alpha gains dns udp/53 for 192.168.1.2",
        "~ tenant beta: lake addresses of 192.168.1.0/24 198.18.8.2/31 (host) → 198.18.8.4/31 (host)",
        "changes: 2 tenants touched, 2 address changes, 1 gain",
        "devices changed: alpha/ce, alpha/nat, beta/nat, provider/nat",
        "proven unchanged: 0 tenants",
        "✓ every property holds",
    ]
    assert "A host that is added to a network of mode host may need a larger block" in " ".join(
        CliRunner().invoke(cli, ["plan", "--help"]).stdout.split()
    )


def test_hosts_that_change_places_are_told_of(tmp_path: Path) -> None:
    """Their network keeps its block of the lake, and each of them has another address."""
    text = (CALLS / "host-old.yaml").read_text(encoding="utf-8")
    new = tmp_path / "new.yaml"
    new.write_text(text.replace("{a: 192.168.1.1, c: 192.168.1.3}", "{c: 192.168.1.3, a: 192.168.1.1}", 1), "utf-8")
    done = CliRunner().invoke(cli, ["diff", str(CALLS / "host-old.yaml"), str(new), "--only", "alpha"])
    assert (
        "~ tenant alpha: lake addresses of 192.168.1.0/24, 198.18.8.0/31 (host): 2 hosts moved or removed"
        in done.stdout
    )
    assert "proven unchanged: 1 tenant: beta" in done.stdout
    assert done.exit_code == EXIT_YES


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
