"""``bluegreen attend``"""

from __future__ import annotations

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import service_argument
from bluegreen.domain.deployment import Deployment
from bluegreen.errors import BluegreenError, RolledBackError


@click.command("attend")
@service_argument
@click.pass_obj
def command(app: App, service: str | None, config: str) -> None:
    """Stay with a held deployment: roll it back when green dies, a gate fires or nobody decides.

    It is rolled back (exit code 3) at once when green dies, and, unless deadlines.on_hold says hold, when a gate
    fires while users are on green, or at the end of deadlines.hold when nobody has decided. When somebody has
    decided, the command ends with 0. It takes no lock: whoever decides meets none. A deploy that ends with 4 leaves
    this running in the background; where its machine does not stay, as in a pipeline, run it elsewhere.
    """
    from bluegreen.cli.driving import drive
    from bluegreen.drivers.attending import attend
    from bluegreen.drivers.background import finish_in_the_background

    session, name = app.session_for("attend", service, config)
    drive(
        app,
        lambda reporter: attend(session, name, reporter, finish_in_the_background),
        live=False,
        verdict=rolled_back,
        notifier=session.notifier,
    )


def rolled_back(d: Deployment) -> BluegreenError | None:
    """What somebody decided meanwhile is no fault of it; what it turned back is."""
    if d.rollback is None:
        return None
    return RolledBackError(
        f"deployment {d.id} was rolled back: {d.rollback.reason}", hint=f"bluegreen status {d.service}"
    )
