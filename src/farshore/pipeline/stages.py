"""The stages from an intent to its proof: each takes what the one before it returns. Pure: no files, no output.

A stage that depends on what a person wrote returns a value that carries every diagnostic, warnings too, so that an
API can answer with all of them at once. Callers for which an error is the end, such as most commands, take the
stage's method that raises :class:`BadInputError` instead (``planned``, ``runnable``). A design or a profile that
does not exist is a mistake of the caller: it raises :class:`UsageError` with the nearest names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import BadInputError, Diagnostic, Severity
from farshore.fix import Fix, Path, Value, Write, choices_of, first_edits
from farshore.gc_pause import without_collector
from farshore.intent.load import Loaded, load_text
from farshore.lookup import find
from farshore.reporter import SILENT, Reporter

if TYPE_CHECKING:
    from farshore.comparison.model import DesignSummary
    from farshore.fabric.model import Fabric
    from farshore.intent.model import Intent
    from farshore.plan.model import Plan
    from farshore.proof.change import Difference
    from farshore.proof.counterexample import Counterexample
    from farshore.proof.judges.account import Property
    from farshore.proof.prove import Proof
    from farshore.semantics.profile import Profile
    from farshore.walk.tell.journey import Probe, Walk


@dataclass(frozen=True, slots=True)
class Planned:
    """An intent without errors, and its plan."""

    intent: Intent
    plan: Plan


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking an intent found: ``planned`` is None where there is an error. Diagnostics go by position."""

    intent: Intent | None
    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Return the diagnostics that stop the work: all but the warnings."""
        return tuple(each for each in self.diagnostics if each.severity is Severity.ERROR)

    @property
    def planned(self) -> Planned:
        """Return intent and plan. Raises BadInputError with all errors where there are any."""
        if self.intent is None or self.plan is None or self.errors:
            raise BadInputError(self.errors)
        return Planned(self.intent, self.plan)


@dataclass(frozen=True, slots=True)
class Built:
    """A fabric, and what it was built from.

    ``design`` is the one for all tenants, None where the intent chooses; ``uncarried`` what of the intent the design
    cannot carry. The fabric carries everything else.
    """

    intent: Intent
    plan: Plan
    design: str | None
    fabric: Fabric
    uncarried: tuple[Diagnostic, ...]

    @property
    def runnable(self) -> Built:
        """Return the same where the design carries the whole intent. Raises BadInputError where it does not."""
        if self.uncarried:
            raise BadInputError(self.uncarried)
        return self


@dataclass(frozen=True, slots=True)
class Proven:
    """A fabric and its proof, with a counterexample for every property that does not hold."""

    built: Built
    proof: Proof
    counterexamples: Mapping[Property, Counterexample]

    @property
    def holds(self) -> bool:
        """Tell whether every property holds."""
        return self.proof.holds


def check_text(text: str, file: str) -> Checked:
    """Check the text of an intent file and plan it. ``file`` is the name that diagnostics show."""
    return check(load_text(text, file))


def check(loaded: Loaded) -> Checked:
    """Plan an intent that has been read; after errors, return them, and what else a plan finds wrong."""
    intent = loaded.intent or loaded.repaired
    if intent is None:
        return Checked(None, None, loaded.diagnostics)
    from farshore.plan.allocate import allocate

    with without_collector():
        allocated = allocate(intent)
    known = {each.position for each in loaded.diagnostics if each.code in _TELL_OF_PRESENTED}
    known |= {tenant.position for tenant in intent.tenants.values() if tenant.presents is None}
    more = [each for each in allocated.diagnostics if not (each.code in _OF_PRESENTED and each.position in known)]
    values = {e.path: e.value for each in more for e in first_edits(each.fix) if isinstance(e, Write)}
    before = [_agreeing(each, values) for each in loaded.diagnostics] if values else loaded.diagnostics
    found = tuple(sorted((*before, *more), key=lambda each: each.position))
    return Checked(loaded.intent, allocated.plan if loaded.intent is not None else None, found)


def _agreeing(found: Diagnostic, values: Mapping[Path, Value]) -> Diagnostic:
    """Return a diagnostic whose fix does not undo what the plan's fixes write: these include what it asks for."""
    writes = (e.path for choice in choices_of(found.fix) for e in choice.edits if isinstance(e, Write))
    if not isinstance(found.fix, Fix) or values.keys().isdisjoint(writes):
        return found
    return replace(found, fix=found.fix.agreeing(values))


