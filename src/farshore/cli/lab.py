"""``farshore lab``: a lab to play in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from farshore.cli.console import output, progress
from farshore.conformance.check import Outcome, Result
from farshore.design.catalogue import DESIGNS
from farshore.errors import EXIT_NO, EXIT_YES, UsageError
from farshore.lab.registry import DEFAULT_NAME
from farshore.lookup import find

_name = click.option("--name", metavar="N", help="Which lab; one lab needs no name.")
_design = click.option(
    "--design", type=click.Choice(list(DESIGNS)), help="Which design for all; without it what the intent asks for."
)
_file = click.argument("file", type=click.Path(path_type=Path, readable=False))
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


# \b keeps click from filling the lines that follow.
EXAMPLE = """\b
Example:
  farshore lab up examples/article.yaml
  farshore lab exec customer-a/alice -- ping -c 3 10.2.2.1
  farshore lab exec customer-b/bill -- curl http://10.2.2.1/
  farshore lab down
"""


@click.group(epilog=EXAMPLE)
def lab() -> None:
    """Run a whole design on this machine, in namespaces of its own; works without root."""


@lab.command()
@_file
@_design
@_name
@click.option(
    "--own-server",
    "own_servers",
    metavar="SERVICE",
    multiple=True,
    help="Do not answer as this service: you will, with lab exec. May be repeated.",
)
def up(file: Path, design: str | None, name: str | None, own_servers: tuple[str, ...]) -> None:
    """Bring a lab up. It stays until "farshore lab down"."""
    from farshore.cli.inputs import read_runnable
    from farshore.fabric import names
    from farshore.lab import lifecycle

    built = read_runnable(file, design)
    own = frozenset(names.service(find(built.intent.provider.services, each, "service").name) for each in own_servers)
    with progress() as reporter:
        record = lifecycle.up(name or DEFAULT_NAME, file, built.fabric, reporter, own_servers=own)
    click.echo(
        f"lab {record.name} is up: {len(record.nodes)} nodes; try: farshore lab exec {record.nodes[0]} -- ip route"
    )


@lab.command()
@_file
@_design
@_json
@click.option("--all", "show_all", is_flag=True, help="List the checks that came out as expected, too.")
def run(file: Path, design: str | None, *, as_json: bool, show_all: bool) -> None:
    """Make a lab, try everything that must and must not be possible, report, and take it down.

    Every host uses every service that its tenant subscribes to, all at the same moment and from the same
    source port. Then everybody tries what is forbidden. Exit status 1 if anything differs.
    """
    from farshore.cli.inputs import read_runnable
    from farshore.lab.run import run as run_checks

    built = read_runnable(file, design)
    with progress() as reporter:
        results = run_checks(file, built.intent, built.plan, built.fabric, reporter)
    if as_json:
        print_json(results)
    else:
        print_text(results, show_all=show_all)
    raise SystemExit(EXIT_YES if all(result.ok for result in results) else EXIT_NO)


@lab.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("node")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@_name
def execute(node: str, command: tuple[str, ...], name: str | None) -> None:
    """Run any program of this machine in a NODE of the lab, with its exit status, stdin and stdout.

    Nodes are TENANT/HOST, TENANT/ce, provider/router, provider/SERVICE, internet/host, and the boxes of
    the design: TENANT/nat and provider/nat, provider/last-hop, or TENANT/proxy and provider/proxy.
    "farshore lab status" lists them.
    """
    from farshore.lab.execute import execute as run_in_node
    from farshore.lab.registry import only

    here = only(name)
    record = here.read()
    if record is None:
        raise UsageError(f"lab {here.name!r} is not up; remove what is left of it with: farshore lab down")
    program = command[1:] if command[0] == "--" else command
    if not program:
        raise UsageError("say what to run: farshore lab exec NODE -- CMD")
    run_in_node(record, node, program)


@lab.command()
@_name
@_json
def status(name: str | None, *, as_json: bool) -> None:
    """Say which labs there are and whether they live."""
    from farshore.lab.registry import all_entries, is_alive, only

    entries = all_entries() if name is None else (only(name),)
    found = [(here, here.read()) for here in entries]
    if as_json:
        labs = [
            {**(asdict(record) if record else {"name": here.name}), "up": record is not None and is_alive(record)}
            for here, record in found
        ]
        click.echo(json.dumps({"labs": labs}, indent=2))
        return
    for here, record in found:
        if record is None:
            click.echo(f"{here.name}: not up; remove what is left of it with: farshore lab down --name {here.name}")
            continue
        state = "up" if is_alive(record) else "dead"
        click.echo(f"{record.name}: {state}, {record.design} of {record.intent}, since {record.created}")
        for node in record.nodes:
            click.echo(f"  {node}")
    if not found:
        click.echo("no lab is up")


@lab.command()
@_name
def down(name: str | None) -> None:
    """Take a lab down and leave nothing of it."""
    from farshore.lab import lifecycle
    from farshore.lab.registry import only

    here = only(name)
    lifecycle.down(here)
    click.echo(f"lab {here.name} is down")


def print_json(results: Sequence[Result]) -> None:
    """Print the results as design.md gives them."""
    checks = [{"name": r.name, "expected": r.expected, "observed": r.observed, "ok": r.ok} for r in results]
    click.echo(json.dumps({"ok": all(result.ok for result in results), "checks": checks}, indent=2))


def print_text(results: Sequence[Result], *, show_all: bool) -> None:
    """Print what differed, or with ``show_all`` every check, and a summary."""
    console = output()
    for result in results:
        if result.ok and not show_all:
            continue
        line = Text("ok       ", "green") if result.ok else Text("DIFFERS  ", "bold red")
        line.append(f"{result.expected:7}", "dim")
        line.append(result.name, "default")
        if not result.ok:
            line.append(f": {result.observed}", "bold red")
        console.print(line)
    reach = [result for result in results if result.expected is Outcome.REACH]
    block = [result for result in results if result.expected is Outcome.BLOCK]
    click.echo(f"{_share(reach)} that must reach do, {_share(block)} that must be blocked are")


def _share(results: Sequence[Result]) -> str:
    good = sum(result.ok for result in results)
    return f"all {good}" if good == len(results) else f"only {good} of {len(results)}"
