"""Mutated intent files, records and command lines: whatever comes, an answer with a fix, and never a traceback.

``make test`` tries for some seconds from one seed. ``make fuzz`` takes a new seed, and FUZZ_SECONDS for each of both,
by default ten minutes. A failing input is written to ``build/fuzz``: with the fault out of the way it moves to
``tests/fuzz/corpus``.
"""

from __future__ import annotations

import io
import json
import os
import random
import shlex
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fuzzing import Found, Target, fuzz
from mutation import STRANGE, mutated

from farshore.design.catalogue import DESIGNS
from farshore.engine.nftables.desired import compile_fabric
from farshore.errors import BadInputError, MachineError, Severity, UsageError, printable
from farshore.intent.load import load_text
from farshore.lab.record import InvalidRecordError, Record, read_record, write_record
from farshore.lab.registry import claimed, entry
from farshore.machine import inside
from farshore.pipeline import stages
from farshore.plan.document import document
from in_process import run

REPOSITORY = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
FINDINGS = REPOSITORY / "build" / "fuzz"
# In a test the seed is always the same: what fails fails again.
SECONDS = float(os.environ.get("FUZZ_SECONDS", "4"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
LEAST = 100
_LARGEST_BUILT = 300  # nodes of a fabric that is compiled too

INTENTS = [
    path.read_text(encoding="utf-8")
    for folder in (CORPUS, REPOSITORY / "examples", REPOSITORY / "tests/intent/bad", REPOSITORY / "tests/plan/bad")
    for path in sorted(folder.glob("*.yaml"))
]
LINES = [
    shlex.split(line, comments=True)
    for line in (CORPUS / "commands.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def report(found: Found[Any], name: str, text: str) -> str:
    """Return what a failing test says, with the input, which is kept in a file."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    path = FINDINGS / name
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return f"seed {SEED}, input {found.tried:,}: {found.error!r}\n{path}:\n{text}"


def tell(found: Found[Any], name: str) -> None:
    """Print how far a fuzzer came, which pytest shows with -s."""
    sys.stdout.write(f"{name}: {found.tried:,} inputs, {found.features:,} features, seed {SEED}\n")


# --- intent files -----------------------------------------------------------------------------------


def try_intent(text: str) -> Hashable:
    """Take a text through every pure stage. Returns the codes of its diagnostics, and what each design makes of it."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    checked = stages.check(load_text(text, "fuzz.yaml"))
    for each in checked.diagnostics:
        assert str(each).isprintable()
        assert each.problem
        assert each.fix
        assert 1 <= each.position.line <= len(lines)
        assert 1 <= each.position.column <= len(lines[each.position.line - 1]) + 1
    codes = frozenset(each.code for each in checked.diagnostics)
    refused = any(each.severity is Severity.ERROR for each in checked.diagnostics)
    assert refused == bool(checked.errors)
    if refused:
        with pytest.raises(BadInputError):
            assert checked.planned
        return codes
    planned = checked.planned
    json.dumps(document(planned.intent, planned.plan))
    return codes, tuple(built(planned, design) for design in DESIGNS)


def built(planned: stages.Planned, design: str) -> Hashable:
    """Build a plan by one design, compile what is small enough, and walk its first packet."""
    try:
        fabric = stages.build(planned, design).runnable.fabric
    except BadInputError as error:
        return frozenset(each.code for each in error.diagnostics)
    tenant = next(iter(planned.intent.tenants.values()), None)
    walked = None
    if tenant is not None and tenant.subscriptions:
        made = stages.build(planned, design)
        hosts = [each for each in fabric.end_systems if each.name.owner == tenant.name]
        service = next(iter(tenant.subscriptions))
        name = service if isinstance(service, str) else service.service
        walked = stages.walk(made, hosts[0].name, name).delivered if hosts else None
    if len(fabric.nodes) <= _LARGEST_BUILT and not fabric.proxies:
        compile_fabric(fabric)
    return walked


def smaller_text(text: str) -> Iterator[str]:
    """Yield a text without some of its lines, or a text of one line without some characters."""
    parts = text.split("\n") if "\n" in text else list(text)
    joint = "\n" if "\n" in text else ""
    size = max(len(parts) // 2, 1)
    while len(parts) > 1:
        for start in range(0, len(parts), size):
            yield joint.join(parts[:start] + parts[start + size :])
        if size == 1:
            return
        size = max(size // 2, 1)


def test_mutated_intents() -> None:
    found = fuzz(Target(try_intent, mutated, smaller_text), INTENTS, SEED, SECONDS, LEAST)
    tell(found, "intent files")
    if found.failing is not None:
        raise AssertionError(report(found, "intent.yaml", found.failing)) from found.error


# --- records of labs --------------------------------------------------------------------------------

RECORD = Record("mine", 7, 8, 0, "lake", "/i.yaml", "2026-01-01T00:00:00+00:00", ("customer-a/alice", "provider/nat"))


def try_record(text: str) -> Hashable:
    """Read a text as a record. Returns why it is none."""
    try:
        record = read_record(text.encode("utf-8", "surrogatepass"), "mine", 0)
    except InvalidRecordError as error:
        return printable(str(error))
    assert (record.name, record.uid) == ("mine", 0)
    assert f"{record.design}{record.created}{''.join(record.nodes)}".isprintable()
    assert record.intent.startswith("/")
    assert read_record(write_record(record), "mine", 0) == record
    return "a record"


def test_mutated_records() -> None:
    corpus = [write_record(each).decode() for each in (RECORD, replace(RECORD, stays=True, nodes=()))]
    found = fuzz(Target(try_record, mutated, smaller_text), corpus, SEED, SECONDS / 4, LEAST)
    tell(found, "records")
    if found.failing is not None:
        raise AssertionError(report(found, "lab.json", found.failing)) from found.error


# --- command lines ----------------------------------------------------------------------------------

# What a line's words are made of besides those of other lines.
WORDS = (
    *(
        "check",
        "completion",
        "demo",
        "designs",
        "diff",
        "lab",
        "man",
        "plan",
        "prove",
        "schema",
        "walk",
        "up",
        "run",
        "exec",
    ),
    *(
        "apply",
        "status",
        "down",
        "good.yaml",
        "bad.yaml",
        "none.yaml",
        "folder",
        "fifo",
        "-",
        "",
        "--",
        "/dev/stdin",
        ".",
    ),
    *("--help", "-h", "--version", "--json", "--all", "--live", "--dry-run", "--log", "debug", "--design", "--profile"),
    *("--name", "one", "--only", "--from", "--to", "--svg", "out.svg", "--own-server", "--into", "out", "customer-a"),
    *("customer-a/alice", "customer-b/bill", "internet/host", "provider/portal", "portal", "portal:tcp/443", "lake"),
    *("last-hop", "appliance", "netfilter", "cisco-ios", "--json=1", "--name=", "--design=lake", "-x", "--jsn", "bash"),
)


def mutated_line(line: list[str], others: Sequence[list[str]], chance: random.Random) -> list[str]:
    """Return a command line with one to three changes."""
    words = list(line)
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(len(words) + 1)
        kind = chance.randrange(6)
        if kind == 0 or not words:
            words.insert(place, chance.choice(WORDS))
            continue
        place = min(place, len(words) - 1)
        match kind:
            case 1:
                words[place] = chance.choice(WORDS)
            case 2:
                del words[place]
            case 3:
                words[place] = mutated(words[place], [each for other in others for each in other][:200] or [""], chance)
            case 4:
                other = chance.choice(others)
                words[place:] = other[min(place, len(other)) :]
            case 5:
                words[place] = chance.choice(STRANGE)
    return [word.replace("\0", "") for word in words]  # no argument of a process has one


def try_line(line: list[str]) -> Hashable:
    """Run a command line. Returns its command, its status, and the beginning of what it says without numbers."""
    ended = run(line)
    assert ended.status in {0, 1, 2, 3, 126, 127}
    for text in (ended.out, ended.err):
        assert all(each.isprintable() for each in text.split("\n")), text
        assert "Traceback" not in text
    if ended.status in {2, 3}:
        assert (ended.err or ended.out).strip(), "an error says why"
    said = "".join(each for each in ended.err[:40] if not each.isdigit())
    return tuple(line[:1]), ended.status, said


def smaller_line(line: list[str]) -> Iterator[list[str]]:
    """Yield a line without one of its words, and with one of them shorter."""
    for place, word in enumerate(line):
        yield line[:place] + line[place + 1 :]
        if len(word) > 1:
            yield [*line[:place], word[: len(word) // 2], *line[place + 1 :]]
            yield [*line[:place], word[len(word) // 2 :], *line[place + 1 :]]


@pytest.fixture
def try_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], Hashable]:
    """Return what tries a line where there are files to name and a lab that has ended. It makes no lab."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARSHORE_LABS", str(tmp_path / "labs"))
    good = (REPOSITORY / "examples" / "article.yaml").read_bytes()
    Path("good.yaml").write_bytes(good)
    Path("bad.yaml").write_text("version: 2\n", encoding="utf-8")
    Path("folder").mkdir()
    os.mkfifo("fifo")
    created = "2026-01-01T00:00:00+00:00"
    record = Record("one", os.getpid(), 1, os.geteuid(), "lake", "/i.yaml", created, ("customer-a/alice",), stays=True)

    def none_is_made(*_arguments: object, **_named: object) -> None:
        raise MachineError("no lab is made in this test")

    def prepared(line: list[str]) -> Hashable:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(good)))
        if not entry("one").folder.exists():
            with claimed("one") as (here, _):
                here.write(record)
        return try_line(line)

    monkeypatch.setattr(inside, "creating", none_is_made)
    return prepared


def test_mutated_command_lines(try_there: Callable[[list[str]], Hashable]) -> None:
    found = fuzz(Target(try_there, mutated_line, smaller_line), LINES, SEED, SECONDS, LEAST)
    tell(found, "command lines")
    if found.failing is not None:
        raise AssertionError(report(found, "command.txt", shlex.join(found.failing))) from found.error


# --- the fuzzer itself ------------------------------------------------------------------------------


def test_it_finds_what_is_hidden_and_makes_it_small() -> None:
    """A fault behind three conditions, each of which shows by a feature of its own."""

    def fragile(text: str) -> Hashable:
        for reached, each in enumerate(("lake", "null", "010")):
            if each not in text:
                return reached
        raise UsageError("found")

    found = fuzz(Target(fragile, mutated, smaller_text), ["version: 1\nprovider: x\ntenants: y\n"], 1, 60, 10)
    assert isinstance(found.error, UsageError)
    assert found.failing is not None
    assert len(found.failing.split("\n")) <= 4
    assert found.features == 3


def test_the_same_seed_tries_the_same() -> None:
    texts: list[list[str]] = [[], []]
    for each in texts:

        def note(text: str, each: list[str] = each) -> Hashable:
            each.append(text)
            return len(text) % 7

        fuzz(Target(note, mutated, smaller_text), INTENTS[:5], 7, 0, 50)
    assert texts[0] == texts[1]
    assert len(texts[0]) == 55
