"""``bluegreen verify``"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import config_option, release_options
from bluegreen.errors import RefusedError

if TYPE_CHECKING:
    from bluegreen.report.shapes import Problem


@click.command("verify")
@config_option
@release_options
@click.pass_obj
def command(app: App, /, config: str, **asked: Any) -> None:
    """Check what a deploy would refuse, before it starts.

    Reads the configuration and the live world and changes nothing: slots, routes, weights, health, hooks, gates, the
    record. Tells every problem at once, each with its way out. Exit code 6 when a deploy would be refused.
    """
    from bluegreen.cli.asked import Asked, request_of
    from bluegreen.drivers.foreground import preflight

    session, service = app.session_of("verify", config)
    wanted = Asked(**asked)
    loaded = app.load(session, config, with_release=not wanted.anything)
    known = wanted.anything or loaded.request is not None
    request = request_of(wanted, loaded.request, app.environment) if known else None
    problems = preflight(session, loaded, request)
    if app.json:
        _show_json(service, problems)
    elif not problems:
        click.echo(f"nothing stands in the way of a deploy of {service}")
    else:
        show_problems(problems)
    refuse_if_any(problems)


def show_problems(problems: Sequence[Problem]) -> None:
    if not problems:
        return
    from bluegreen.cli.terminal import width
    from bluegreen.report.tables import problem_table

    click.echo(problem_table(problems, width(sys.stdout)))


def refuse_if_any(problems: Sequence[Problem], *, force: bool = False) -> None:
    """Raises RefusedError when a deploy would be refused."""
    standing = [p for p in problems if p.severity == "refuse" or (p.severity == "force" and not force)]
    if standing:
        count = "one problem stands" if len(standing) == 1 else f"{len(standing)} problems stand"
        raise RefusedError(f"a deploy would be refused: {count} in its way. Nothing was changed", hint=standing[0].fix)


# Private


def _show_json(service: str, problems: Sequence[Problem]) -> None:
    from bluegreen.cli.terminal import show_json
    from bluegreen.report.data import problem_data

    show_json({"service": service, "problems": [problem_data(problem) for problem in problems]})
