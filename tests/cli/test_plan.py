"""``farshore plan`` on every example, to the letter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from farshore.cli.main import cli
from farshore.errors import BadInputError

EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).parent / "golden"
NAMES = ("article", "ten-tenants", "several-networks")


def run(*arguments: str, **environment: str) -> Result:
    """Run the program; errors come out as they do from the command, for main() to print."""
    plain = {"COLUMNS": "100", "NO_COLOR": "1", "FORCE_COLOR": None, "TERM": "dumb"}
    return CliRunner().invoke(cli, arguments, env={**plain, **environment}, catch_exceptions=False)


@pytest.fixture
def full_lake(tmp_path: Path) -> Path:
    """Return the article's intent with a lake that is too small for it."""
    article = (EXAMPLES / "article.yaml").read_text(encoding="utf-8")
    path = tmp_path / "full.yaml"
    path.write_text(article.replace("100.64.0.0/10 ", "100.64.0.0/24 "), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("options", "suffix"), [((), "txt"), (("--json",), "json")])
def test_golden(name: str, options: tuple[str, ...], suffix: str, request: pytest.FixtureRequest) -> None:
    result = run("plan", str(EXAMPLES / f"{name}.yaml"), *options)
    assert result.exit_code == 0
    golden = GOLDEN / f"plan-{name}.{suffix}"
    if request.config.getoption("--update-goldens"):
        golden.write_text(result.output, encoding="utf-8")
    assert result.output == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(("options", "suffix"), [((), "txt"), (("--json",), "json")])
def test_golden_of_calls(options: tuple[str, ...], suffix: str, request: pytest.FixtureRequest) -> None:
    result = run("plan", str(Path(__file__).parents[1] / "semantics" / "intents" / "reached.yaml"), *options)
    golden = GOLDEN / f"plan-reached.{suffix}"
    if request.config.getoption("--update-goldens"):
        golden.write_text(result.stdout, encoding="utf-8")
    assert result.stdout == golden.read_text(encoding="utf-8")


def test_the_article_in_json() -> None:
    found = json.loads(run("plan", str(EXAMPLES / "article.yaml"), "--json").output)
    assert found["services"] == {"portal": {"address": "10.1.1.1", "lake": "100.64.0.1"}}
    assert found["tenants"]["customer-a"]["presents"] == {"portal": "10.2.2.1"}
    hosts = [tenant["sources"][0]["hosts"] for tenant in found["tenants"].values()]
    assert hosts == [{"alice": "100.65.0.1"}, {"bill": "100.65.1.1"}]


def test_realms_have_their_colours() -> None:
    coloured = run(
        "plan", str(EXAMPLES / "article.yaml"), NO_COLOR="", FORCE_COLOR="1", TERM="xterm", COLORTERM=""
    ).output
    assert "\x1b[35m10.1.1.1\x1b[0m" in coloured  # the portal: plum
    assert "\x1b[36m100.64.0.1\x1b[0m" in coloured  # the lake
    assert "\x1b[34m10.1.1.1\x1b[0m → \x1b[36m100.65.0.1\x1b[0m" in coloured  # Alice: indigo
    assert "\x1b[32m10.1.1.1\x1b[0m → \x1b[36m100.65.1.1\x1b[0m" in coloured  # Bill


def test_a_full_lake_is_bad_input(full_lake: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        run("plan", str(full_lake))
    assert str(caught.value) == (
        f"{full_lake}:8:9: error E0502: lake 100.64.0.0/24 is full: tenants need 512 addresses, 128 available, "
        "128 addresses reserved for services; change customer-b to sources: host (10.1.1.0/24: 1 host, 1 address, "
        "was 256), customer-a to sources: host (10.1.1.0/24: 1 host, 1 address, was 256), or change customer-b to "
        "sources: {pool: 1} (10.1.1.0/24: 1 address, was 256), customer-a to sources: {pool: 1} (10.1.1.0/24: "
        "1 address, was 256), or widen the lake to 100.64.0.0/22"
    )
    assert caught.value.exit_status == 2


def test_help_teaches_with_an_example() -> None:
    result = run("plan", "--help")
    assert result.exit_code == 0
    assert "  farshore plan examples/article.yaml\n" in result.output
