"""The score of the mutants, for the documents: counted from the golden files, which the tests hold to be true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
EQUIVALENT, SURVIVED = "equivalent", "SURVIVED"
BEGIN, END = "<!-- mutants -->\n", "<!-- /mutants -->\n"


def listed() -> Iterator[tuple[str, str]]:
    """Yield the kind of each mutant and what became of it: equivalent, or the properties that refute it."""
    for path in sorted(GOLDEN.glob("mutants-*.txt")):
        kind = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(" "):
                kind = line
            elif line:
                yield kind, line.rpartition(" => ")[2]


def table() -> str:
    """Return the table of the documents: the mutants of each kind, and what became of them."""
    every, equivalent, survived = Counter[str](), Counter[str](), Counter[str]()
    for kind, result in listed():
        every[kind] += 1
        equivalent[kind] += result == EQUIVALENT
        survived[kind] += result == SURVIVED
    rows = [
        f"| {kind} | {every[kind]:,} | {every[kind] - equivalent[kind] - survived[kind]:,} | {equivalent[kind]:,} |"
        for kind in sorted(every)
    ]
    total, same, alive = every.total(), equivalent.total(), survived.total()
    score = 100 * (total - alive) / total
    return "\n".join(
        (
            "| what was broken | mutants | refuted by a property | equivalent by both engines |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            f"| **all** | **{total:,}** | **{total - same - alive:,}** | **{same:,}** |",
            "",
            f"Mutation score: {score:.0f} % ({total - alive:,} of {total:,}; survivors: {alive}).",
            "",
        )
    )


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201 - to be pasted
