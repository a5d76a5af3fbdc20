"""``farshore plan``: every address that is assigned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from rich.text import Text

from farshore.cli.command import Command, intent_file, json_option, print_document
from farshore.cli.console import LAKE_STYLE, PROVIDER_STYLE, TENANT_STYLES, Cell, Row, cell, output, table
from farshore.cli.inputs import read_planned
from farshore.errors import EXIT_BAD_INPUT, EXIT_YES
from farshore.gc_pause import kept_for_good, without_collector
from farshore.intent.model import Intent
from farshore.plan.document import document
from farshore.plan.model import Appearance, Plan, SourcePlan, appearance
from farshore.realm import Prefix
from farshore.translation import PortBlockNapt


@click.command(
    cls=Command,
    examples=(
        "farshore plan examples/article.yaml",
        """farshore plan examples/article.yaml --json | jq '.tenants["customer-a"].presents'""",
    ),
    statuses={EXIT_YES: "planned", EXIT_BAD_INPUT: "the file has errors, or the lake has too few addresses"},
)
@intent_file()
@json_option()
def plan(file: Path, as_json: bool) -> None:
    """Show the address plan of the intent in FILE.

    Every service has a lake address, every tenant network a block of the lake, and every tenant a presented address
    for each service that it uses and for each provider host that may call it. The same file always gives the same
    plan, and an addition at the end of the tenants, of the services or of the provider's hosts moves no other address.
    A host that is added to a network of mode host may need a larger block, which moves what follows in the lake.
    """
    with without_collector():
        read = read_planned(file)
        kept_for_good()
        _show(read.intent, read.plan, as_json=as_json)


def _show(intent: Intent, planned: Plan, *, as_json: bool) -> None:
    if as_json:
        print_document(document(intent, planned))
        return
    console = output()
    console.print(Text.assemble("lake ", (str(planned.lake.network), LAKE_STYLE)))
    for headings, rows in _tables(intent, planned):
        console.print()
        table(console, headings, rows)


def _tables(intent: Intent, planned: Plan) -> Iterator[tuple[Sequence[str], Sequence[Row]]]:
    styles = {name: TENANT_STYLES[position % len(TENANT_STYLES)] for position, name in enumerate(planned.tenants)}
    tables: tuple[tuple[Sequence[str], Iterable[Row]], ...] = (
        (("service", "provider address", "lake address"), _services(planned)),
        (("tenant", "network", "mode", "lake", "provider"), _sources(planned, styles)),
        (("tenant", "service", "presented address"), _presented(planned, styles)),
        (("caller", "provider address", "lake address"), _callers(planned)),
        (("tenant", "caller", "presented address", "on"), _calls(intent, planned, styles)),
        (("tenant", "host", "appears as"), _hosts(intent, planned, styles)),
    )
    for headings, rows in tables:
        kept = tuple(rows)
        if kept:
            yield headings, kept


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
