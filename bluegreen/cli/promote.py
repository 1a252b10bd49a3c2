"""``bluegreen promote``"""

from __future__ import annotations

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import reason_option, service_argument
from bluegreen.cli.steering import ask
from bluegreen.domain.service import Control


@click.command("promote")
@service_argument
@click.option("--dry-run", is_flag=True, help="Say what it would do now; ask for nothing.")
@reason_option
@click.pass_obj
def command(app: App, service: str | None, config: str, dry_run: bool, reason: str | None) -> None:
    """Skip the remaining waits of a deployment.

    Green gets all traffic at the next step and the bake ends. Tests, health and gates still count: a release that fails
    them is rolled back. A gate that cannot tell is not waited for any more.
    """
    ask(app, Control.PROMOTE, service, config, reason, dry_run=dry_run)
