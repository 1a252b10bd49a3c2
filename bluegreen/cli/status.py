"""``bluegreen status``: takes no lock, changes nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import service_argument

if TYPE_CHECKING:
    from bluegreen.report.shapes import Status
    from bluegreen.report.text import Line
    from bluegreen.wiring import Session

EVERY = 2.0
"""Seconds between two looks of ``--watch``: four reads of the load balancer's API, which grants ten a second."""


@click.command("status")
@service_argument
@click.option("--watch", is_flag=True, help="Look again every two seconds, until the deployment ends or Ctrl-C.")
@click.pass_obj
def command(app: App, service: str | None, config: str, watch: bool) -> None:
    """Show the deployment under way, or the release that is live.

    For each route the weights this deployment set beside those read back just now; the health of both slots; who
    drives it; the known-good releases and those in quarantine.
    """
    session, name = app.session_for("status", service, config)
    if watch:
        return _watch(app, session, name)
    return _show(app, session, name)


# Private


def _show(app: App, session: Session, service: str) -> None:
    from bluegreen.cli.terminal import glyphs, show, show_json, width
    from bluegreen.drivers.inquiry import observe
    from bluegreen.report.data import status_data
    from bluegreen.report.status import status_lines

    status = observe(session, service)
    now = app.clock.now()
    if app.json:
        return show_json(status_data(service, status, now))
    return show(app, status_lines(service, status, now, width(sys.stdout), None, glyphs(sys.stdout)))


def _watch(app: App, session: Session, service: str) -> None:
    from bluegreen.cli.terminal import is_terminal

    if not app.json and is_terminal(app, sys.stdout):
        return _watch_on_screen(app, session, service)
    return _watch_in_lines(app, session, service)


def _watch_on_screen(app: App, session: Session, service: str) -> None:
    from bluegreen.cli.live import Canvas
    from bluegreen.cli.terminal import glyphs
    from bluegreen.drivers.inquiry import observe
    from bluegreen.report.status import status_lines

    status = observe(session, service)
    marks = glyphs(sys.stdout)
    canvas = Canvas(
        app, sys.stdout, lambda columns, rows: status_lines(service, status, app.clock.now(), columns, rows, marks)
    )
    canvas.open()
    try:
        while not _is_over(status):
            app.clock.sleep(EVERY)
            status = observe(session, service)
    except KeyboardInterrupt:
        return
    finally:
        canvas.refresh()
        canvas.close(keep=True)


def _watch_in_lines(app: App, session: Session, service: str) -> None:
    """One JSON object, or one line, for each look that differs from the one before."""
    from bluegreen.cli.terminal import show, show_json
    from bluegreen.drivers.inquiry import observe
    from bluegreen.report.data import status_data
    from bluegreen.report.facts import status_line

    before: Line | None = None
    while True:
        status = observe(session, service)
        now = app.clock.now()
        said = status_line(service, status, now)
        if app.json:
            show_json(status_data(service, status, now), line=True)
        elif said[1:] != before:
            show(app, [said])
        before = said[1:]
        if _is_over(status):
            return
        app.clock.sleep(EVERY)


def _is_over(status: Status) -> bool:
    return status.deployment is None or status.deployment.ended
