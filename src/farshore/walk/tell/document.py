"""A walk as a value that JSON can hold."""

from __future__ import annotations

from typing import Any

from farshore.semantics.profiles import PROFILES
from farshore.walk.tell.journey import Step, Walk
from farshore.walk.tell.summary import refusal


def document(walk: Walk) -> dict[str, Any]:
    """Return the shape that design.md gives walks.

    ``refused`` is the number of the step after which there is none because it was refused, ``order`` what is
    known of the profile that was asked for.
    """
    refused = refusal(walk)
    return {
        "design": walk.design,
        "profile": walk.profile,
        "from": walk.origin,
        "to": walk.service,
        "port": str(walk.port),
        "verdict": "delivered" if walk.delivered else "glitched",
        "glitches": list(walk.glitches),
        "refused": None if refused is None else refused.number,
        "steps": [_step(step) for step in walk.steps],
        "order": _order(walk),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "n": step.number,
        "at": step.at,
        "direction": str(step.direction),
        "action": step.action,
        "before": step.before.as_json(),
        "after": step.after.as_json(),
        "state": step.state,
        "ok": step.ok,
        "reason": step.reason,
        "fix": step.fix,
        "note": step.note,
    }


def _order(walk: Walk) -> dict[str, Any] | None:
    profile = PROFILES.get(walk.profile)
    if profile is None:
        return None
    return {
        "request": [str(stage) for stage in profile.forward],
        "reply": [str(stage) for stage in profile.backward],
        "replies_follow": str(profile.returning),
        "says": profile.returning_says,
        "source": profile.source,
        "grade": profile.grade.name,
    }
