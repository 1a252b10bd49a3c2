"""``bluegreen pause``"""

from __future__ import annotations

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import reason_option, service_argument
from bluegreen.cli.steering import ask
from bluegreen.domain.service import Control


@click.command("pause")
@service_argument
@click.option("--dry-run", is_flag=True, help="Say what it would do now; ask for nothing.")
@reason_option
@click.pass_obj
def command(app: App, service: str | None, config: str, dry_run: bool, reason: str | None) -> None:
    """Hold a deployment where it stands.

    The split stays as it is and blue stays warm. Meanwhile bluegreen attend watches green's health and the
    gates, and rolls it back when they say so, or when nobody ends the hold within the configured deadline (24 hours).
    """
    ask(app, Control.PAUSE, service, config, reason, dry_run=dry_run)
