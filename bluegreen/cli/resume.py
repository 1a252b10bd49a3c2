"""``bluegreen resume``"""

from __future__ import annotations

import click

from bluegreen.cli.app import App
from bluegreen.cli.junit_file import JunitFile, junit_option
from bluegreen.cli.options import reason_option, service_argument
from bluegreen.domain.service import Control


@click.command("resume")
@service_argument
@click.option("--accept-live", is_flag=True, help="After drift: go on from the live weights.")
@click.option("--reassert", is_flag=True, help="After drift: write this deployment's weights again.")
@click.option("--dry-run", is_flag=True, help="Say what it would do now; ask for nothing, drive nothing.")
@reason_option
@junit_option
@click.pass_obj
def command(
    app: App,
    service: str | None,
    config: str,
    accept_live: bool,
    reassert: bool,
    dry_run: bool,
    reason: str | None,
    junit_file: str | None,
) -> None:
    """Go on with a held deployment, or take over one that nobody drives.

    Where another process drives the deployment, it is asked to go on. Where none does, this one drives it to its end.
    Where a gate could not tell, this accepts what it showed.
    """
    from bluegreen.cli.driving import drive
    from bluegreen.cli.steering import tell_asked, tell_what_if
    from bluegreen.drivers import foreground, inquiry
    from bluegreen.drivers.background import attend_in_the_background

    wish = _wish(accept_live, reassert)
    session, name = app.session_for("resume", service, config)
    deployment = inquiry.control(session, name, wish, reason, dry_run=dry_run)
    if dry_run:
        return tell_what_if(app, deployment, wish)
    if inquiry.is_driven(session, name):
        if inquiry.is_heard(session, name):
            return tell_asked(app, session, deployment, wish, heard=True)
        lease = session.store.service(name).lease
        left = max(0.0, lease.expires_at - app.clock.now()) if lease else 0.0
        who = lease.owner if lease else "the driver"
        click.echo(
            f"{who} does not answer; its lock ends by itself in {left:.0f} s, then this process drives", err=True
        )
        if not inquiry.outlive(session, name):
            return tell_asked(app, session, deployment, wish, heard=True)
    file = JunitFile(session, name, junit_file) if junit_file else None
    return drive(
        app,
        lambda reporter: foreground.resume(session, name, reporter, attendant=attend_in_the_background),
        conclude=file.write if file else lambda deployment, error: None,
        notifier=session.notifier,
    )


# Private


def _wish(accept_live: bool, reassert: bool) -> Control:
    if accept_live and reassert:
        raise click.UsageError("--accept-live and --reassert exclude each other")
    if accept_live:
        return Control.ACCEPT_LIVE
    return Control.REASSERT if reassert else Control.RESUME
