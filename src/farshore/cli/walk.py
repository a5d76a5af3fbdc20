"""``farshore walk``: one packet and its reply, step by step."""

from __future__ import annotations

from pathlib import Path

import click

from farshore.cli.command import (
    BAD_INPUT,
    MACHINE,
    Command,
    design_option,
    intent_file,
    json_option,
    print_document,
    profile_option,
)
from farshore.design.catalogue import DESIGNS
from farshore.errors import EXIT_NO, EXIT_YES, UsageError
from farshore.semantics.profile import PROFILES

_STANDARD_OUTPUT = "-"


@click.command(
    cls=Command,
    examples=(
        "farshore walk examples/article.yaml --from customer-a/alice --to portal:443",
        "farshore walk examples/article.yaml --from customer-a/alice --to portal --design single-nat",
        "farshore walk examples/article.yaml --from customer-b/bill --to portal:icmp --svg bill.svg",
        "farshore walk examples/article.yaml --from internet/host --to portal --json | jq .verdict",
        "farshore walk examples/article.yaml --from customer-a/alice --to portal --design single-nat --live",
    ),
    statuses={
        EXIT_YES: "delivered",
        EXIT_NO: "check failed: a glitch, a drop or, with --live, a difference",
        **BAD_INPUT,
        **MACHINE,
    },
)
@intent_file()
@click.option(
    "--from",
    "origin",
    metavar="TENANT/HOST",
    required=True,
    help="Sender; also internet/host, and provider/HOST for a call to a tenant.",
)
@click.option(
    "--to",
    "target",
    metavar="SERVICE[:PORT]",
    required=True,
    help="Destination: portal, portal:443, dns:udp/53, portal:icmp. Default port: the service's first.",
)
@design_option(DESIGNS)
@profile_option(PROFILES)
@click.option(
    "--svg",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Also draw the walk, as SVG, into this file. With - only the drawing is printed.",
)
@click.option("--live", is_flag=True, help="Also send the packet through a lab, and compare.")
@click.option("--name", metavar="N", help="Lab for --live. Default: the lab of this file and design, or a new one.")
@json_option()
@click.pass_context
def walk(
    context: click.Context,
    *,
    file: Path,
    origin: str,
    target: str,
    design: str | None,
    profile: str | None,
    svg: Path | None,
    name: str | None,
    live: bool,
    as_json: bool,
) -> None:
    """Walk a packet and its reply through a design, step by step.

    A glitch is a step that is ambiguous or impossible. The walk continues after a glitch and lists all glitches at
    its end, each with its cause and its fix. A flow that the intent does not permit can be walked as well: the walk
    ends at the step that drops it.
    """
    from farshore.cli.inputs import read_built
    from farshore.pipeline import stages

    if name is not None and not live:
        raise UsageError("--name requires --live; add --live, or omit --name")
    only_drawn = str(svg) == _STANDARD_OUTPUT
    if only_drawn and (as_json or live):
        other = "--json" if as_json else "--live"
        raise UsageError(f"--svg - and {other} both print to standard output; name a file for the drawing")
    stages.design_named(design)
    chosen = stages.profile_named(profile)
    built = read_built(file, design)
    intent, fabric = built.intent, built.fabric
    if live:
        from farshore.cli import walk_live
        from farshore.pipeline.probes import probe

        asked = probe(intent, built.plan, fabric, origin, target)
        came = walk_live.send(file, fabric, chosen, asked, name)
        walked = stages.explained(built, asked, came.walk)
    else:
        walked = stages.walk(built, origin, target, profile)
    if svg is not None:
        from farshore.walk.draw.drawing import draw

        _write(svg, draw(walked, fabric))
    if as_json:
        from farshore.walk.tell.summary import document

        both = document(walked) | ({"live": walk_live.document(came)} if live else {})
        print_document(both)
    elif not only_drawn:
        from farshore.cli.console import output
        from farshore.cli.walk_text import show

        show(output(), walked, tuple(intent.tenants))
        if live:
            walk_live.show(output(), came)
    good = walked.delivered and (not live or came.agrees)
    context.exit(EXIT_YES if good else EXIT_NO)


def _write(path: Path, text: str) -> None:
    if str(path) == _STANDARD_OUTPUT:
        click.echo(text, nl=False)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
