"""``bluegreen abort``"""

from __future__ import annotations

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import reason_option, service_argument


@click.command("abort")
@service_argument
@click.option("--wait/--no-wait", default=False, help="Stay until green is scaled in, not only until safe.")
@click.option("--force", is_flag=True, help="Send traffic to blue even if too few of its targets are healthy.")
@reason_option
@click.pass_obj
def command(app: App, service: str | None, config: str, wait: bool, force: bool, reason: str | None) -> None:
    """Stop a deployment and roll it back.

    The same as a rollback, but only of an unfinished deployment: it never redeploys an older release.
    """
    from bluegreen.cli.rollback import roll_back
    from bluegreen.drivers.foreground import active

    session, name = app.session_for("abort", service, config)
    active(session, name)
    why = f"aborted: {reason}" if reason else "aborted"
    roll_back(app, session, name, to=None, reason=why, force=force, wait=wait)
