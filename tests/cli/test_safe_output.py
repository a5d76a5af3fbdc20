"""Nothing that a file, its name or the command line contains controls a terminal, in any command, in any value."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from cli_program import REPOSITORY, farshore
from rich.console import Console
from rich.text import Text
from terminal import in_terminal

from farshore.cli.command import print_document
from farshore.cli.console import LogFormatter, cell, say, spelled, table
from farshore.cli.main import COMMANDS
from farshore.errors import printable, shell_word
from farshore.intent.load import load
from farshore.walk.draw import svg
from in_process import Ended, run

MARK = "FORGED"
# OSC, CSI, and C1 sequences, BEL, backspace, DEL, newlines of all kinds, bidirectional controls, invisible characters,
# a byte that is not UTF-8, half of a surrogate pair, and the markups of rich, XML and shells.
EVIL = (
    "\x1b]0;mine\x07\x1b[31m\x1bc\x9b31m\x9d0;mine\x9c\x08\x7f\x85"
    f"\n{MARK}\r{MARK}\x0b{MARK}\x0c{MARK}\u2028{MARK}\u2029{MARK}"
    "\u202emine\u2066\u200f\u200b\ufeff\xad\udcff\U000e0041[red]x[/red]<b>&amp;'\"$(id)`id`"
)
# What a file can say, escaped, and a command line cannot: half of a pair, and NUL.
EVIL_VALUE = f"{EVIL}\ud800\0"
ARTICLE = REPOSITORY / "examples" / "article.yaml"
EVERY_KEY = """\
version: 1
design: lake
provider:
  name: acme
  networks: [10.1.1.0/24]
  lake: 100.64.0.0/10
  source: keep
  hosts: {monitor: 10.1.1.9}
  reaches: [{tenant: customer-a, ports: [tcp/22, icmp]}]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443], dns: portal.acme.example, internet: 192.0.2.1}
    news: {address: 10.1.1.2, ports: [tcp/80], signed-header: news.key, design: appliance}
    mail: {address: 10.1.1.3, ports: [udp/80], proxy-protocol: v2, design: appliance}
tenants:
  customer-a:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: {portal: 10.2.2.1}
    sources: {10.1.1.0/24: {pool: 2}}
    hosts: {alice: 10.1.1.1}
    limits: {sessions: 5, rate: 100}
    design: lake
