"""``farshore plan``: every address that is given to anyone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from rich.segment import Segments
from rich.text import Text

from farshore.cli.console import LAKE_STYLE, PROVIDER_STYLE, TENANT_STYLES, Cell, cell, columns, output
from farshore.cli.inputs import read_planned
from farshore.intent.model import Intent
from farshore.plan.document import document
from farshore.plan.model import Appearance, Plan, SourcePlan, appearance
from farshore.realm import Prefix
from farshore.translation import PortBlockNapt

Row = tuple[Cell, ...]

# \b keeps click from filling the lines that follow.
EXAMPLE = """\b
Example:
  farshore plan examples/article.yaml
  farshore plan examples/article.yaml --json | jq '.tenants["customer-a"].presents'

\b
Exit status: 0 planned, 2 the file has faults or the addresses do not suffice.
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON, for programs.")
def plan(file: Path, as_json: bool) -> None:
    """Show the address plan of the intent in FILE.

    It gives every service an address in the lake, every tenant network a block of the lake, and
    every tenant an address of its own range for each service that it uses, and for each host of the
    provider that may call it. The same file always gives the same plan, and what is added at the end
    of the tenants, services or hosts moves nothing else.
    """
    read = read_planned(file)
    intent, planned = read.intent, read.plan
    if as_json:
        click.echo(json.dumps(document(intent, planned), indent=2, ensure_ascii=False))
        return
    console = output()
    console.print(Text.assemble("lake ", (str(planned.lake.network), LAKE_STYLE)))
    for table in _tables(intent, planned):
        console.print()
        console.print(table, end="")


def _tables(intent: Intent, planned: Plan) -> Iterator[Segments]:
    styles = {name: TENANT_STYLES[position % len(TENANT_STYLES)] for position, name in enumerate(planned.tenants)}
    tables: tuple[tuple[Sequence[str], Iterable[Row]], ...] = (
        (("service", "provider address", "lake address"), _services(planned)),
        (("tenant", "network", "mode", "lake", "provider"), _sources(planned, styles)),
        (("tenant", "service", "presented address"), _presented(planned, styles)),
        (("may call tenants", "provider address", "lake address"), _callers(planned)),
        (("tenant", "called by", "seen as", "on"), _calls(intent, planned, styles)),
        (("tenant", "host", "appears as"), _hosts(intent, planned, styles)),
    )
    for headings, rows in tables:
        kept = tuple(rows)
        if kept:
            yield columns(headings, kept)


def _services(planned: Plan) -> Iterator[Row]:
    for service in planned.services.values():
        yield (
            cell(service.name),
            cell(str(service.address.ip), PROVIDER_STYLE),
            cell(str(service.lake.ip), LAKE_STYLE),
        )


def _sources(planned: Plan, styles: dict[str, str]) -> Iterator[Row]:
    for name, tenant in planned.tenants.items():
        for source in tenant.sources:
            onward = [translation.outside for translation in source.provider_translations]
            yield (
                cell(name, styles[name]),
                cell(str(source.network.network), styles[name]),
                cell(_mode(source)),
                cell(_listed(source.lake) or "none", LAKE_STYLE),
                cell(_listed(onward), PROVIDER_STYLE),
            )


def _presented(planned: Plan, styles: dict[str, str]) -> Iterator[Row]:
    for name, tenant in planned.tenants.items():
        for service, address in tenant.presents.items():
            yield (cell(name, styles[name]), cell(service), cell(str(address.ip), styles[name]))


def _callers(planned: Plan) -> Iterator[Row]:
    for caller in planned.callers.values():
        yield (
            cell(caller.name),
            cell(str(caller.address.ip), PROVIDER_STYLE),
            cell(str(caller.lake.ip), LAKE_STYLE),
        )


def _calls(intent: Intent, planned: Plan, styles: dict[str, str]) -> Iterator[Row]:
    for name, tenant in planned.tenants.items():
        ports = ", ".join(map(str, intent.reached(name)))
        for caller, address in tenant.callers.items():
            yield (cell(name, styles[name]), cell(caller), cell(str(address.ip), styles[name]), cell(ports))


def _hosts(intent: Intent, planned: Plan, styles: dict[str, str]) -> Iterator[Row]:
    for name, tenant in planned.tenants.items():
        for host in intent.tenants[name].hosts:
            for source in tenant.sources:
                appears = appearance(source, host.address)
                if appears is not None:
                    yield (
                        cell(name, styles[name]),
                        cell(host.name),
                        cell(str(host.address.ip), styles[name]) + _appears(appears),
                    )


def _appears(appears: Appearance) -> Cell:
    lake = cell(" → ") + cell(str(appears.lake.ip), LAKE_STYLE)
    if appears.ports is not None:
        lake += cell(f" ports {appears.ports.first_port}-{appears.ports.last_port}")
    if appears.provider is None:
        return lake
    return lake + cell(" → ") + cell(str(appears.provider.ip), PROVIDER_STYLE)


def _mode(source: SourcePlan) -> str:
    for translation in source.translations:
        if isinstance(translation, PortBlockNapt):
            return f"pool: {translation.addresses} ({translation.block_size:,} ports per host)"
    return str(source.mode)


def _listed(prefixes: Iterable[Prefix]) -> str:
    return ", ".join(str(prefix.network) for prefix in prefixes)
