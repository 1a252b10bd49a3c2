"""``bluegreen history``"""

from __future__ import annotations

import sys

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import service_argument


@click.command("history")
@service_argument
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.pass_obj
def command(app: App, service: str | None, config: str, limit: int) -> None:
    """List a service's deployments, newest first.

    With -o json: every deployment in full, with its hooks' output and its phases.
    """
    from bluegreen.cli.terminal import show_json, width
    from bluegreen.report.data import history_data
    from bluegreen.report.tables import history_table
    from bluegreen.store.base import Damaged

    session, name = app.session_for("history", service, config)
    entries = session.store.entries(name, limit)
    now = app.clock.now()
    deployments = [entry for entry in entries if not isinstance(entry, Damaged)]
    damaged = [entry for entry in entries if isinstance(entry, Damaged)]
    if app.json:
        return show_json([*history_data(deployments, now), *({"id": d.id, "damaged": d.fault} for d in damaged)])
    if not entries:
        return click.echo(f"no deployment of {name} is on record in {session.store_url}")
    if deployments:
        click.echo(history_table(deployments, now, width(sys.stdout)))
    for entry in damaged:
        click.echo(f"damaged: {entry.id}: {entry.fault}", err=True)
    return None
