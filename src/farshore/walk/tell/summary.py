"""A whole walk at a glance: title, verdict, glitch-list and notes as sentences, and all of it as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from farshore.semantics.profile import PROFILES, Grade, Profile, Returning, Stage
from farshore.walk.tell.journey import Step, Walk

_REPLIES_FOLLOW = {
    Returning.ROUTE: "replies have a route look-up of their own",
    Returning.SESSION: "replies follow the session, not a route look-up",
    Returning.LAST_HOP: "replies leave by the interface of the request, without a route look-up",
}


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence about one step; ``fix`` is what would help, None where nothing is wrong."""

    step: int
    says: str
    fix: str | None = None


def title(walk: Walk) -> str:
    """Return sender, destination, design and profile in one line."""
    made_of = "each device by its own profile" if walk.profile not in PROFILES else f"profile {walk.profile}"
    return f"{walk.origin} to {walk.service} {walk.port}, design {walk.design}, {made_of}"


def drop(walk: Walk) -> Step | None:
    """Return the step at which the packet is dropped, which is the last. None where none drops it."""
    return walk.steps[-1] if not walk.steps[-1].ok else None


def mark(walk: Walk, step: Step) -> str:
    """Return the word for a step that is not ok."""
    if step.ok:
        return ""
    return "DROPPED" if step is drop(walk) else "GLITCH"


def state(walk: Walk, step: Step) -> str:
    """Return the state of a step as it stands beside its mark: not the same word again."""
    return "" if step.state.upper() == mark(walk, step) else step.state


def glitch_heading(walk: Walk) -> str:
    """Return what stands above the glitch-list."""
    if drop(walk) is None:
        return "Glitches"
    return "Dropped" if len(walk.glitches) == 1 else "Glitches, then dropped"


def glitch_list(walk: Walk) -> tuple[Remark, ...]:
    """Return every step that cannot work, with its reason and its fix."""
    return tuple(Remark(step.number, step.reason or "", step.fix) for step in walk.steps if not step.ok)


def notes(walk: Walk) -> tuple[Remark, ...]:
    """Return what is worth knowing about steps that work."""
    return tuple(Remark(step.number, step.note) for step in walk.steps if step.note is not None)


def verdict(walk: Walk) -> str:
    """Return the verdict in one line."""
    dropped = drop(walk)
    before = [step.number for step in walk.steps if not step.ok and step is not dropped]
    if dropped is not None:
        also = f", after {_glitches(before)}" if before else ""
        return f"dropped at step {dropped.number}, by {dropped.at}{also}"
    if before:
        return f"not delivered: {_glitches(before)}"
    left = next((trace.left_at for trace in walk.traces if trace.left_at is not None), None)
    if left is not None:
        return f"left the fabric at {left}, after step {walk.steps[-1].number}"
    if not walk.delivered:
        return f"lost after step {walk.steps[-1].number}"
    return f"delivered: {len(walk.steps)} steps without a glitch"


def profile_says(walk: Walk) -> tuple[str, ...]:
    """Return the order of operations of the chosen profile, with its source and grade; nothing without one."""
    profile = PROFILES.get(walk.profile)
    if profile is None:
        return ()
    orders = f"first packet {order(profile.forward)}; reply {order(profile.backward)}"
    return (
        f"Order of operations of {profile.name}: {orders}.",
        f"With {profile.name}, {_REPLIES_FOLLOW[profile.returning]}: {profile.returning_says}.",
        f"Source: {profile.source} (grade {grade(profile)}).",
    )


def order(stages: Iterable[Stage]) -> str:
    """Return stages in their order, on one line."""
    return ", ".join(stages)


def grade(profile: Profile) -> str:
    """Return the grade of a profile's source, with a warning where it is not the vendor's own."""
    warning = "" if profile.grade is Grade.A else "; check it before you rely on it"
    return f"{profile.grade.name}: {profile.grade}{warning}"


def _glitches(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"a glitch at step {numbers[0]}"
    return f"glitches at steps {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


# --- for programs -------------------------------------------------------------------------------------


def document(walk: Walk) -> dict[str, Any]:
    """Return the shape that design.md gives walks.

    ``dropped`` is the number of the step that drops the packet, ``order`` the order of operations of the chosen
    profile.
    """
    dropped = drop(walk)
    return {
        "design": walk.design,
        "profile": walk.profile,
        "from": walk.origin,
        "to": walk.service,
        "port": str(walk.port),
        "verdict": "delivered" if walk.delivered else "glitched",
        "glitches": list(walk.glitches),
        "dropped": None if dropped is None else dropped.number,
        "steps": [_step(step) for step in walk.steps],
        "order": _order(walk),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "n": step.number,
        "at": step.at,
        "origin": None if step.origin is None else str(step.origin),
        "direction": str(step.phase),
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
