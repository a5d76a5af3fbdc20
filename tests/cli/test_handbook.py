"""What other programs need: completion in real shells, and manual pages that the formatters take without a warning."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_program import REPOSITORY, farshore
from test_main import all_commands

MAN = Path("man1")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return a search path on which farshore is this very source."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "farshore"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m farshore "$@"\n')
    program.chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


def completed(path: str, folder: Path, line: str) -> list[str]:
    """Return what bash offers for a line, by the function that the script registers for farshore."""
    words = line.split(" ")
    script = f"""
        eval "$(farshore completion bash)"
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}; COMPREPLY=()
        complete -p farshore >&2
        _farshore_completion farshore
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PATH": path, "FARSHORE_LABS": str(folder / "labs")},
    )
    assert "_farshore_completion farshore" in done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("farshore pr", ["prove"]),
        ("farshore d", ["demo", "designs", "diff"]),
        ("farshore lab e", ["exec"]),
        ("farshore completion ", ["bash", "zsh", "fish"]),
        ("farshore prove x.yaml --des", ["--design"]),
        ("farshore prove x.yaml --design la", ["lake", "last-hop", "last-hop-plain"]),
        ("farshore walk x.yaml --profile ci", ["cisco-ios", "cisco-asa"]),
        ("farshore lab run x.yaml --design si", ["single-nat"]),
    ],
)
def test_bash_completes(line: str, offered: list[str], path: str, tmp_path: Path) -> None:
    assert completed(path, tmp_path, line) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_takes_the_script(shell: str, tmp_path: Path) -> None:
    done = farshore(tmp_path, "completion", shell)
    assert done.returncode == 0
    assert "_FARSHORE_COMPLETE" in done.stdout
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(done.stdout)
    subprocess.run([program, "-n", str(script)], check=True)


def test_completion_imports_no_more_than_the_first_help(tmp_path: Path) -> None:
    environment = {**os.environ, "_FARSHORE_COMPLETE": "bash_complete", "COMP_WORDS": "farshore ", "COMP_CWORD": "1"}
    look = (
        "import sys\nfrom farshore.cli import main\nsys.argv = ['farshore']\n"
        "try:\n    main.main()\nexcept SystemExit:\n    print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, env=environment)
    assert "plain,check" in done.stdout
    assert not {"pydantic", "pyroute2", "rich", "yaml", "farshore.design"} & set(done.stdout.split())
    assert tmp_path.exists()


@pytest.mark.parametrize("words", ["farshore lab exec ", "farshore lab exec --name none ", "farshore lab down --name "])
@pytest.mark.parametrize("labs", ["none", "a-file"])
def test_completion_says_nothing_where_there_is_no_lab(words: str, labs: str, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    number = str(words.count(" "))
    asked = {"_FARSHORE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": number}
    done = farshore(tmp_path / labs, **asked)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_there_is_a_page_for_every_command(tmp_path: Path) -> None:
    done = farshore(tmp_path, "man", "--into", str(tmp_path / MAN))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pages = {page.name for page in (tmp_path / MAN).iterdir()}
    assert pages == {f"{'-'.join(('farshore', *words))}.1" for words in all_commands()}
    one = farshore(tmp_path, "man", "lab", "run").stdout
    assert one == (tmp_path / MAN / "farshore-lab-run.1").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_a_page_has_its_sections(words: tuple[str, ...], tmp_path: Path) -> None:
    page = farshore(tmp_path, "man", *words, SOURCE_DATE_EPOCH="0").stdout
    sections = [line[4:] for line in page.splitlines() if line.startswith(".SH ")]
    wanted = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS"]
    assert [section for section in sections if section in wanted] == wanted
    name = "\\-".join(("farshore", *words))
    assert page.startswith(f'.TH {name.upper()} 1 1970-01-01 "farshore ')
    assert f"\n.SH NAME\n{name} \\- " in page
    assert "\b" not in page
    assert all(line.startswith(("\\&.", ".")) or not line.startswith((".", "'")) for line in page.splitlines())


def test_the_formatters_have_nothing_to_warn_of(tmp_path: Path) -> None:
    farshore(tmp_path, "man", "--into", str(tmp_path / MAN))
    pages = sorted(map(str, (tmp_path / MAN).iterdir()))
    checks = {
        "groff": ["groff", "-man", "-Tutf8", "-ww", "-z"],
        "mandoc": ["mandoc", "-T", "lint", "-W", "warning"],
    }
    found = {name: command for name, command in checks.items() if shutil.which(name)}
    if not found:
        pytest.skip("neither groff nor mandoc is installed")
    for command in found.values():
        done = subprocess.run([*command, *pages], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_man_shows_a_page(tmp_path: Path) -> None:
    if shutil.which("man") is None or shutil.which("groff") is None:
        pytest.skip("man is not installed")
    page = farshore(tmp_path, "man", "walk").stdout
    done = subprocess.run(
        ["man", "-l", "-"], input=page, capture_output=True, text=True, check=True, env={**os.environ, "MANWIDTH": "80"}
    )
    assert "farshore-walk - walk a packet and its reply through a design, step by step" in " ".join(done.stdout.split())
    assert "--from TENANT/HOST" in done.stdout


def test_an_unknown_page_and_a_folder_that_cannot_be(tmp_path: Path) -> None:
    done = farshore(tmp_path, "man", "lab", "rum")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no command 'lab rum'; did you mean lab run" in done.stderr
    assert "; known: check, completion, " in farshore(tmp_path, "man", "xyzzy").stderr
    (tmp_path / "file").touch()
    done = farshore(tmp_path, "man", "--into", str(tmp_path / "file" / "man1"))
    assert done.returncode == 2
    assert "cannot write into" in done.stderr
    done = farshore(tmp_path, "man", "walk", "--into", str(tmp_path / MAN))
    assert done.returncode == 2
    assert REPOSITORY.exists()