"""


def unsafe(text: str) -> list[str]:
    """Return the lines that a terminal must not get, or that someone else has begun."""
    return [line for line in text.split("\n") if not line.isprintable() or line.startswith(MARK)]


def safe(words: Sequence[str]) -> Ended:
    """Run a command line and hold that it controls no terminal."""
    ended = run(words)
    assert unsafe(ended.out) == []
    assert unsafe(ended.err) == []
    return ended


def paths(value: object, above: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Yield where every key and every single value of a document is."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*above, key)
            yield from paths(below, (*above, key))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from paths(below, (*above, number))


def with_evil(path: tuple[object, ...], *, as_key: bool) -> str:
    """Return the intent with evil as the value, or as the key, at one place."""
    document = yaml.safe_load(EVERY_KEY)
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    last = path[-1]
    if as_key and isinstance(inner, dict):
        changed = {EVIL_VALUE if key == last else key: value for key, value in inner.items()}
        inner.clear()
        inner.update(changed)
    else:
        inner[last] = EVIL_VALUE
    return json.dumps(document)  # which YAML reads, escapes and all


PLACES = list(paths(yaml.safe_load(EVERY_KEY)))


@pytest.mark.parametrize("as_key", [False, True], ids=["value", "key"])
@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_no_value_of_an_intent_controls_the_terminal(tmp_path: Path, path: tuple[object, ...], as_key: bool) -> None:
    file = tmp_path / "intent.yaml"
    file.write_text(with_evil(path, as_key=as_key), encoding="ascii")
    ended = safe(["check", str(file)])
    assert ended.status == 2
    safe(["plan", str(file)])
    document = json.loads(safe(["check", str(file), "--json"]).out)
    assert not document["ok"]


# --- the names of files -----------------------------------------------------------------------------

NAME = EVIL.replace("/", "")[:150]  # a name has 255 bytes at most
HOSTILE_FILE = "FILE"
ARGUMENTS: dict[str, list[list[str]]] = {
    "check": [["FILE"], ["FILE", "--json"]],
    "completion": [["EVIL"], ["bash", "EVIL"]],
    "demo": [["EVIL"], ["--EVIL"], ["--json=EVIL"]],
    "designs": [["BAD"], ["FILE"], ["FILE", "--json"], ["FILE", "EVIL"]],
    "diff": [["FILE", "FILE"], ["FILE", "FILE", "--json"], ["FILE", "FILE", "--only", "EVIL"], ["FILE", "BAD"]],
    "lab": [
        ["EVIL"],
        ["up", "FILE", "--name", "EVIL"],
        ["up", "FILE", "--own-server", "EVIL"],
        ["up", "FILE", "--design", "EVIL"],
        ["up", "BAD"],
        ["run", "BAD"],
        ["run", "FILE", "--design", "EVIL"],
        ["apply", "FILE"],
        ["apply", "FILE", "--name", "EVIL"],
        ["status", "--name", "EVIL"],
        ["down", "--name", "EVIL"],
        ["exec", "EVIL", "--", "EVIL"],
        ["exec", "--name", "EVIL", "EVIL", "EVIL"],
    ],
    "man": [["EVIL"], ["--into", "BAD/EVIL"], ["lab", "EVIL"]],
    "plan": [["FILE"], ["FILE", "--json"], ["BAD"]],
    "prove": [["BAD"], ["FILE"], ["FILE", "--json"], ["FILE", "--design", "EVIL"], ["FILE", "--profile", "EVIL"]],
    "schema": [["EVIL"], ["--EVIL"]],
    "walk": [
        ["BAD", "--from", "customer-a/alice", "--to", "portal"],
        ["FILE", "--from", "EVIL", "--to", "portal"],
        ["FILE", "--from", "customer-a/alice", "--to", "EVIL"],
        ["FILE", "--from", "customer-a/EVIL", "--to", "portal:EVIL"],
        ["FILE", "--from", "customer-a/alice", "--to", "portal", "--design", "EVIL"],
        ["FILE", "--from", "customer-a/alice", "--to", "portal", "--profile", "EVIL"],
        ["FILE", "--from", "customer-a/alice", "--to", "portal"],
        ["FILE", "--from", "customer-a/alice", "--to", "portal", "--json"],
        ["FILE", "--from", "customer-a/alice", "--to", "portal", "--svg", "SVG"],
        ["FILE", "--from", "customer-a/alice", "--to", "portal", "--svg", "-"],
        ["FILE", "--from", "customer-a/alice", "--to", "portal", "--svg", "BAD/EVIL"],
        ["FILE", "--from", "customer-a/alice", "--to", "portal", "--live", "--name", "EVIL"],
        ["FILE", "--from", "EVIL", "--EVIL"],
    ],
}
LINES = [(command, words) for command, each in ARGUMENTS.items() for words in each]


def test_every_command_is_tried() -> None:
    assert ARGUMENTS.keys() == COMMANDS.keys()


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return what the words in capitals stand for: files with evil names, one good and one bad, and evil itself."""
    monkeypatch.setenv("FARSHORE_LABS", str(tmp_path / "labs"))
    good, bad = tmp_path / NAME, tmp_path / f"{NAME}.bad"
    good.write_bytes(ARTICLE.read_bytes())
    bad.write_text(with_evil(("provider", "name"), as_key=False), encoding="ascii")
    return {"FILE": str(good), "BAD": str(bad), "EVIL": EVIL, "SVG": f"{good}.svg"}


def put_in(word: str, hostile: dict[str, str]) -> str:
    """Return a word with what the capitals in it stand for."""
    return re.sub("FILE|BAD|EVIL|SVG", lambda found: hostile[found[0]], word)


@pytest.mark.parametrize(("command", "words"), LINES, ids=[" ".join((command, *words)) for command, words in LINES])
def test_no_word_controls_the_terminal(hostile: dict[str, str], command: str, words: list[str]) -> None:
    ended = safe([command, *(put_in(word, hostile) for word in words)])
    assert "Traceback" not in ended.err
    if "--json" in words and ended.status != 2:
        json.loads(ended.out)
    drawn = Path(hostile["SVG"])
    for drawing in [ended.out] if words[-1] == "-" else [drawn.read_text(encoding="utf-8")] if drawn.exists() else []:
        ElementTree.fromstring(drawing)  # noqa: S314 - our own drawing
        assert unsafe(drawing) == []


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_an_option_or_a_command_that_does_not_exist(command: str) -> None:
    for words in ([command, f"--{EVIL}"], [command, EVIL, EVIL, EVIL, EVIL], [EVIL], [f"--{EVIL}", command]):
        assert safe(words).status == 2


def test_json_keeps_the_name_of_a_file(hostile: dict[str, str]) -> None:
    document = json.loads(safe(["check", hostile["BAD"], "--json"]).out)
    assert {each["file"] for each in document["diagnostics"]} == {hostile["BAD"]}


