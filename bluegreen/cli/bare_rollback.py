"""A rollback while the state store gives no answer: it says so, puts traffic back, and names what it left undone."""

from __future__ import annotations

import click

from bluegreen.cli.app import App
from bluegreen.cli.terminal import show_json
from bluegreen.drivers.without_record import Bare, flip_without_record, plan_without_record
from bluegreen.errors import RecordError, StoreUnavailableError, UsageError
from bluegreen.wiring import Session


def roll_back_without_record(
    app: App,
    session: Session,
    config: str,
    cause: StoreUnavailableError | RecordError,
    *,
    to: str | None,
    force: bool,
    dry_run: bool,
) -> None:
    """Raises UsageError without a configuration, RefusedError where blue cannot be told from the live world."""
    click.echo(f"warning: {cause.message}; rolling back without the record, from the live routes", err=True)
    try:
        loaded = app.load(session, config, with_release=False, hook_variables=False)
    except UsageError as error:
        needs = f"without the state store a rollback needs the configuration: {error.message}"
        damaged = isinstance(cause, RecordError)
        raise (RecordError if damaged else type(error))(
            f"{cause.message}; {needs}" if damaged else needs,
            hint=f"-c FILE names it. {cause.hint or ''}".strip(),
        ) from cause
    bare = plan_without_record(session, loaded.spec, to=to, force=force)
    if not dry_run and not bare.done:
        flip_without_record(session, bare)
    _tell(app, loaded.spec.service, bare, app.clock.now() - session.began_at, dry_run)


# Private

_BEWARE = "a driver that still runs can shift traffic again: stop its process"


def _tell(app: App, service: str, bare: Bare, took: float, dry_run: bool) -> None:
    routes = ", ".join(route.name for route in bare.routes)
    if app.json:
        return show_json(_data(service, bare, took, dry_run))
    if bare.done:
        there = f"all traffic of {routes} is on {bare.blue.name} already; nothing was written"
        click.echo(f"{service}: without the record: {there}")
        click.echo(f"  chosen         {bare.why}")
        click.echo(f"  beware         {_BEWARE}")
        return click.echo(f"  otherwise      bluegreen rollback {service} --to {bare.green.name}")
    if dry_run:
        click.echo(f"{service}: a flip without the record: all traffic of {routes} to {bare.blue.name}, {bare.why}")
        return click.echo("  Dry run: nothing was changed.")
    # Not SAFE: who drives the deployment could not be pre-empted, so nothing bounds what it still writes.
    click.echo(f"BLUE: all traffic of {routes} is on {bare.blue.name} after {took:.2f} s, without the record")
    click.echo(f"  chosen         {bare.why}")
    click.echo(f"  not done       {bare.green.name} still runs; the release is not quarantined; hooks did not run")
    click.echo(f"  beware         {_BEWARE}")
    return click.echo(f"  next           when the store answers again: bluegreen rollback {service}")


def _data(service: str, bare: Bare, took: float, dry_run: bool) -> dict[str, object]:
    return {
        "kind": "summary",
        "service": service,
        "class": "flip",
        "without_record": True,
        "dry_run": dry_run,
        "blue": bare.blue.name,
        "why": bare.why,
        "routes": [route.name for route in bare.routes],
        "done_before": bare.done,
        "safe_after": None,
        "blue_after": None if dry_run or bare.done else round(took, 3),
        "exit_code": 0,
    }
