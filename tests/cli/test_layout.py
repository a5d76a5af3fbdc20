"""Reports in terminals of several widths: what fits is not folded, and no name or address is ever broken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_program import REPOSITORY, farshore
from terminal import in_terminal

GOLDEN = Path(__file__).parent / "golden"
ARTICLE = "examples/article.yaml"
WALK = ("walk", ARTICLE, "--from", "customer-a/alice", "--to", "portal")
REPORTS: dict[str, tuple[str, ...]] = {
    "check": ("check", "bad.yaml"),
    "plan": ("plan", "examples/ten-tenants.yaml"),
    "designs": ("designs", ARTICLE),
    "walk": WALK,
    "walk-single-nat": (*WALK, "--design", "single-nat"),
    "prove": ("prove", ARTICLE),
    "prove-single-nat": ("prove", ARTICLE, "--design", "single-nat"),
    "diff": ("diff", "examples/ten-tenants.yaml", "fewer.yaml"),
}
WORD = re.compile(r"\S+")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
BAR = re.compile(r"^.*\r", re.M)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the examples, a file with errors, and a change of an example."""
    there = tmp_path_factory.mktemp("layout")
    (there / "examples").symlink_to(REPOSITORY / "examples")
    article = (REPOSITORY / ARTICLE).read_text(encoding="utf-8")
    (there / "bad.yaml").write_text(article.replace("10.2.2.0/28", "10.1.1.0/28").replace("tcp/443", "tcp/0"))
    ten = (REPOSITORY / "examples" / "ten-tenants.yaml").read_text(encoding="utf-8")
    (there / "fewer.yaml").write_text(ten.replace("[portal, dns, syslog]", "[portal, dns]"))
    return there


def shown(width: int, folder: Path, *arguments: str, **environment: str) -> str:
    """Return what stands in the terminal at the end: without what a bar has drawn and taken away again."""
    text = CONTROL.sub("", in_terminal(width, *arguments, folder=folder, **environment))
    return BAR.sub("", text)


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("name", REPORTS)
def test_golden(name: str, width: int, folder: Path, request: pytest.FixtureRequest) -> None:
    text = shown(width, folder, *REPORTS[name])
    path = GOLDEN / f"terminal-{name}-{width}.txt"
    if request.config.getoption("--update-goldens"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("name", REPORTS)
def test_no_line_is_too_wide_and_every_word_is_whole(name: str, width: int, folder: Path) -> None:
    text = shown(width, folder, *REPORTS[name])
    assert max(map(len, text.splitlines())) <= width
    # The widest terminal folds nothing in the middle of a word: its words are all there are.
    whole = {word.rstrip(":") for word in WORD.findall(shown(1000, folder, *REPORTS[name]))}
    # Blocks have words of their own, and numbers with full stops.
    whole |= {"request", "reply", "packet", "before", "after"}
    words = [word.rstrip(":") for word in WORD.findall(text)]
    assert [word for word in words if word not in whole and not word.rstrip(".").isdecimal()] == []


@pytest.mark.parametrize("name", ["prove-single-nat", "walk-single-nat", "check"])
@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": "dumb", "NO_COLOR": ""}, {"LC_ALL": "C"}])
def test_any_terminal_shows_the_same_words(name: str, environment: dict[str, str], folder: Path) -> None:
    plain, other = shown(60, folder, *REPORTS[name]), shown(60, folder, *REPORTS[name], **environment)
    if "LC_ALL" in environment:
        assert max(map(len, other.splitlines())) <= 60
    else:
        assert other == plain
        assert "\x1b" not in in_terminal(60, *REPORTS[name], folder=folder, **environment)


def test_a_record_is_one_line_in_a_pipe(tmp_path: Path) -> None:
    lines = farshore(tmp_path, "prove", ARTICLE).stdout.splitlines()
    assert [line for line in lines if line.startswith("✓ internet-containment") and line.endswith("checked)")]
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nprovider: {}\ntenants: {}\n" + "x" * 100 + ": 1\n")
    errors = farshore(tmp_path, "check", str(bad)).stderr.splitlines()
    assert errors
    assert all(line.startswith(f"{bad}:") for line in errors)


def test_columns_says_how_wide_a_walk_is_in_a_pipe(tmp_path: Path) -> None:
    narrow, wide = (farshore(tmp_path, *WALK, COLUMNS=width).stdout.splitlines() for width in ("60", "200"))
    assert max(map(len, narrow)) <= 60 < max(map(len, wide))


@pytest.mark.parametrize("words", [(), ("walk",), ("lab", "exec"), ("prove",), ("diff",)])
@pytest.mark.parametrize("width", [60, 80, 200])
def test_help_keeps_names_whole(words: tuple[str, ...], width: int, tmp_path: Path) -> None:
    told = in_terminal(width, *words, "--help")
    assert max(map(len, told.splitlines())) <= min(width, 80)
    if "--design" in told:
        assert all(f" {name}" in told for name in ("single-nat", "last-hop-plain"))
    # Every example can be copied: where it is folded, the shell puts it together again.
    script = told.partition("Examples:\n")[2].partition("\nExit status")[0]
    assert script.strip()
    assert all(line.startswith("  ") for line in script.splitlines())
    assert tmp_path.exists()
