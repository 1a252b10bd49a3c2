"""``bluegreen schema``: the configuration's JSON Schema on stdout, for editors."""

from __future__ import annotations

import json

import click


@click.command("schema")
def command() -> None:
    """Print the configuration's JSON Schema (draft 2020-12), for editors.

    With the YAML language server: bluegreen schema > bluegreen.schema.json, and as the configuration's first line
    "# yaml-language-server: $schema=bluegreen.schema.json".
    """
    # here, because pydantic is slow to import and --help must not wait for it
    from bluegreen.config.schema import json_schema
    from bluegreen.wiring import known_kinds

    click.echo(json.dumps(json_schema(known_kinds()), indent=2, ensure_ascii=False))