def test_a_real_process_shows_it_likewise(hostile: dict[str, str], tmp_path: Path) -> None:
    """Names that are not UTF-8 come from the kernel as bytes."""
    for words in (["check", hostile["BAD"]], ["check", hostile["FILE"]], ["plan", hostile["BAD"]], ["nope\x1b[31m"]):
        ended = farshore(tmp_path / "labs", *words)
        assert unsafe(ended.stdout + ended.stderr) == []
        assert ended.stdout + ended.stderr != ""


@pytest.mark.parametrize("words", [["check", "BAD"], ["check", "FILE"], ["plan", "BAD"], ["plan", "EVIL"], ["EVIL"]])
def test_a_real_terminal_is_shown_it_likewise(hostile: dict[str, str], words: list[str]) -> None:
    shown = in_terminal(60, *(put_in(word, hostile) for word in words))
    assert unsafe(shown) == []
    assert "\\x1b]0;mine" in shown


def test_a_suggested_command_is_one_that_a_shell_takes(hostile: dict[str, str]) -> None:
    err = safe(["lab", "apply", hostile["FILE"], "--name", "none"]).err
    assert "no lab 'none'; create one with: farshore lab up FILE" in err
    word = shell_word(hostile["FILE"])
    assert word.isprintable()
    done = subprocess.run(["bash", "-c", f"cat {word}"], capture_output=True, check=True)
    assert done.stdout == ARTICLE.read_bytes()


# --- the ways to the terminal -----------------------------------------------------------------------


@contextlib.contextmanager
def terminal() -> Iterator[Console]:
    """Yield a console that takes its file for a terminal, without colours, so that every ESC is one too many."""
    yield Console(file=io.StringIO(), force_terminal=True, color_system=None, width=60, soft_wrap=True)


def written(console: Console) -> str:
    """Return what has been written to such a console."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_lines_and_tables() -> None:
    with terminal() as console:
        say(console, EVIL, "red", lead=EVIL)
        say(console, Text.assemble((EVIL, "bold"), "plain"), fold=True)
        console.print(spelled(console, Text(EVIL)))
        table(console, ("one", "two"), [(cell(EVIL), cell(EVIL, "red"))])
    assert unsafe(written(console)) == []
    assert "\\x1b]0;mine\\x07" in written(console)
    assert "[red]x[/red]" in written(console)


def test_what_is_escaped_keeps_its_style() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=200)
    say(console, Text.assemble(("a\x1bb", "red"), "c"), fold=False)
    assert written(console).replace("\x1b[31m", "").replace("\x1b[0m", "") == "a\\x1bbc\n"
    assert re.match(r"(\x1b\[31m.+?\x1b\[0m)+c", written(console))


def test_log_messages() -> None:
    def fail() -> None:
        raise ValueError(EVIL)

    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LogFormatter("%(levelname)s %(message)s"))
    logger = logging.Logger("test_safe_output")
    logger.addHandler(handler)
    logger.warning("seen: %s", EVIL)
    try:
        fail()
    except ValueError:
        logger.exception("failed")
    first, *rest = stream.getvalue().split("\n")
    assert unsafe(first) == []
    assert first.startswith("WARNING seen: \\x1b]0;mine")
    assert all(line.isprintable() for line in rest)
    assert any(line.startswith("Traceback") for line in rest)


def test_documents_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    value = {EVIL_VALUE: [EVIL_VALUE, "é → 日本", {"x": 1}]}
    print_document(value)
    out = capsys.readouterr().out
    assert unsafe(out) == []
    assert json.loads(out) == value
    assert "é → 日本" in out


def test_documents_where_the_encoding_lacks_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    latin = io.TextIOWrapper(io.BytesIO(), "latin-1", "replace", write_through=True)
    monkeypatch.setattr(sys, "stdout", latin)
    print_document({"a": "→ é"})
    assert isinstance(latin.buffer, io.BytesIO)
    assert json.loads(latin.buffer.getvalue().decode("latin-1")) == {"a": "→ é"}


def test_drawings() -> None:
    text = svg.document(10, 10, EVIL, EVIL, [svg.text(0, 0, EVIL, 9, width=50), svg.element("g", title=EVIL)])
    root = ElementTree.fromstring(text)  # noqa: S314 - our own drawing
    assert unsafe(text) == []
    assert root.findtext("{http://www.w3.org/2000/svg}title") == printable(EVIL)


def test_diagnostics_are_one_line_each(tmp_path: Path) -> None:
    for each in load(tmp_path / f"a{EVIL.replace('/', '')[:90]}").diagnostics:
        assert str(each).isprintable()


def test_what_is_printable_stays_as_it_is() -> None:
    assert printable("é → 日本 👍 a b") == "é → 日本 👍 a b"
    assert printable("\x1b\n\x9b\u202e\udcff") == "\\x1b\\n\\x9b\\u202e\\udcff"
