"""The bench of two checkouts against each other: what each takes for the same work, in turn, as paired ratios.

python -m tests.bench.against OLD [--repeat N] [--tenants 1000]

OLD is the folder of another checkout in which ``make setup`` was run, such as a git worktree of an earlier commit.
Both work on the same files. A ratio above 1 says that this checkout takes longer than OLD.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from .intents import many_tenants
from .progress import Log, logging
from .summary import ratios, summary

HERE = Path(__file__).parents[2]
# A lab is made with fewer tenants than the rest: it takes a thousand times as long.
_LAB_TENANTS = 50
_SERVICES = 8

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout of farshore with its own virtual environment."""

    folder: Path

    def module(self, name: str, *arguments: str) -> Figures:
        """Run one of the bench's own processes and return what it says as JSON."""
        done = self._run(["-m", f"tests.bench.{name}", *arguments])
        figures: Figures = json.loads(done)
        return figures

    def seconds(self, *arguments: str) -> float:
        """Return the seconds that a whole command of farshore takes, its start included."""
        begun = time.perf_counter()
        self._run(["-m", "farshore", *arguments])
        return time.perf_counter() - begun

    def clear_up(self) -> None:
        """Take down the lab that a round left behind when it was interrupted."""
        command = [str(self._python), "-m", "farshore", "lab", "down", "--name", _lab()]
        subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    @property
    def _python(self) -> Path:
        return self.folder / ".venv" / "bin" / "python"

    def _run(self, arguments: Sequence[str]) -> str:
        command = [str(self._python), *arguments]
        return subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, text=True, check=True).stdout


def _figures(checkout: Checkout, many: str, few: str) -> Figures:
    """Return everything that is measured of one checkout, once."""
    found = {f"reading and planning: {name}": value for name, value in checkout.module("planning", many).items()}
    found |= {f"proof: {name}": value for name, value in checkout.module("proving", many).items()}
    if (checkout.folder / "tests" / "bench" / "reading.py").exists():  # an older checkout has no such process
        reading = checkout.module("reading", str(_LAB_TENANTS))
        found |= {f"applying, {_LAB_TENANTS} tenants: {name}": value for name, value in reading.items()}
    commands: dict[str, Callable[[], float]] = {
        "farshore --version": lambda: checkout.seconds("--version"),
        "farshore check": lambda: checkout.seconds("check", many),
        "farshore plan": lambda: checkout.seconds("plan", many),
        "farshore prove": lambda: checkout.seconds("prove", many),
        "farshore designs": lambda: checkout.seconds("designs", few),
        f"farshore lab up, {_LAB_TENANTS} tenants": lambda: checkout.seconds("lab", "up", few, "--name", _lab()),
        f"farshore lab down, {_LAB_TENANTS} tenants": lambda: checkout.seconds("lab", "down", "--name", _lab()),
    }
    return found | {name: run() for name, run in commands.items()}


def _lab() -> str:
    return f"against-{os.getpid()}"


@click.command()
@click.argument("old", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--repeat", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds, each of both.")
@click.option("--tenants", type=click.IntRange(min=1), default=1000, show_default=True)
def main(old: Path, repeat: int, tenants: int) -> None:
    """Measure two checkouts in turn and print the ratios, new by old."""
    sides = (Checkout(old.resolve()), Checkout(HERE))
    samples: dict[str, tuple[list[float], list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder, logging() as log, contextlib.ExitStack() as stack:
        for side in sides:
            stack.callback(side.clear_up)
        many, few = (Path(folder) / name for name in ("many.yaml", "few.yaml"))
        many.write_text(many_tenants(tenants, _SERVICES), encoding="utf-8")
        few.write_text(many_tenants(_LAB_TENANTS, _SERVICES), encoding="utf-8")
        for turn in range(repeat):
            # Neither always goes first, for the machine may be warmer for the second.
            for side in (0, 1) if turn % 2 == 0 else (1, 0):
                _step(log, sides[side], turn, repeat)
                for name, value in _figures(sides[side], str(many), str(few)).items():
                    samples.setdefault(name, ([], []))[side].append(value)
    sys.stdout.write(_table(samples, tenants, repeat))


def _step(log: Log, side: Checkout, turn: int, repeat: int) -> None:
    log.step(f"round {turn + 1} of {repeat}: {side.folder}")


def _table(samples: dict[str, tuple[list[float], list[float]]], tenants: int, repeat: int) -> str:
    lines = [
        f"new / old, {tenants:,} tenants, {repeat} paired rounds: median (least to greatest)",
        "",
        "| measured | new / old | old | new |",
        "| --- | --- | --- | --- |",
    ]
    for name, (old, new) in samples.items():
        if not old or not new:
            lines.append(f"| {name} | | {_alone(old)} | {_alone(new)} |")
            continue
        ratio, was, now = summary(ratios(new, old)), summary(old), summary(new)
        spread = f"{ratio.median:.2f} ({ratio.least:.2f} to {ratio.greatest:.2f})"
        lines.append(f"| {name} | {spread} | {was.median:.4g} | {now.median:.4g} |")
    return "\n".join(lines) + "\n"


def _alone(values: list[float]) -> str:
    """Return the median of what only one of two checkouts can measure."""
    return f"{summary(values).median:.4g}" if values else ""


if __name__ == "__main__":
    main()
