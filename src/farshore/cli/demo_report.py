"""What the demo found, for programs, and whether it is what the plan says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from farshore.cli.demo_case import Case
from farshore.conformance.answer import Fetched
from farshore.conformance.check import Result
from farshore.plan.document import document


@dataclass(frozen=True, slots=True)
class Findings:
    """What was really seen in the lab: a fetch for each of the case's, and results by the name of the check."""

    fetched: Sequence[Fetched]
    results: Mapping[str, Result]

    def differences(self, case: Case) -> tuple[str, ...]:
        """Return everything that is not as planned."""
        fetches = (
            f"{exchange.node}: {reason}"
            for exchange, fetched in zip(case.fetches, self.fetched, strict=True)
            if (reason := fetched.difference(exchange)) is not None
        )
        checks = (case.honest, *(refusal.check for refusal in case.refusals))
        results = (self.results[check.name] for check in checks)
        injected = (f"{r.name}: {r.observed} instead of {r.expected}" for r in results if not r.ok)
        return (*fetches, *injected)


def report(case: Case, findings: Findings) -> dict[str, Any]:
    """Return all of it as a value that JSON can hold."""
    return {
        "ok": not findings.differences(case),
        "plan": document(case.intent, case.plan),
        "fetches": [
            {
                "from": exchange.node,
                "url": url(str(exchange.destination)),
                "source": str(exchange.source),
                "source_port": exchange.source_port,
                "expected_source": str(exchange.seen_as),
                "seen": None if fetched.seen is None else asdict(fetched.seen),
                "ok": fetched.difference(exchange) is None,
                "reason": fetched.difference(exchange),
            }
            for exchange, fetched in zip(case.fetches, findings.fetched, strict=True)
        ],
        "refusals": [
            {
                "name": refusal.check.name,
                "expected": refusal.check.expected,
                "observed": findings.results[refusal.check.name].observed,
                "ok": findings.results[refusal.check.name].ok,
                "by": refusal.device,
                "why": refusal.why,
            }
            for refusal in case.refusals
        ],
        "differences": list(findings.differences(case)),
    }


def url(destination: str) -> str:
    """Return what a browser would be given."""
    return f"http://{destination}/"
