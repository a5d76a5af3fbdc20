"""The documents say what is: their links, commands, examples and tables are held against the repository."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import farshore
from farshore.cli.main import COMMANDS, cli
from farshore.conformance.check import Outcome
from farshore.conformance.expectations import expectations
from farshore.intent.load import load
from farshore.pipeline.stages import build, check
from farshore.proof.judges.account import Property
from farshore.semantics.profile import PROFILES

REPOSITORY = Path(__file__).parents[1]
SOURCE = Path(farshore.__file__).parent
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
EXAMPLES = sorted(REPOSITORY.glob("examples/*.yaml"))
ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"
BEGIN, END = "<!-- modules -->\n", "<!-- /modules -->\n"
# From the top of the house down, as the import contract has it.
FLOORS = (
    "cli",
    "lab",
    "conformance",
    "traffic",
    "pipeline",
    "comparison",
    "proof",
    "walk",
    "engine",
    "machine",
    "semantics",
    "design",
    "fabric",
    "plan",
    "intent",
)
# Registries of packages are the machine's business. In two parts, so that no name of one stands here either.
REGISTRIES = [f"{host}.{domain}" for host, domain in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
TEXT = {".cfg", ".in", ".ini", ".md", ".py", ".toml", ".txt", ".yaml", ".yml", ""}
FOLDERS = (".ci", "docs", "examples", "requirements", "src", "tests")


def short(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def prose(document: Path) -> str:
    """Return a document without its blocks of code, in which nothing is a link."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"^ {4}.*$", "", text, flags=re.M)


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", prose(document), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for target in re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", prose(document)):
            if not target.startswith(("https://", "http://")):
                yield document, target


