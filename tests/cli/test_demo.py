from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import click
import pytest
from cli_program import REPOSITORY, farshore
from click.testing import CliRunner, Result
from rich.text import Text

from farshore.cli.demo import command
from farshore.cli.demo.case import Case, Findings, read_case
from farshore.cli.demo.picture import Call, Marks, ascii_picture, path, picture
from farshore.cli.main import cli
from farshore.conformance.check import Exchange, Outcome
from farshore.conformance.check import Result as CheckResult
from farshore.conformance.exchanges import Fetched
from farshore.conformance.exchanges import ServiceAnswer as Seen
from farshore.conformance.topology import Topology
from farshore.design.catalogue import build
from farshore.intent.load import load_text
from farshore.plan.allocate import allocate
from farshore.realm import tenant_realm

WIDEST = 80
ESCAPE = "\x1b["


@pytest.fixture(scope="module")
def case() -> Case:
    return read_case()


SEEN = ("service", "port", "source", "source_port")


def good(case: Case) -> Findings:
    """Return what a lab shows in which everything is as planned."""
    fetched = [Fetched(Seen(t.service, t.port.number, str(t.seen_as), t.source_port), None) for t in case.fetches]
    checks = (case.allowed, *(refusal.check for refusal in case.refusals))
    return Findings(fetched, {c.name: CheckResult(c.name, c.expected, str(c.expected)) for c in checks})


