"""The model against the kernel: hundreds of drawn packets in real labs, and every hop of each compared.

What the wires showed is then held against wrong models, each wrong in one thing: every one must be caught.
``golden`` holds the number of cases that caught each, lab by lab; write them anew with ``--update-goldens``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from case_space import CaseSpace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_cases import Case, cases
from model_mutations import MUTATIONS
from model_record import Recorded, Recorder, difference

from farshore.errors import MachineError
from farshore.lab.lifecycle import passing
from farshore.traffic.injection import observing

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
SPACES = (
    (EXAMPLES / "article.yaml", "lake"),
    (EXAMPLES / "article.yaml", "single-nat"),
    (HERE / "intents" / "mixed.yaml", "lake"),
    (HERE / "intents" / "distinct.yaml", "lake"),
    (HERE / "intents" / "distinct.yaml", "single-nat"),
    (HERE / "intents" / "pools.yaml", "lake"),
    (HERE / "intents" / "pools.yaml", "single-nat"),
    (HERE / "intents" / "taken-on.yaml", "lake"),
    (EXAMPLES / "article.yaml", "last-hop"),
    (HERE / "intents" / "mixed.yaml", "last-hop"),
    (HERE / "intents" / "pools.yaml", "last-hop"),
    (HERE / "intents" / "taken-on.yaml", "last-hop"),
    (HERE / "intents" / "reached.yaml", "lake"),
)
AT_ONCE = 96  # some of which are no case
BATCHES = 6  # the first is the least there is: no case at all
LEAST_CASES = 100  # of each lab
# Where so many cases caught a wrong model, some must, whatever another version of Hypothesis draws.
SURE = 5
# Of one scene alone: Hypothesis draws constants of all modules that are loaded, so cases differ from run to run.
SURE_IN_A_SCENE = 10
# What is said where it is the machine that lacks something.
LACKING = ("may not create namespaces", "is not installed")


def _golden(file: Path, design: str) -> Path:
    return HERE / "golden" / f"{file.stem}-{design}.json"


@pytest.mark.kernel
@pytest.mark.parametrize(("file", "design"), SPACES, ids=lambda value: getattr(value, "stem", value))
def test_model_says_what_the_kernel_does(
    file: Path, design: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("FARSHORE_LABS", str(tmp_path / "labs"))
    space = CaseSpace.read(file, design)
    try:
        recordings = _recorded(space)
    except MachineError as error:
        if any(words in str(error) for words in LACKING):
            pytest.skip(str(error))
        raise
    assert len(recordings) >= LEAST_CASES
    assert any(_delivered(space, each) for each in recordings)
    assert any(not _delivered(space, each) for each in recordings)

    caught = _caught(space, recordings)
    packets = sum(len(each.injections) for each in recordings)
    found = {"cases": len(recordings), "packets": packets, "caught": caught}
    golden = _golden(file, design)
    if request.config.getoption("--update-goldens"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    before = json.loads(golden.read_text(encoding="utf-8"))["caught"]
    missed = [name for name, count in caught.items() if count == 0 and before[name] >= SURE_IN_A_SCENE]
    assert not missed


def test_every_wrong_model_is_caught() -> None:
    tables = [json.loads(_golden(*space).read_text(encoding="utf-8")) for space in SPACES]
    assert sum(table["cases"] for table in tables) >= 500
    for mutation in MUTATIONS:
        assert sum(table["caught"][mutation.name] for table in tables) >= SURE, mutation.name


def _recorded(space: CaseSpace) -> list[Recorded]:
    """Inject drawn cases into a lab of the space; all must agree with the model."""
    recordings: list[Recorded] = []
    with (
        passing(f"model-{os.getpid()}", space.file, space.fabric) as record,
        observing(record.world, space.fabric, mute=True) as observer,
    ):
        recorder = Recorder(space, observer)
        maybe = st.one_of(st.none(), *[cases(space)] * 3)

        # None shrinks away, so what is reported in the end is one case.
        @settings(
            max_examples=BATCHES,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow, HealthCheck.large_base_example],
        )
        @given(st.lists(maybe, min_size=AT_ONCE, max_size=AT_ONCE))
        def batch(drawn: list[Case | None]) -> None:
            recorded = recorder.record([case for case in drawn if case is not None])
            different = [told for told in (difference(space, each) for each in recorded) if told is not None]
            assert not different, f"{len(different)} of {len(recorded)} cases differ:\n" + "\n\n".join(different[:5])
            recordings.extend(recorded)

        batch()
    return recordings


def _delivered(space: CaseSpace, recorded: Recorded) -> bool:
    ends = {node.name for node in space.fabric.end_systems}
    return any(not sighting.leaving and sighting.end.node in ends for sighting in recorded.injections[0].seen)


def _caught(space: CaseSpace, recordings: Sequence[Recorded]) -> dict[str, int]:
    """Return how many of the cases tell each wrong model from the kernel."""
    counts = {}
    for mutation in MUTATIONS:
        with pytest.MonkeyPatch.context() as patch:
            mutation.apply(patch)
            counts[mutation.name] = sum(difference(space, each) is not None for each in recordings)
    return counts
