"""``bluegreen abort``"""

from __future__ import annotations

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import reason_option, service_argument


@click.command("abort")
@service_argument
@click.option("--wait/--no-wait", default=False, help="Stay until green is scaled in, not only until safe.")
@click.option("--dry-run", is_flag=True, help="Say what it writes and how long it takes; write nothing.")
@click.option("--force", is_flag=True, help="Send traffic to blue even if too few of its targets are healthy.")
@reason_option
@click.pass_obj
def command(
    app: App, /, service: str | None, config: str, wait: bool, dry_run: bool, force: bool, reason: str | None
) -> None:
    """Stop a deployment and roll it back.

    The same as a rollback, but only of an unfinished deployment: it never redeploys an older release.
    """
    from bluegreen.cli.rollback import roll_back, show_plan
    from bluegreen.drivers.foreground import active

    session, name = app.session_for("abort", service, config)
    active(session, name)
    if dry_run:
        return show_plan(app, session, name, None, force=force, typed="abort")
    why = f"aborted: {reason}" if reason else "aborted"
    return roll_back(app, session, name, to=None, reason=why, force=force, wait=wait)