def told(findings: Findings, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    """Run the command with these findings instead of a lab's."""
    monkeypatch.setattr(command, "_try", lambda _case: findings)
    return CliRunner().invoke(cli, ["demo", *options], env={"COLUMNS": "80", "FORCE_COLOR": None})


def drawn(intent_text: str, *tenants: str) -> Text:
    intent = load_text(intent_text, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    fabric = build(intent, plan, "lake")
    topology = Topology.of(intent, plan, fabric)
    calls = [
        Call(topology.hosts[name][0], plan.tenants[name].presents["portal"], topology.ports("portal")[0])
        for name in tenants
    ]
    return picture(fabric, calls, Marks(tuple(intent.tenants)))


# --- the case ------------------------------------------------------------------------------------------------------


def test_the_package_brings_the_article() -> None:
    packaged = Path(command.__file__).with_name("article.yaml")
    assert packaged.read_bytes() == (REPOSITORY / "examples" / "article.yaml").read_bytes()


def test_everybody_has_the_same_address_and_calls_from_the_same_port(case: Case) -> None:
    assert {node.name: str(node.address.ip) for node in (*case.hosts, case.service)} == {
        "customer-a/alice": "10.1.1.1",
        "customer-b/bill": "10.1.1.1",
        "provider/portal": "10.1.1.1",
    }
    assert (
        len({(exchange.source, exchange.source_port, exchange.destination, exchange.port) for exchange in case.fetches})
        == 1
    )
    assert [str(exchange.seen_as) for exchange in case.fetches] == ["100.65.0.1", "100.65.1.1"]


def test_who_refuses_what(case: Case) -> None:
    refused = [
        (refusal.what, refusal.device, refusal.why.removeprefix("dropped by ").split(": ")[0])
        for refusal in case.refusals
    ]
    assert refused == [
        ("customer-a/alice sends to tcp/9, which portal does not offer", "customer-a/nat", "the filter"),
        (
            "customer-a/alice sends from a forged source, a lake address of customer-b",
            "customer-a/nat",
            "anti-spoofing on wan",
        ),
        ("customer-a/ce sends directly to the lake address of portal", "customer-a/nat", "anti-spoofing on wan"),
        ("customer-a/ce sends to the lake address of customer-b", "customer-a/nat", "anti-spoofing on wan"),
        ("provider/portal sends an unsolicited packet to customer-a", "provider/nat", "the filter"),
    ]
    assert all(refusal.check.expected is Outcome.BLOCK for refusal in case.refusals)
    assert case.allowed.expected is Outcome.REACH


# --- the picture ---------------------------------------------------------------------------------------------------


def test_the_picture_is_the_one_in_the_readme(case: Case) -> None:
    plain = picture(case.fabric, case.calls, case.marks).plain
    assert plain in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert max(map(len, plain.splitlines())) <= WIDEST
    assert not any(line.endswith(" ") for line in plain.splitlines())


def test_the_picture_shows_what_the_portal_is_to_see(case: Case) -> None:
    for call, exchange in zip(case.calls, case.fetches, strict=True):
        legs, end = path(case.fabric, call)
        assert end is case.service
        assert (legs[-1].source.ip, legs[-1].destination) == (exchange.seen_as, case.service.address)


def test_the_picture_follows_the_plan() -> None:
    article = (REPOSITORY / "examples" / "article.yaml").read_text(encoding="utf-8")
    moved = drawn(article.replace("100.64.0.0/10", "198.18.0.0/15"), "customer-a", "customer-b").plain
    assert "100.6" not in moved
    assert moved.count("to   198.18.0.1 L") == 2


def test_any_number_of_tenants_and_a_source_that_is_translated_again() -> None:
    tenants = ("aurora", "borealis", "cascade", "delta", "glacier")
    picture_of_five = drawn((REPOSITORY / "examples" / "ten-tenants.yaml").read_text(encoding="utf-8"), *tenants).plain
    rows = picture_of_five.splitlines()
    for name in tenants:
        assert sum(row.startswith(f" {name} (") for row in rows) == 1
    assert picture_of_five.count("┤ portal ") == 1
    assert picture_of_five.count("from 10.250.") == len(tenants)
    corners = [next(i for i, row in enumerate(rows) if c in row) for c in "╗╨╥╝"]
    trunk = rows[corners[0]].index("╗")
    assert corners == sorted(corners)
    for row in rows[corners[0] + 1 : corners[1]] + rows[corners[2] + 1 : corners[3]]:
        assert row[trunk] in "║╣"


def test_colours_are_those_of_the_realms(case: Case) -> None:
    text = picture(case.fabric, case.calls, case.marks)
    colours = {text.plain[span.start : span.end]: span.style for span in text.spans}
    assert colours["from 10.1.1.1 A"] == "blue"
    assert colours["from 10.1.1.1 B"] == "green"
    assert colours["from 100.65.1.1 L"] == "cyan"
    assert colours["to   10.1.1.1 P"] == "magenta"


def test_a_picture_for_terminals_that_know_ascii_only(case: Case) -> None:
    text = picture(case.fabric, case.calls, case.marks)
    plain = ascii_picture(text)
    assert plain.plain.isascii()
    assert [len(line) for line in plain.plain.splitlines()] == [len(line) for line in text.plain.splitlines()]
    assert plain.spans == text.spans


def test_letters_tell_realms_apart_however_many_there_are() -> None:
    names = tuple(f"tenant-{number}" for number in range(100))
    marks = Marks(names)
    letters = [marks.letter(tenant_realm(name)) for name in names]
    assert len(set(letters)) == len(letters)
    assert not set(letters) & {"L", "P", "I"}
    assert (letters[0], letters[22], letters[23]) == ("A", "Z", "A2")


# --- what was seen, and what it is held against --------------------------------------------------------------------


def test_as_planned(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    result = told(good(case), monkeypatch)
    assert result.exit_code == 0
    assert "DIFFERS" not in result.stdout
    told_lines, _, _ = result.stdout.partition("Next commands")
    assert all(len(line) <= WIDEST for line in told_lines.splitlines())
    assert "Why it works" in result.stdout


def test_what_it_says_to_try_next_can_be_tried(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    _, _, advice = told(good(case), monkeypatch).stdout.partition("Next commands\n\n")
    commands = [line.partition("  # ")[0].split()[1:] for line in advice.splitlines()]
    assert {words[0] for words in commands} == {"lab", "walk"}
    for words in commands:
        assert not [word for word in words if word.endswith(".yaml") and not Path(word).exists()]
        # Parses the arguments, or raises what would be exit status 2, and does nothing.
        called: click.Command | None = cli
        name, arguments, parent = "farshore", words, None
        while isinstance(called, click.Group):
            parent = called.make_context(name, list(arguments), parent=parent)
            name, called, arguments = called.resolve_command(parent, list(arguments))
        assert called is not None
        called.make_context(name, list(arguments), parent=parent)


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (Seen("portal", 80, "10.1.1.1", 41641), "source 10.1.1.1, expected 100.65.0.1"),
        (Seen("mail", 80, "100.65.0.1", 41641), "reply from mail, expected portal"),
        (Seen("portal", 80, "100.65.0.1", 7), "source port 7, expected 41641"),
        (None, "no answer: timed out"),
    ],
)
def test_a_fetch_that_differs(case: Case, seen: Seen | None, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = Fetched(seen, None if seen else "no answer: timed out")
    findings = replace(good(case), fetched=[fetched, good(case).fetched[1]])
    result = told(findings, monkeypatch)
    assert result.exit_code == 1
    assert f"customer-a/alice: {says}" in result.stdout
    assert "DIFFERS" in result.stdout
    assert "Why it works" not in result.stdout
    report = json.loads(told(findings, monkeypatch, "--json").stdout)
    assert (report["ok"], report["fetches"][0]["ok"], report["fetches"][1]["ok"]) == (False, False, True)
    assert report["fetches"][0]["reason"] == says


def test_a_port_of_the_host_s_own_block_is_as_planned(case: Case) -> None:
    exchange: Exchange = replace(case.fetches[0], seen_ports=(1024, 1151))
    answers = {
        port: Fetched(Seen("portal", 80, "100.65.0.1", port), None).difference(exchange) for port in (1023, 1024, 1151)
    }
    assert answers == {1023: "source port 1023, expected 1024-1151", 1024: None, 1151: None}


def test_what_must_be_refused_and_is_not(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = good(case)
    name = case.refusals[1].check.name
    results = {**findings.results, name: CheckResult(name, Outcome.BLOCK, "reach")}
    result = told(replace(findings, results=results), monkeypatch)
    assert result.exit_code == 1
    assert f"{name}: expected block, observed reach" in result.stdout


def test_silence_proves_nothing_where_the_allowed_packet_is_lost_too(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = good(case)
    results = {**findings.results, case.allowed.name: CheckResult(case.allowed.name, Outcome.REACH, "block")}
    result = told(replace(findings, results=results), monkeypatch)
    assert result.exit_code == 1
    assert "arrives" not in result.stdout


# --- for real ------------------------------------------------------------------------------------------------------


@pytest.mark.kernel
def test_for_people(tmp_path: Path) -> None:
    labs = tmp_path / "labs"
    done = farshore(labs, "demo", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^alice +10\.1\.1\.1 A port 41641 +100\.65\.0\.1 L port 41641 +as planned$", done.stdout, re.M)
    assert re.search(r"^bill +10\.1\.1\.1 B port 41641 +100\.65\.1\.1 L port 41641 +as planned$", done.stdout, re.M)
    assert done.stdout.count("  blocked  ") == 5
    assert ESCAPE not in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.kernel
def test_for_programs(tmp_path: Path, case: Case) -> None:
    done = farshore(tmp_path / "labs", "demo", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert report["plan"]["tenants"]["customer-a"]["presents"] == {"portal": "10.2.2.1"}
    assert [{k: fetch["seen"][k] for k in SEEN} for fetch in report["fetches"]] == [
        {"service": "portal", "port": 80, "source": "100.65.0.1", "source_port": 41641},
        {"service": "portal", "port": 80, "source": "100.65.1.1", "source_port": 41641},
    ]
    assert [r["name"] for r in report["blocked"]] == [refusal.check.name for refusal in case.refusals]
    assert {r["observed"] for r in report["blocked"]} == {"block"}


def test_colours_on_a_terminal_and_none_where_they_are_not_wanted(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_try", lambda _case: good(case))
    terminal = {"COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "xterm-256color", "NO_COLOR": None}
    coloured = CliRunner().invoke(cli, ["demo"], env=terminal).stdout
    assert f"{ESCAPE}34m10.1.1.1 A" in coloured
    assert f"{ESCAPE}35m10.1.1.1 P" in coloured
    plain = CliRunner().invoke(cli, ["demo"], env={**terminal, "NO_COLOR": "1"}).stdout
    assert not re.search(r"\x1b\[(3|9)\d", plain)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == re.sub(r"\x1b\[[0-9;]*m", "", plain)
