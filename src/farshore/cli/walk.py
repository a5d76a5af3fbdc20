"""``farshore walk``: one packet and its reply, step by step, as in the article's tables."""

from __future__ import annotations

import json
from pathlib import Path

import click

from farshore.design.catalogue import DESIGNS
from farshore.errors import EXIT_NO, EXIT_YES, UsageError
from farshore.semantics.profile import PROFILES

# \b keeps click from filling the lines that follow.
EXAMPLE = """\b
Example:
  farshore walk examples/article.yaml --from customer-a/alice --to portal:443
  farshore walk examples/article.yaml --from customer-a/alice --to portal --design single-nat
  farshore walk examples/article.yaml --from customer-b/bill --to portal:icmp --svg bill.svg
  farshore walk examples/article.yaml --from internet/host --to portal --json | jq .verdict
  farshore walk examples/article.yaml --from customer-a/alice --to portal --design single-nat --live

\b
Exit status: 0 delivered, 1 a glitch, a refusal or a difference, 2 bad input, 3 the machine cannot.
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--from", "origin", metavar="TENANT/HOST", required=True, help="Who sends it; internet/host works, too.")
@click.option(
    "--to",
    "target",
    metavar="SERVICE[:PORT]",
    required=True,
    help="Where to: portal, portal:443, dns:udp/53, portal:icmp. Without PORT the service's first.",
)
@click.option("--design", metavar="D", help=f"One of {', '.join(DESIGNS)}; without it what the intent asks for.")
@click.option(
    "--profile",
    metavar="P",
    help=f"Every NAT device's order of operations, one of {', '.join(PROFILES)}; else its own.",
)
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw the walk into this file, too.")
@click.option("--live", is_flag=True, help="Send the packet for real, through a lab, and compare.")
@click.option("--name", metavar="N", help="With --live: through this lab. Else the one that is up, or its own.")
@click.option("--json", "as_json", is_flag=True, help="Print the walk as JSON, for programs.")
@click.pass_context
def walk(
    context: click.Context,
    *,
    file: Path,
    origin: str,
    target: str,
    design: str,
    profile: str | None,
    svg: Path | None,
    name: str | None,
    live: bool,
    as_json: bool,
) -> None:
    """Walk a packet and its reply through a design, step by step.

    After a glitch it goes on as if nothing had happened, and in the end lists every glitch with its reason
    and its fix. What the intent does not connect may be asked for, too: the answer is the step that
    refuses it.
    """
    from farshore.cli.inputs import read_built
    from farshore.pipeline import stages

    if name is not None and not live:
        raise UsageError("--name says which lab, and only --live sends the packet through one")
    stages.design_named(design)
    chosen = stages.profile_named(profile)
    built = read_built(file, design)
    intent, fabric = built.intent, built.fabric
    if live:
        from farshore.cli import walk_live
        from farshore.pipeline.probes import probe

        asked = probe(intent, built.plan, fabric, origin, target)
        came = walk_live.send(file, fabric, chosen, asked, name)
        walked = came.walk
    else:
        walked = stages.walk(built, origin, target, profile)
    if svg is not None:
        from farshore.walk.draw.drawing import draw

        _write(svg, draw(walked, fabric))
    if as_json:
        from farshore.walk.tell.summary import document

        both = document(walked) | ({"live": walk_live.document(came)} if live else {})
        click.echo(json.dumps(both, indent=2, ensure_ascii=False))
    else:
        from farshore.cli.console import output
        from farshore.cli.walk_text import show

        show(output(), walked, tuple(intent.tenants))
        if live:
            walk_live.show(output(), came)
    good = walked.delivered and (not live or came.agrees)
    context.exit(EXIT_YES if good else EXIT_NO)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
