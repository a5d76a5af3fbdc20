"""``farshore walk --live``: the same packet through a lab, predicted and observed side by side."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from farshore.cli.console import BAD, GOOD, cell, progress, say, table
from farshore.conformance.live import Live, LiveStep, live
from farshore.errors import UsageError, shell_word
from farshore.fabric.model import Fabric
from farshore.lab.lifecycle import passing
from farshore.lab.record import Record
from farshore.lab.registry import LabEntry, RecordError, all_entries, only
from farshore.port import Protocol
from farshore.semantics.profile import Profile
from farshore.traffic.injection import Form, observing
from farshore.walk.tell.journey import Probe

_AGREES, _DIFFERS = "agrees", "DIFFERS"
_NOTHING = "nothing"
_EPHEMERAL = range(49152, 65535)  # RFC 6335 section 6; the last is left for a distinct one


def send(file: Path, fabric: Fabric, profile: Profile | None, probe: Probe, name: str | None) -> Live:
    """Send a probe's packet through a lab: the one that is up, if it is of this file and design, else a new one.

    Raises UsageError where the named lab is of another intent, MachineError where a tool or permission is missing.
    """
    up = _named(name, file, fabric) if name is not None else _only_fitting(file, fabric)
    if up is not None:
        # A flow of an earlier walk may be remembered there; this packet is to be the first of its own.
        probe = replace(probe, source_port=_EPHEMERAL.start + secrets.randbelow(len(_EPHEMERAL)))
    with _lab(up, file, fabric) as record, observing(record.world, fabric) as observer:
        return live(observer, fabric, profile, (probe,))[0]


@contextmanager
def _lab(up: Record | None, file: Path, fabric: Fabric) -> Iterator[Record]:
    if up is not None:
        yield up
        return
    with progress() as reporter, passing(f"walk-{os.getpid()}", file, fabric, reporter) as own:
        yield own


def _named(name: str, file: Path, fabric: Fabric) -> Record:
    record = _up(only(name))
    if record is None:
        fix = f"create it with: farshore lab up {shell_word(str(file))} --name {name}"
        raise UsageError(f"lab {name!r} is not up; {fix}")
    if not _fits(record, file, fabric):
        raise UsageError(
            f"lab {name!r} has design {record.design} of {record.intent}, not {fabric.design} of {file} in its present "
            "state; omit --name to create a lab for this walk"
        )
    return record


def _only_fitting(file: Path, fabric: Fabric) -> Record | None:
    records = []
    for here in all_entries():
        with suppress(RecordError):  # which is no concern of this walk; farshore lab status tells it
            record = _up(here)
            if record is not None and _fits(record, file, fabric):
                records.append(record)
    return records[0] if len(records) == 1 else None


def _up(here: LabEntry) -> Record | None:
    record = here.read()
    return record if record is not None and record.is_up else None


def _fits(record: Record, file: Path, fabric: Fabric) -> bool:
    # What standard input held when a lab was made is not known.
    same = str(file) != "-" and record.intent == str(file.resolve()) and record.design == fabric.design
    return same and record.nodes == tuple(fabric.nodes)


# --- for people --------------------------------------------------------------------------------------


def show(console: Console, came: Live) -> None:
    """Print prediction and observation side by side, and whether they agree."""
    rows = [
        (
            cell(str(step.number)),
            cell(step.at),
            cell(_packet(step.predicted)),
            cell(_packet(step.observed)),
            cell(_AGREES if step.agrees else _DIFFERS, "green" if step.agrees else BAD),
        )
        for step in came.steps
    ]
    say(console, "Live", "bold")
    table(console, ("step", "at", "predicted", "observed", "result"), rows)
    for stray in came.strays:
        how = "leaving" if stray.leaving else "arriving at"
        say(
            console,
            f"also observed {how} {stray.end.node} on {stray.end.interface}: {_packet(stray.form)}",
            "red",
            indent=2,
        )
    console.print()
    sign, style = ("✓", GOOD) if came.agrees else ("✗", BAD)
    say(console, f"{sign} {verdict(came)}", style)


def verdict(came: Live) -> str:
    """Return the result in one sentence."""
    number = came.differs_at
    if number is None and came.strays:
        return "live: the packet is also observed off the path of the walk"
    if number is None:
        last = came.steps[-1]
        if last.predicted is None:
            return f"live: the packet is dropped at step {last.number}, as predicted"
        return f"live: the lab agrees with the walk at all {len(came.steps)} steps"
    failed = next(step for step in came.steps if step.number == number)
    if failed.observed is None and number in came.walk.glitches:
        return f"live: the packet fails at step {number}, where the walk shows a glitch"
    return f"live: the lab differs from the walk from step {number} on"


def _packet(form: Form | None) -> str:
    if form is None:
        return _NOTHING
    if form.protocol is Protocol.ICMP:
        return f"{form.source} > {form.destination}"
    return f"{form.source}:{form.source_port} > {form.destination}:{form.destination_port}"


# --- for programs ------------------------------------------------------------------------------------


def document(came: Live) -> dict[str, Any]:
    """Return the value of ``live`` in the walk's JSON."""
    return {"agrees": came.agrees, "says": verdict(came), "steps": [_step(step) for step in came.steps]}


def _step(step: LiveStep) -> dict[str, Any]:
    return {
        "n": step.number,
        "at": step.at,
        "predicted": _json(step.predicted),
        "observed": _json(step.observed),
        "agrees": step.agrees,
    }


def _json(form: Form | None) -> dict[str, Any] | None:
    if form is None:
        return None
    return {
        "src": {"ip": str(form.source)},
        "dst": {"ip": str(form.destination)},
        "proto": str(form.protocol),
        "sport": form.source_port,
        "dport": form.destination_port,
    }