# A presented range that is too small, or missing, is reported once.
_TELL_OF_PRESENTED = frozenset({DiagnosticCode.NO_PRESENTED_RANGE, DiagnosticCode.PRESENTED_TOO_SMALL})
_OF_PRESENTED = frozenset({DiagnosticCode.PRESENTED_FULL})


def build(planned: Planned, design: str | None = None) -> Built:
    """Build the fabric of an intent: all of it by one design or, with None, each tenant by its own.

    Raises:
        UsageError: There is no such design.
    """
    from farshore.design import catalogue
    from farshore.intent.check.capabilities import uncarried

    design_named(design)
    intent, plan = planned.intent, planned.plan
    # Ten thousand tenants make a million values and not one cycle: looking for some takes most of the time.
    with without_collector():
        return Built(intent, plan, design, catalogue.build(intent, plan, design), uncarried(intent, design))


def prove(built: Built, profile: str | None = None, reporter: Reporter = SILENT) -> Proven:
    """Prove every property of a fabric for all packets, or find a packet that refutes it.

    ``profile`` is the order of operations of every device that filters; with None each has its own.

    Raises:
        UsageError: There is no such profile.
    """
    from farshore.proof.counterexample import counterexample
    from farshore.proof.prove import prove as proof_of

    chosen = profile_named(profile)
    intent, plan, fabric = built.intent, built.plan, built.fabric
    with without_collector():
        proof = proof_of(intent, plan, fabric, design=built.design, profile=chosen, reporter=reporter)
        counterexamples = {
            result.what: counterexample(intent, plan, fabric, result.refuted[0], chosen)
            for result in proof.results
            if not result.holds
        }
    return Proven(built, proof, counterexamples)


def walk(built: Built, origin: str, target: str, profile: str | None = None) -> Walk:
    """Walk a packet from ``TENANT/HOST`` to ``SERVICE[:PORT]``, and its reply.

    Raises:
        UsageError: There is no such host, service, port or profile.
    """
    from farshore.pipeline.probes import probe
    from farshore.walk.tell import journey

    asked = probe(built.intent, built.plan, built.fabric, origin, target)
    return explained(built, asked, journey.walk(built.fabric, profile_named(profile), asked))


def explained(built: Built, asked: Probe, walked: Walk) -> Walk:
    """Return a walk whose refusal names the key of the intent that would permit the flow, or says that none can."""
    from farshore.pipeline import permission

    return permission.explained(built.intent, built.design, asked, walked)


def compare(planned: Planned, reporter: Reporter = SILENT) -> tuple[DesignSummary, ...]:
    """Compare the designs for an intent: who reaches what by each, what each costs, what it cannot carry."""
    from farshore.comparison import compare as comparison

    with without_collector():
        return comparison.compare(planned.intent, planned.plan, reporter)


def difference(old: Proven, new: Proven) -> Difference:
    """Return the effects of a change on addresses and on reachability, from the proofs of both intents."""
    from farshore.proof import change

    sides = (change.Side(each.built.intent, each.built.plan, each.proof) for each in (old, new))
    with without_collector():
        return change.difference(*sides)


def design_named(name: str | None) -> None:
    """Look a design up by its name, None stands for those that the intent asks for. Raises UsageError for no design."""
    if name is not None:
        from farshore.design.catalogue import DESIGNS

        find(DESIGNS, name, "design")


def profile_named(name: str | None) -> Profile | None:
    """Return a profile by its name, None for None. Raises UsageError where there is none of that name."""
    if name is None:
        return None
    from farshore.semantics.profile import PROFILES

    return find(PROFILES, name, "profile")
