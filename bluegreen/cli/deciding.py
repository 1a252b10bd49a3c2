"""What ``approve`` and ``reject`` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from bluegreen.cli.app import App

F = TypeVar("F", bound=Callable[..., Any])


def hook_option(command: F) -> F:
    return click.option("--hook", metavar="NAME", help="Which approval, where several are waited for.")(command)


def decide(app: App, service: str | None, config: str, reason: str | None, hook: str | None, *, approved: bool) -> None:
    from bluegreen.drivers import deciding

    word = "approved" if approved else "rejected"
    session, name = app.session_for("approve" if approved else "reject", service, config)
    deployment, run = deciding.decide(session, name, approved=approved, reason=reason, hook=hook)
    if app.json:
        from bluegreen.cli.terminal import show_json

        return show_json(
            {
                "service": name,
                "deployment": deployment.id,
                "hook": run.name,
                "point": run.point.value,
                "answer": word,
                "by": str(session.owner),
                "reason": reason,
            }
        )
    click.echo(f"{word}: {run.name} ({run.point}) of deployment {deployment.id}, by {session.owner}")
    return click.echo(f"next: bluegreen status {name}")
