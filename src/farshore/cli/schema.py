"""``farshore schema``: the JSON Schema of the intent file."""

from __future__ import annotations

import json

import click

# \b keeps click from filling the lines that follow.
EXAMPLE = """\b
Example:
  farshore schema > farshore.schema.json

\b
Then let the first line of an intent file name it, and an editor completes keys and marks mistakes:
  # yaml-language-server: $schema=farshore.schema.json
"""


@click.command(epilog=EXAMPLE)
def schema() -> None:
    """Print the JSON Schema of the intent file (draft 2020-12), for editors.

    It is made from the very models that read the file. It cannot know how addresses collide:
    that takes farshore check.
    """
    from farshore.intent.read.schema_models import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
