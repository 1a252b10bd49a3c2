"""Wishes for the driver of a deployment: pause, promote, and resume where another process drives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bluegreen.cli.app import App
from bluegreen.domain.service import Control

if TYPE_CHECKING:
    from bluegreen.domain.deployment import Deployment
    from bluegreen.wiring import Session

_EFFECT = {
    Control.PAUSE: "holds where it stands; traffic stays as it is",
    Control.RESUME: "goes on",
    Control.PROMOTE: "skips its remaining waits; tests, health and gates still count",
    Control.ACCEPT_LIVE: "goes on from the live weights",
    Control.REASSERT: "writes its weights again and goes on",
}


def ask(
    app: App, wish: Control, service: str | None, config: str, reason: str | None, *, dry_run: bool = False
) -> None:
    """Leave the wish; in a dry run say what it would do. Raises RefusedError when no deployment is unfinished."""
    from bluegreen.drivers.inquiry import control, is_driven, is_heard

    session, name = app.session_for(wish.value, service, config)
    deployment = control(session, name, wish, reason, dry_run=dry_run)
    if dry_run:
        return tell_what_if(app, deployment, wish)
    return tell_asked(app, session, deployment, wish, heard=is_driven(session, name) and is_heard(session, name))


def tell_asked(app: App, session: Session, d: Deployment, wish: Control, *, heard: bool) -> None:
    """``heard``: the driver has taken the wish."""
    lease = session.store.service(d.service).lease
    driver = lease.owner if lease is not None and lease.expires_at > app.clock.now() else None
    if app.json:
        from bluegreen.cli.terminal import show_json

        return show_json(
            {
                "service": d.service,
                "deployment": d.id,
                "asked": wish.value,
                "driver": driver and str(driver),
                "heard": heard,
            }
        )
    if driver is None and not heard:
        click.echo(f"noted: deployment {d.id} {_EFFECT[wish]} as soon as it is driven; no process drives it now")
        return click.echo(f"next: bluegreen resume {d.service}")
    if heard:  # A driver that is told to pause ends with it, mostly before this looks for its lock.
        click.echo(f"{driver or 'its driver'} heard it: deployment {d.id} {_EFFECT[wish]}")
    else:
        click.echo(f"left for {driver}, which has not answered yet: deployment {d.id} {_EFFECT[wish]}")
    return click.echo(f"next: bluegreen {'resume' if wish is Control.PAUSE else 'status'} {d.service}")


def tell_what_if(app: App, d: Deployment, wish: Control) -> None:
    """A dry run's answer."""
    stands = f", held: {d.hold.reason}" if d.hold else f", waiting: {d.waiting.reason}" if d.waiting else ""
    if app.json:
        from bluegreen.cli.terminal import show_json

        what = {"deployment": d.id, "phase": d.phase.value, "asked": wish.value, "effect": _EFFECT[wish]}
        return show_json({"service": d.service, **what, "dry_run": True})
    click.echo(f"{d.service}: deployment {d.id} (in phase {d.phase}{stands}) {_EFFECT[wish]}")
    click.echo("  Dry run: nothing was changed.")
    return click.echo(f"  to do it    {_typed(wish, d.service)}")


# Private


def _typed(wish: Control, service: str) -> str:
    options = {Control.ACCEPT_LIVE: " --accept-live", Control.REASSERT: " --reassert"}
    return f"bluegreen {'resume' if wish in options else wish.value} {service}{options.get(wish, '')}"
