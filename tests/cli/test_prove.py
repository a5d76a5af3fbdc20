"""``farshore prove``: every property over all packets, or a counterexample that is a walk."""

from __future__ import annotations

import json
import threading
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from farshore.cli import console
from farshore.cli.main import cli
from farshore.errors import EXIT_BAD_INPUT, EXIT_NO, EXIT_YES

REPOSITORY = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
ALL = ["article", "several-networks", "ten-tenants", "appliance/intent"]
PROPERTIES = [
    "reach",
    "nothing-else",
    "tenant-isolation",
    "no-forged-source",
    "no-address-leaks",
    "one-to-one",
    "no-ambiguity",
    "internet-containment",
    "return-path",
]


def prove(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    # The intent's file is named in counterexamples, as it was on the command line.
    monkeypatch.chdir(REPOSITORY)
    return CliRunner().invoke(cli, ["prove", *arguments])


@pytest.mark.parametrize("design", [[], ["--design", "lake"], ["--design", "last-hop"], ["--design", "appliance"]])
@pytest.mark.parametrize("example", ALL)
def test_every_example_is_proven(monkeypatch: pytest.MonkeyPatch, example: str, design: list[str]) -> None:
    done = prove(monkeypatch, f"examples/{example}.yaml", *design, "--json")
    assert done.exit_code == EXIT_YES, done.output
    found = json.loads(done.stdout)
    assert found["ok"] is True
    assert [each["name"] for each in found["properties"]] == PROPERTIES
    for each in found["properties"]:
        assert each["holds"] is True
        assert each["counterexample"] is None
        # A proxy ends flows: there are none to take for each other where all go through one.
        by_proxy = "appliance" in design or example.startswith("appliance")
        assert each["checked"] > 0 or (each["name"] == "one-to-one" and by_proxy)


@pytest.mark.parametrize(
    ("example", "arguments"),
    [
        ("article", ()),
        ("article", ("--design", "single-nat")),
        ("article", ("--design", "last-hop-plain")),
        ("ten-tenants", ("--design", "single-nat")),
    ],
)
def test_text(
    monkeypatch: pytest.MonkeyPatch, example: str, arguments: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    path = GOLDEN / f"prove-{'-'.join((example, *arguments[1:]))}.txt"
    text = prove(monkeypatch, f"examples/{example}.yaml", *arguments).stdout
    if request.config.getoption("--update-goldens"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_equal_addresses_refute_single_nat_at_the_articles_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    done = prove(monkeypatch, "examples/article.yaml", "--design", "single-nat", "--json")
    assert done.exit_code == EXIT_NO
    found = {each["name"]: each for each in json.loads(done.stdout)["properties"]}
    assert [name for name, each in found.items() if not each["holds"]] == ["reach", "no-ambiguity"]
    shown = found["no-ambiguity"]["counterexample"]
    assert shown["glitches"] == [3, 6]
    assert shown["from"] == "customer-a/alice"
    assert shown["device"] == "customer-a/ce"
    assert "ambiguous route to 10.1.1.1" in shown["rule"]
    assert shown["intent"] == {
        "file": "examples/article.yaml",
        "line": 19,
        "column": 16,
        "says": "tenant customer-a uses 10.1.1.0/24",
    }


def test_a_box_that_routes_first_glitches_at_step_6_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("examples/article.yaml", "--design", "single-nat", "--profile", "cisco-ios", "--json")
    done = prove(monkeypatch, *arguments)
    found = {each["name"]: each for each in json.loads(done.stdout)["properties"]}
    assert found["no-ambiguity"]["counterexample"]["glitches"] == [6]


@pytest.mark.parametrize("design", ["single-nat", "last-hop-plain"])
def test_distinct_addresses_do_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, design: str) -> None:
    text = (REPOSITORY / "examples/article.yaml").read_text(encoding="utf-8")
    text = text.replace("networks: [10.1.1.0/24]           #", "networks: [10.9.9.0/24]  #")
    text = text.replace("address: 10.1.1.1 ", "address: 10.9.9.1 ")
    before, customer, after = text.partition("  customer-b:")
    file = tmp_path / "distinct.yaml"
    file.write_text(before + customer + after.replace("10.1.1.", "10.8.8."), encoding="utf-8")
    done = prove(monkeypatch, str(file), "--design", design)
    assert done.exit_code == EXIT_YES, done.output


def test_every_profile_holds_in_the_lake(monkeypatch: pytest.MonkeyPatch) -> None:
    from farshore.semantics.profile import PROFILES

    for profile in PROFILES:
        done = prove(monkeypatch, "examples/article.yaml", "--profile", profile)
        assert done.exit_code == EXIT_YES, done.output


def test_bad_input() -> None:
    done = CliRunner().invoke(cli, ["prove", str(REPOSITORY / "examples/article.yaml"), "--design", "laek"])
    assert done.exit_code != EXIT_YES
    assert "did you mean lake?" in str(done.exception)
    assert getattr(done.exception, "exit_status", None) == EXIT_BAD_INPUT


def test_the_bar_is_drawn_by_no_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof forks, and a process that forks must have one thread."""
    screen = StringIO()
    monkeypatch.setattr(console, "diagnostics", lambda: Console(file=screen, force_terminal=True))
    threads = threading.active_count()
    with console.progress() as reporter:
        reporter.started("proof")
        reporter.advanced(1, 2, "customer-a")
        assert threading.active_count() == threads
    assert "proof" in screen.getvalue()
    assert "1/2" in screen.getvalue()
