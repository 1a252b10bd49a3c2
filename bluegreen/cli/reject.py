"""``bluegreen reject``"""

from __future__ import annotations

import click

from bluegreen.cli.app import App
from bluegreen.cli.deciding import decide, hook_option
from bluegreen.cli.options import reason_option, service_argument


@click.command("reject")
@service_argument
@reason_option
@hook_option
@click.pass_obj
def command(app: App, service: str | None, config: str, reason: str | None, hook: str | None) -> None:
    """Say no to the approval a deployment waits for: it is rolled back.

    Who said it and why is kept in the record. The first answer stands; whoever drives the deployment reads it.
    """
    decide(app, service, config, reason, hook, approved=False)
