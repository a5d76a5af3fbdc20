"""The stages as an API would call them: values in, values with every diagnostic out, and nothing printed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from farshore.errors import BadInputError, Position, Severity, UsageError
from farshore.pipeline import stages
from farshore.pipeline.stages import Built
from farshore.reporter import Reporter

INTENT = """version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  lake: 198.18.0.0/16
  services: {portal: {address: 10.1.1.1, ports: [tcp/443]}}
tenants:
  customer-a:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [portal]
    hosts: {alice: 10.1.1.1}
"""


class Heard(Reporter):
    """Keeps what it hears, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def started(self, work: str) -> None:
        self.events.append(f"{work} started")

    def advanced(self, done: int, total: int, item: str = "") -> None:
        self.events.append(f"{done} of {total} {item}")

    def finished(self, work: str) -> None:
        self.events.append(f"{work} finished")


def built(design: str | None = None, text: str = INTENT) -> Built:
    return stages.build(stages.check_text(text, "f.yaml").planned, design)


def test_a_good_intent_is_planned() -> None:
    checked = stages.check_text(INTENT, "f.yaml")
    assert checked.diagnostics == ()
    assert checked.planned.intent is checked.intent
    assert checked.planned.plan.lake == checked.planned.intent.provider.lake


def test_every_diagnostic_is_a_value_and_the_exception_carries_the_errors_alone() -> None:
    checked = stages.check_text(INTENT.replace("198.18.0.0/16", "100.64.0.0/10").replace("tcp/443", "tcp/0"), "f.yaml")
    assert checked.plan is None
    assert [each.severity for each in checked.diagnostics] == [Severity.WARNING, Severity.ERROR]
    with pytest.raises(BadInputError) as caught:
        _ = checked.planned
    assert [each.position for each in caught.value.diagnostics] == [Position(6, 50)]


def test_addresses_that_do_not_suffice_are_diagnostics_too() -> None:
    checked = stages.check_text(INTENT.replace("198.18.0.0/16", "198.18.0.0/26"), "f.yaml")
    assert checked.intent is not None
    with pytest.raises(BadInputError, match="is full"):
        _ = checked.planned


def test_a_fabric_says_what_its_design_cannot_carry() -> None:
    text = INTENT.replace("[tcp/443]", "[tcp/443, udp/53]")
    assert built("lake", text).runnable.uncarried == ()
    appliance = built("appliance", text)
    assert [each.position for each in appliance.uncarried] == [Position(6, 59)]
    with pytest.raises(BadInputError, match="udp/53"):
        _ = appliance.runnable


def test_a_proof_brings_a_counterexample_for_each_property_that_fails() -> None:
    good = stages.prove(built("lake"))
    assert (good.holds, good.counterexamples) == (True, {})
    bad = stages.prove(built("single-nat"))
    failing = {each.what for each in bad.proof.results if not each.holds}
    assert failing
    assert set(bad.counterexamples) == failing


def test_a_walk_and_a_difference() -> None:
    walked = stages.walk(built("lake"), "customer-a/alice", "portal:443")
    assert walked.delivered
    moved = INTENT.replace("10.2.2.0/28", "10.2.3.0/28")
    both = [stages.prove(built("lake", text)) for text in (INTENT, moved)]
    assert stages.difference(both[0], both[0]).effects == ()
    assert {each.subject for each in stages.difference(*both).effects} == {"customer-a"}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda: built("lakes"), "did you mean lake"),
        (lambda: stages.prove(built("lake"), "linus"), "did you mean linux"),
        (lambda: stages.walk(built("lake"), "customer-a/alise", "portal"), "did you mean alice"),
        (lambda: stages.walk(built("lake"), "customer-a/alice", "portal", "linus"), "did you mean linux"),
    ],
)
def test_what_does_not_exist_is_a_mistake_of_the_caller(asked: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        asked()  # type: ignore[operator]


def test_progress_is_heard_as_events() -> None:
    heard = Heard()
    stages.prove(built("lake"), reporter=heard)
    assert heard.events == ["proof started", "0 of 1 customer-a", "proof finished"]
    heard = Heard()
    stages.compare(stages.check_text(INTENT, "f.yaml").planned, heard)
    assert (heard.events[0], heard.events[1], heard.events[-1]) == (
        "comparison started",
        "0 of 5 lake",
        "comparison finished",
    )


def test_checking_does_not_import_what_only_proofs_need() -> None:
    look = "import sys; from farshore.pipeline import stages; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert not {"farshore.proof", "farshore.design", "farshore.walk", "rich", "click"} & set(done.stdout.split())


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    stages.prove(built("single-nat"))
    stages.check_text("version: 2", "f.yaml")
    assert capfd.readouterr() == ("", "")