def first_sentence(module: Path) -> str:
    """Return the first line of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert docstring is not None, module
    return docstring.splitlines()[0]


def packages() -> list[Path]:
    """Return the packages from the top of the house down; one that has no floor yet stands first."""
    found = sorted(path.parent for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE)

    def floor(package: Path) -> int:
        name = package.relative_to(SOURCE).parts[0]
        return FLOORS.index(name) if name in FLOORS else -1

    return sorted(found, key=floor)


def module_tables() -> str:
    """Return the table of modules: a heading and its sentence for every package, a row for every module."""
    parts = []
    for package in (*packages(), SOURCE):
        name = ".".join((SOURCE.name, *package.relative_to(SOURCE).parts))
        modules = sorted(path for path in package.glob("*.py") if path.name != "__init__.py")
        parts.append(f"### `{name}`\n\n{first_sentence(package / '__init__.py')}\n")
        if modules:
            rows = "".join(f"| `{module.stem}` | {first_sentence(module)} |\n" for module in modules)
            parts.append(f"| module | is |\n| --- | --- |\n{rows}")
    return "\n" + "\n".join(parts) + "\n"


@pytest.mark.parametrize(("document", "target"), [pytest.param(d, t, id=f"{short(d)}-{t}") for d, t in links()])
def test_links_lead_somewhere(document: Path, target: str) -> None:
    file, _, anchor = target.partition("#")
    there = document if not file else (document.parent / file).resolve()
    assert there.exists(), f"{short(document)} links to {target}"
    assert there.is_relative_to(REPOSITORY)
    if anchor:
        assert anchor in anchors(there)


def assert_good(intent: Path) -> None:
    """Assert that an intent has no faults; warnings are for people to weigh."""
    result = CliRunner().invoke(cli, ["check", str(intent)])
    assert result.exit_code == 0
    assert all(": warning W" in line for line in result.stderr.splitlines())


@pytest.mark.parametrize("example", EXAMPLES, ids=short)
def test_every_example_is_good(example: Path) -> None:
    assert_good(example)


def test_there_are_examples() -> None:
    assert REPOSITORY / "examples" / "article.yaml" in EXAMPLES


def test_the_readme_s_intent_is_good(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```yaml\n(.*?)^```$", (REPOSITORY / "README.md").read_text(encoding="utf-8"), flags=re.M | re.S
    )
    assert blocks
    for number, block in enumerate(blocks):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block, encoding="utf-8")
        assert_good(file)


def named(words: list[str]) -> click.Command | None:
    """Return the command that these words call."""
    command: click.Command | None = cli
    for word in words:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
    return command


@pytest.mark.parametrize("document", DOCUMENTS, ids=short)
def test_commands_in_documents_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    called = re.findall(r"(?:^ {4}|`)farshore ([a-z][a-z ]*[a-z])", text, flags=re.M)
    for words in called:
        assert named(words.split()) is not None, f"{short(document)}: farshore {words}"


def test_targets_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    for document in DOCUMENTS:
        called = re.findall(r"(?:^ {4}|`)make ([a-z]+)", document.read_text(encoding="utf-8"), flags=re.M)
        assert set(called) <= targets, short(document)


def test_the_readme_names_every_command() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        command = named([name])
        calls = [f"{name} {each}" for each in command.commands] if isinstance(command, click.Group) else [name]
        for call in calls:
            assert f"| `farshore {call}" in text


def test_the_architecture_lists_every_package_and_module(request: pytest.FixtureRequest) -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    present, _, tail = rest.partition(END)
    if request.config.getoption("--update-goldens"):
        ARCHITECTURE.write_text(head + BEGIN + module_tables() + END + tail, encoding="utf-8")
        return
    assert present == module_tables(), "write it anew with pytest --update-goldens"


def test_every_package_has_its_floor() -> None:
    assert {package.relative_to(SOURCE).parts[0] for package in packages()} == set(FLOORS)


def test_no_registry_is_named() -> None:
    files = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*") if path.is_file()]
    files += [path for path in REPOSITORY.iterdir() if path.is_file()]
    for path in files:
        if path.suffix in TEXT and "__pycache__" not in path.parts:
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not [host for host in REGISTRIES if host in text], short(path)


def test_the_article_is_named_where_it_is_spoken_of() -> None:
    files = [*DOCUMENTS, *EXAMPLES, *SOURCE.rglob("*.py"), *SOURCE.rglob("*.yaml")]
    for path in files:
        text = " ".join(path.read_text(encoding="utf-8").split())
        if re.search(r"\bthe article\b", text, flags=re.I):
            assert "Multi-Tenant WAN Access to Shared Resources: Part 2 - A Solution" in text, short(path)


# --- figures ------------------------------------------------------------------------------------------

OPERATIONS = REPOSITORY / "docs" / "operations.md"
RUN = re.compile(r"^    farshore lab run (\S+)\n    (.* allowed flows pass, .*)$", flags=re.M)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def last_line(file: str) -> str:
    """Return what ``farshore lab run`` ends with for an example where all is well."""
    built = build(check(load(REPOSITORY / file)).planned)
    checks = expectations(built.intent, built.plan, built.fabric)
    reach, block = (sum(each.expected is outcome for each in checks) for outcome in (Outcome.REACH, Outcome.BLOCK))
    return f"{reach:,} of {reach:,} allowed flows pass, {block:,} of {block:,} forbidden flows are blocked"


def test_the_figures_of_a_run_are_those_of_its_checks(request: pytest.FixtureRequest) -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    if request.config.getoption("--update-goldens"):
        written = RUN.sub(lambda run: f"    farshore lab run {run[1]}\n    {last_line(run[1])}", text)
        OPERATIONS.write_text(written, encoding="utf-8")
        return
    shown = RUN.findall(text)
    assert shown
    for file, line in shown:
        assert line == last_line(file), "write it anew with pytest --update-goldens"


@pytest.mark.parametrize(
    ("noun", "there"), [("properties", len(Property)), ("profiles", len(PROFILES)), ("makers", len(PROFILES))]
)
def test_numbers_of_things_are_right(noun: str, there: int) -> None:
    counted = [
        (short(document), word)
        for document in DOCUMENTS
        for word in re.findall(rf"\b({'|'.join(NUMBERS)}) {noun}\b", document.read_text(encoding="utf-8"), flags=re.I)
    ]
    assert counted
    assert [each for each in counted if each[1].lower() != NUMBERS[there]] == []


def test_the_readme_gives_no_time_that_nothing_measures() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert re.findall(rf"\b(?:\d+|a|few|{'|'.join(NUMBERS)}) (?:seconds?|minutes?)\b", text, flags=re.I) == []
