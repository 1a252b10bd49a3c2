"""``bluegreen rollback``: timed, so nothing is imported that it does not need."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import reason_option, service_argument
from bluegreen.errors import RecordError, StoreUnavailableError

if TYPE_CHECKING:
    from bluegreen.domain.deployment import Deployment
    from bluegreen.errors import BluegreenError
    from bluegreen.report.text import Line
    from bluegreen.wiring import Session


@click.command("rollback")
@service_argument
@click.option("--to", metavar="RELEASE", help="A known release, as family:revision. [default: the newest known-good]")
@click.option("--wait/--no-wait", default=False, help="Stay until green is scaled in, not only until safe.")
@click.option("--dry-run", is_flag=True, help="Say which class of rollback, what it writes, how long; write nothing.")
@click.option("--force", is_flag=True, help="Send traffic to blue even if too few of its targets are healthy.")
@reason_option
@click.pass_obj
def command(
    app: App,
    /,
    service: str | None,
    config: str,
    to: str | None,
    wait: bool,
    dry_run: bool,
    force: bool,
    reason: str | None,
) -> None:
    """Put all traffic back on blue, or redeploy the last known-good release.

    Asks nothing. While a deployment is unfinished it is a flip: one write for each production route, in less than a
    second, whoever drives that deployment. After its end it is a redeployment of the newest known-good release.
    It returns when it is SAFE; a process in the background drains green and scales it in.

    Without an answer from the state store it works from the configuration and the live routes; --to then takes a slot.
    """
    session, name = app.session_for("rollback", service, config)
    try:
        if dry_run:
            return show_plan(app, session, name, to, force=force)
        return roll_back(app, session, name, to=to, reason=reason, force=force, wait=wait)
    except (StoreUnavailableError, RecordError) as error:
        from bluegreen.cli.bare_rollback import roll_back_without_record

        return roll_back_without_record(app, session, config, error, to=to, force=force, dry_run=dry_run)


def roll_back(
    app: App, session: Session, service: str, *, to: str | None, reason: str | None, force: bool, wait: bool
) -> None:
    """Also what ``abort`` does. Raises what the driver raises, RolledBackError, and DeadlineError when not safe."""
    from bluegreen.cli.driving import drive
    from bluegreen.drivers.background import attend_in_the_background, finish_in_the_background
    from bluegreen.drivers.rollback import rollback

    finisher = None if wait else finish_in_the_background
    drive(
        app,
        lambda reporter: rollback(
            session,
            service,
            reporter,
            to=to,
            reason=reason,
            force=force,
            finisher=finisher,
            attendant=attend_in_the_background,
        ),
        live=False,
        verdict=_verdict,
        summary=_summary,
        notifier=session.notifier,
    )


def show_plan(
    app: App, session: Session, service: str, to: str | None, *, force: bool, typed: str = "rollback"
) -> None:
    """``typed``: the command whose dry run it is."""
    from bluegreen.cli.terminal import show, show_json, width
    from bluegreen.drivers.foreseeing import foresee
    from bluegreen.report.data import plan_data
    from bluegreen.report.summary import plan_lines

    planned = foresee(session, service, to=to, force=force)
    if app.json:
        return show_json(plan_data(service, planned))
    return show(app, plan_lines(service, planned, width(sys.stdout), to, typed))


# Private


def _verdict(d: Deployment) -> BluegreenError | None:
    """A flip must be safe; a redeployment must be live, like any deployment."""
    from bluegreen.cli.driving import must_be_live
    from bluegreen.errors import DeadlineError, RolledBackError

    if d.rollback is None:
        return must_be_live(d)
    if d.ended and d.in_vain:
        return RolledBackError(
            f"the redeployment failed: {d.rollback.reason.removesuffix('.')}. All traffic is still on {d.blue.name} "
            f"({d.previous.id}), which it was to replace",
            hint=f"bluegreen rollback {d.service} tries the next known-good release; --to RELEASE names one",
        )
    if d.rollback.safe_at is not None:
        return None
    return DeadlineError(
        f"all traffic is on {d.blue.name}, but the driver that was pre-empted has not said that it stopped: a late "
        "write of it is still possible. It is watched for, and undone, in the background",
        hint=f"bluegreen status {d.service} --watch",
    )


def _summary(d: Deployment, now: float, columns: int) -> list[Line]:
    from bluegreen.report.summary import deploy_summary, rollback_summary

    return deploy_summary(d, now, columns) if d.rollback is None else rollback_summary(d, now, columns)
