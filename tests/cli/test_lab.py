from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from cli_program import REPOSITORY, farshore
from click.testing import CliRunner, Result

from farshore.cli.lab import execute, print_json, print_text
from farshore.cli.main import cli
from farshore.conformance import check
from farshore.conformance.check import Outcome
from farshore.design.catalogue import build
from farshore.engine.placement import namespaced_nodes
from farshore.errors import EXIT_BAD_INPUT, UsageError
from farshore.fabric.names import NodeName
from farshore.intent.load import load
from farshore.lab.execute import NotExecutableError, ProgramNotFoundError
from farshore.lab.record import Record
from farshore.lab.registry import claimed, entry
from farshore.machine.world import start_time
from farshore.plan.allocate import allocate
from lab_proof import disagreeing

ARTICLE = str(REPOSITORY / "examples" / "article.yaml")
NODES = ("customer-a/alice", "customer-a/nat", "provider/portal")


@pytest.fixture(autouse=True)
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a folder of labs of its own."""
    monkeypatch.setenv("FARSHORE_LABS", str(tmp_path / "labs"))
    return tmp_path / "labs"


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["lab", *words], catch_exceptions=False)


def refused(*words: str) -> str:
    """Return what a command says that cannot be carried out."""
    with pytest.raises(UsageError) as raised:
        run(*words)
    return str(raised.value)


def remember(name: str, pid: int, started: int) -> Record:
    """Write the record of a lab whose first process this is."""
    created = "2026-01-02T03:04:05+00:00"
    record = Record(name, pid, started, os.geteuid(), "lake", ARTICLE, created, NODES, stays=True)
    with claimed(name) as (here, _):
        here.write(record)
    return record


def alive(name: str) -> Record:
    """Remember a lab that seems to live: its first process is this one. It is never taken down."""
    started = start_time(os.getpid())
    assert started is not None
    return remember(name, os.getpid(), started)


def dead(name: str) -> Record:
    """Remember a lab whose first process has ended and whose number another process has now."""
    return remember(name, os.getpid(), 1)


# --- no lab, one lab, several --------------------------------------------------------------------------------------


def test_no_lab() -> None:
    assert run("status").stdout == "no lab is up\n"
    assert json.loads(run("status", "--json").stdout) == {"labs": []}
    assert refused("down") == "no lab exists; create one with: farshore lab up FILE"
    assert refused("exec", "customer-a/alice", "--", "true") == "no lab exists; create one with: farshore lab up FILE"


def test_a_name_that_no_lab_has() -> None:
    alive("one")
    for words in (("down",), ("status",), ("exec", "customer-a/alice", "true")):
        named = (words[0], "--name", "two", *words[1:])
        assert refused(*named) == "no lab 'two'; known: one"


def test_several_labs_need_a_name() -> None:
    alive("one")
    alive("two")
    assert refused("down") == "several labs exist; select one with --name: one, two"


@pytest.mark.parametrize("name", ["", "../one", "/one", ".", "-x", "a/b", "a b", "x" * 41])
def test_a_name_that_no_lab_can_have(name: str, labs: Path) -> None:
    for words in (("up", ARTICLE), ("apply", ARTICLE), ("status",), ("down",), ("exec", "customer-a/alice", "true")):
        assert refused(words[0], f"--name={name}", *words[1:]).startswith(f"invalid lab name {name!r}; use ")
    assert not labs.exists()


# --- status --------------------------------------------------------------------------------------------------------


def test_status_of_the_living_and_the_dead() -> None:
    alive("one")
    dead("two")
    with claimed("three"):
        lines = run("status").stdout.splitlines()
        told = {each["name"]: each["up"] for each in json.loads(run("status", "--json").stdout)["labs"]}
    assert lines == [
        f"one: up, design lake, intent {ARTICLE}, since 2026-01-02T03:04:05+00:00",
        *(f"  {node}" for node in NODES),
        "three: not up; remove its remains with: farshore lab down --name three",
        f"two: dead, design lake, intent {ARTICLE}, since 2026-01-02T03:04:05+00:00",
        *(f"  {node}" for node in NODES),
    ]
    assert told == {"one": True, "two": False, "three": False}


def test_status_of_one() -> None:
    alive("one")
    dead("two")
    assert run("status", "--name", "two").stdout.startswith("two: dead, ")


# --- nodes ---------------------------------------------------------------------------------------------------------

_OF_TENANTS, _OF_PROVIDER = ("ce", "nat", "proxy"), ("router", "nat", "last-hop", "proxy", "edge")


def kind_of_node(name: NodeName) -> str:
    """Return a node as the documents name its kind."""
    if name.owner == "internet":
        return name
    if name.owner == "provider":
        return name if name.local in _OF_PROVIDER else "provider/SERVICE"
    return f"TENANT/{name.local if name.local in _OF_TENANTS else 'HOST'}"


def test_the_nodes_that_are_documented_are_those_that_labs_have() -> None:
    examples = (load(REPOSITORY / "examples" / f"{name}.yaml").intent for name in ("article", "ten-tenants"))
    fabrics = [
        build(intent, plan, design)
        for intent in examples
        if intent is not None and (plan := allocate(intent).plan) is not None
        for design in ("lake", "last-hop", "appliance")
    ]
    found = {kind_of_node(name) for fabric in fabrics for name in namespaced_nodes(fabric)}
    page = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = [
        line.split("|")[1]
        for line in page.splitlines()
        if line.startswith(("| `TENANT/", "| `provider/", "| `internet/"))
    ]
    assert {name for row in rows for name in re.findall("`(.+?)`", row)} == found
    assert execute.help is not None
    assert set(re.findall(r"(?:TENANT|provider|internet)/[\w-]+", execute.help)) <= found


# --- exec ----------------------------------------------------------------------------------------------------------


def test_exec_in_a_node_that_is_not_there() -> None:
    alive("one")
    assert refused("exec", "customer-a/alicia", "true") == (
        "lab 'one' has no node 'customer-a/alicia'; did you mean customer-a/alice?"
    )
    assert refused("exec", "x", "true") == f"lab 'one' has no node 'x'; its nodes are {', '.join(NODES)}"


def test_exec_of_a_program_that_is_not_there_ends_as_in_a_shell() -> None:
    alive("one")
    with pytest.raises(ProgramNotFoundError) as raised:
        run("exec", "customer-a/alice", "--", "no-such-program", "--with", "-x")
    assert (raised.value.exit_status, str(raised.value)) == (
        127,
        "no-such-program: this program is not installed on this machine",
    )


def test_exec_with_an_option_behind_the_node_says_where_it_belongs() -> None:
    alive("one")
    assert refused("exec", "customer-a/alice", "--name", "one", "--", "true") == (
        "--name stands where the program is expected; "
        "write options before the node: farshore lab exec --name NAME NODE -- PROGRAM"
    )


def test_exec_of_what_is_no_program_ends_as_in_a_shell(tmp_path: Path) -> None:
    alive("one")
    script = tmp_path / "a script"
    script.write_text("true", encoding="utf-8")
    for path, cause in ((tmp_path, "this is a directory; name a program"), (script, "this file is not executable; ")):
        with pytest.raises(NotExecutableError, match=cause) as raised:
            run("exec", "customer-a/alice", "--", str(path))
        assert raised.value.exit_status == 126
    assert str(raised.value).endswith(f"run: chmod +x '{script}'")


def test_up_with_an_unknown_design_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no design 'lakes'; did you mean lake\?"):
        run("up", ARTICLE, "--design", "lakes")


def test_exec_needs_a_program() -> None:
    alive("one")
    assert run("exec", "customer-a/alice").exit_code == EXIT_BAD_INPUT
    assert refused("exec", "customer-a/alice", "--") == "no program given; write farshore lab exec NODE -- PROGRAM"


def test_exec_in_a_lab_that_is_still_being_made_or_was_never_finished() -> None:
    with claimed("one"):
        assert "is not up; remove its remains" in refused("exec", "customer-a/alice", "true")
    with entry("one").locked():
        pass
    assert "is not up; remove its remains" in refused("exec", "customer-a/alice", "true")


# --- down ----------------------------------------------------------------------------------------------------------


def test_down_clears_away_what_is_dead(labs: Path) -> None:
    dead("one")
    result = run("down")
    assert (result.exit_code, result.stdout) == (0, "lab one is down\n")
    assert not labs.exists()
    assert labs.parent.exists()


def test_down_leaves_the_others(labs: Path) -> None:
    alive("one")
    dead("two")
    assert run("down", "--name", "two").exit_code == 0
    assert [entry.name for entry in labs.iterdir()] == ["one"]


# --- run -----------------------------------------------------------------------------------------------------------

RESULTS = (
    check.Result("alice reaches portal", Outcome.REACH, "reach"),
    check.Result("bill reaches portal", Outcome.REACH, "source 10.1.1.1, expected 100.65.1.1"),
    check.Result("alice forges", Outcome.BLOCK, "block"),
)


def test_a_report_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    print_text(RESULTS, show_all=False)
    assert capsys.readouterr().out == (
        "DIFFERS  reach  bill reaches portal: observed source 10.1.1.1, expected 100.65.1.1\n"
        "1 of 2 allowed flows pass, 1 of 1 forbidden flows are blocked\n"
    )
    print_text(RESULTS, show_all=True)
    assert capsys.readouterr().out.startswith("ok       reach  alice reaches portal\nDIFFERS")


def test_a_report_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(RESULTS)
    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "checks": [
            {"name": "alice reaches portal", "expected": "reach", "observed": "reach", "ok": True},
            {
                "name": "bill reaches portal",
                "expected": "reach",
                "observed": "source 10.1.1.1, expected 100.65.1.1",
                "ok": False,
            },
            {"name": "alice forges", "expected": "block", "observed": "block", "ok": True},
        ],
    }


def test_a_file_that_is_not_there_is_bad_input(labs: Path) -> None:
    for words in (("run",), ("up",)):
        done = farshore(labs, "lab", *words, "no-such.yaml")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("no-such.yaml:1:1: ")
    assert not labs.exists()


@pytest.mark.kernel
def test_the_article_for_real(labs: Path) -> None:
    done = farshore(labs, "lab", "run", ARTICLE, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert all(each["observed"] == each["expected"] for each in report["checks"])
    expected = [each["expected"] for each in report["checks"]]
    assert (expected.count("reach"), expected.count("block")) >= (13, 60)
    names = [each["name"] for each in report["checks"]]
    assert len(set(names)) == len(names)
    assert "customer-a/alice reaches portal tcp/443 at 10.2.2.1" in names
    assert disagreeing(Path(ARTICLE), None, report) == {}
    assert not labs.exists()
