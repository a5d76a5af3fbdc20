"""``farshore lab``: a design that runs on this machine, to check and to use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from farshore.cli.command import BAD_INPUT, MACHINE, Group, design_option, intent_file, json_option, print_document
from farshore.cli.console import BAD, complain, diagnostics, output, progress, say
from farshore.cli.lab_apply import apply
from farshore.design.names import DESIGN_NAMES
from farshore.errors import EXIT_MACHINE, EXIT_NO, EXIT_YES, MachineError, UsageError, counted
from farshore.lab.registry import DEFAULT_NAME
from farshore.lookup import find

if TYPE_CHECKING:
    from farshore.conformance.check import Result
    from farshore.lab.reconcile import NodeState
    from farshore.lab.record import Record
    from farshore.lab.registry import LabEntry


def _lab_names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from farshore.lab.registry import all_entries

    return [here.name for here in all_entries() if here.name.startswith(incomplete)]


def _nodes(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from farshore.lab.registry import only

    record = only(context.params.get("name")).read()
    return [node for node in record.nodes if node.startswith(incomplete)] if record is not None else []


_name = click.option(
    "--name", metavar="N", shell_complete=_lab_names, help="Name of the lab. Required if several exist."
)
_design = design_option(DESIGN_NAMES)
_file, _json = intent_file(), json_option()


@click.group(
    cls=Group,
    examples=(
        "farshore lab up examples/article.yaml",
        "farshore lab exec customer-a/alice -- ping -c 3 10.2.2.1",
        "farshore lab exec customer-b/bill -- curl http://10.2.2.1/",
        "farshore lab down",
    ),
    statuses={EXIT_YES: "done", EXIT_NO: "check failed (lab run)", **BAD_INPUT, **MACHINE},
)
def lab() -> None:
    """Run a design on this machine, in network namespaces of its own.

    It works without root.
    """


@lab.command(
    examples=(
        "farshore lab up examples/article.yaml",
        "farshore lab up examples/article.yaml --name two",
    ),
    statuses={EXIT_YES: "the lab is up", **BAD_INPUT, **MACHINE},
)
@_file
@_design
@_name
@click.option(
    "--own-server",
    "own_servers",
    metavar="SERVICE",
    multiple=True,
    help="Start no server for this service; run your own with lab exec. May be repeated.",
)
def up(file: Path, design: str | None, name: str | None, own_servers: tuple[str, ...]) -> None:
    """Bring up a lab of the intent in FILE. It stays until farshore lab down."""
    from farshore.cli.inputs import read_runnable
    from farshore.fabric import names
    from farshore.lab import lifecycle
    from farshore.lab.registry import all_entries

    built = read_runnable(file, design)
    own = frozenset(names.service(find(built.intent.provider.services, each, "service").name) for each in own_servers)
    with progress() as reporter:
        record = lifecycle.up(DEFAULT_NAME if name is None else name, file, built.fabric, reporter, own_servers=own)
    named = "" if len(list(all_entries())) == 1 else f"--name {record.name} "
    tried = f"farshore lab exec {named}{record.nodes[0]} -- ip route"
    say(output(), f"lab {record.name} is up: {counted(len(record.nodes), 'node')}; try: {tried}", indent=2)


lab.add_command(apply)


@lab.command(
    examples=("farshore lab run examples/article.yaml", "farshore lab run examples/article.yaml --json | jq .ok"),
    statuses={
        EXIT_YES: "every allowed flow passes and every forbidden flow is blocked",
        EXIT_NO: "check failed: a flow differs",
        **BAD_INPUT,
        **MACHINE,
    },
)
@_file
@_design
@_json
@click.option("--all", "show_all", is_flag=True, help="Also list the flows that are as expected.")
def run(file: Path, design: str | None, *, as_json: bool, show_all: bool) -> None:
    """Bring up a lab of the intent in FILE, check allowed and forbidden flows, report, and take it down.

    Every host connects to every service that its tenant uses, up to 512 at the same moment and from the same source
    port. Then forbidden packets are injected: to other services, ports and tenants, and from forged sources. What must
    pass and is not answered is tried again before it is judged. Where this machine lacks descriptors or memory for the
    checks, the exit status is 3.
    """
    from farshore.cli.inputs import read_runnable
    from farshore.lab.lifecycle import run as run_checks

    built = read_runnable(file, design)
    with progress() as reporter:
        results = run_checks(file, built.intent, built.plan, built.fabric, reporter)
    if as_json:
        print_json(results)
    else:
        print_text(results, show_all=show_all)
    raise SystemExit(EXIT_YES if all(result.ok for result in results) else EXIT_NO)


@lab.command(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    examples=(
        "farshore lab exec customer-a/alice -- ping -c 3 10.2.2.1",
        "farshore lab exec customer-a/nat -- nft list ruleset",
        "farshore lab exec customer-a/alice -- bash",
    ),
    statuses={**BAD_INPUT, **MACHINE},
    epilog="In all other cases the exit status is that of the program.",
)
@click.argument("node", shell_complete=_nodes)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@_name
def execute(node: str, command: tuple[str, ...], name: str | None) -> None:
    """Run a program of this machine in a NODE of the lab.

    Nodes are TENANT/HOST, TENANT/ce, provider/router, provider/SERVICE, internet/host, and the devices of the design:
    TENANT/nat and provider/nat, provider/last-hop, or TENANT/proxy and provider/proxy. farshore lab status lists them.
    """
    from farshore.lab.execute import execute as run_in_node
    from farshore.lab.registry import only

    here = only(name)
    record = here.read()
    if record is None:
        raise UsageError(f"lab {here.name!r} is not up; remove its remains with: farshore lab down --name {here.name}")
    program = command[1:] if command[0] == "--" else command
    if not program:
        raise UsageError("no program given; write farshore lab exec NODE -- PROGRAM")
    if program[0].startswith("-"):
        fix = "write options before the node: farshore lab exec --name NAME NODE -- PROGRAM"
        raise UsageError(f"{program[0]} stands where the program is expected; {fix}")
    run_in_node(record, node, program)


@lab.command(
    examples=("farshore lab status", "farshore lab status --json | jq '.labs[].name'"),
    statuses={EXIT_YES: "listed", **BAD_INPUT, EXIT_MACHINE: "the record of a lab, or the folder of labs, is invalid"},
)
@_name
@_json
def status(name: str | None, *, as_json: bool) -> None:
    """List the labs, whether they are up, and how each of their nodes is.

    A node is right, or it differs from what the lab's intent says, or it is changing, while lab apply is at work.
    """
    from farshore.lab.registry import all_entries, clear_remains, only

    if name is None:
        clear_remains()
    entries = all_entries() if name is None else (only(name),)
    found = [(here, *_read(here)) for here in entries]
    if as_json:
        labs = [
            {
                **(asdict(record) if record else {"name": here.name}),
                **({"invalid": invalid} if invalid else {}),
                "up": record is not None and record.is_up,
                "states": {
                    each.node: {
                        "state": each.state,
                        "changes": [f"{c.what}: {c.reason}" for c in each.changes],
                        "failure": each.failure.document() if each.failure is not None else None,
                    }
                    for each in _states(record)
                },
            }
            for here, record, invalid in found
        ]
        print_document({"labs": labs})
    else:
        for here, record, invalid in found:
            if not invalid:
                _show_status(here, record)
        if not found:
            say(output(), "no lab is up")
    complain(invalid for _, _, invalid in found if invalid)
    raise SystemExit(EXIT_MACHINE if any(invalid for _, _, invalid in found) else EXIT_YES)


def _read(here: LabEntry) -> tuple[Record | None, str]:
    """Return the record of a lab, or why it is invalid."""
    try:
        return here.read(), ""
    except MachineError as error:
        return None, str(error)


def _show_status(here: LabEntry, record: Record | None) -> None:
    console = output()
    if record is None:
        say(console, f"{here.name}: not up; remove its remains with: farshore lab down --name {here.name}", indent=2)
        return
    state = "up" if record.is_up else "dead"
    say(
        console,
        f"{record.name}: {state}, design {record.design}, intent {record.intent}, since {record.created}",
        indent=2,
    )
    states = _states(record)
    for each in states:
        say(console, str(each), BAD if each.changes else "", lead="  ", indent=4)
    for node in () if states else record.nodes:
        say(console, node, lead="  ")


def _states(record: Record | None) -> tuple[NodeState, ...]:
    """Return how the nodes of a lab are, nothing where it is not up, or only comes up or goes down."""
    from farshore.lab.reconcile import states

    if record is None or not record.is_up:
        return ()
    try:
        return states(record)
    except MachineError as error:
        say(diagnostics(), f"{record.name}: its nodes cannot be read: {error}", indent=2)
        return ()


@lab.command(
    examples=("farshore lab down", "farshore lab down --name two"),
    statuses={EXIT_YES: "the lab is down", **BAD_INPUT, **MACHINE},
)
@_name
def down(name: str | None) -> None:
    """Take a lab down and remove everything that belongs to it."""
    from farshore.lab import lifecycle
    from farshore.lab.registry import only

    here = only(name)
    lifecycle.down(here)
    click.echo(f"lab {here.name} is down")


def print_json(results: Sequence[Result]) -> None:
    """Print the results for programs."""
    checks = [
        {
            "name": r.name,
            "expected": r.expected,
            "observed": r.observed,
            "ok": r.ok,
            **({"left_out": r.left_out} if r.left_out else {}),
        }
        for r in results
    ]
    print_document({"ok": all(result.ok for result in results), "checks": checks})


def print_text(results: Sequence[Result], *, show_all: bool) -> None:
    """Print the differences, or with ``show_all`` every check, and a summary."""
    console = output()
    for result in results:
        if result.ok and not show_all:
            continue
        line = Text("ok       ", "green") if result.ok else Text("DIFFERS  ", BAD)
        line.append(f"{result.expected:7}", "dim")
        line.append(result.name, "default")
        if not result.ok:
            line.append(f": observed {result.observed}", BAD)
        say(console, line, indent=16)
    from farshore.conformance.check import Outcome

    reach = [result for result in results if result.expected is Outcome.REACH]
    block = [result for result in results if result.expected is Outcome.BLOCK]
    left_out = sum(result.left_out for result in results)
    more = f"; {counted(left_out, 'allowed flow')} left out: more than tenants' limits permit" if left_out else ""
    say(console, f"{_share(reach)} allowed flows pass, {_share(block)} forbidden flows are blocked{more}", indent=2)


def _share(results: Sequence[Result]) -> str:
    return f"{sum(result.ok for result in results):,} of {len(results):,}"
