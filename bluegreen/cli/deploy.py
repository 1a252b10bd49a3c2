"""``bluegreen deploy``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from bluegreen.cli.app import App
from bluegreen.cli.junit_file import JunitFile, junit_option
from bluegreen.cli.options import config_option, reason_option, release_options
from bluegreen.errors import UsageError

if TYPE_CHECKING:
    from bluegreen.config.load import Loaded
    from bluegreen.domain.release import ReleaseRequest
    from bluegreen.wiring import Session


@click.command("deploy")
@config_option
@release_options
@reason_option
@click.option(
    "--detach",
    is_flag=True,
    help="Start it and return (exit code 0: it is started); a process in the background drives it to its end.",
)
@click.option("--dry-run", is_flag=True, help="Say what it would do and what stands in the way; change nothing.")
@click.option("--force", is_flag=True, help="Deploy a quarantined release, or beside a blue that is not healthy.")
@junit_option
@click.pass_obj
def command(
    app: App,
    /,
    config: str,
    reason: str | None,
    detach: bool,
    dry_run: bool,
    force: bool,
    junit_file: str | None,
    **asked: Any,
) -> None:
    """Deploy a release: launch, test, shift, bake, teardown.

    Green is launched beside blue without traffic, tested through the test route, given the traffic step by step, and
    watched while blue stays warm. A failed test, gate or health check puts all traffic back on blue (exit code 3).

    What is named here replaces the release section of the configuration. Ctrl-C detaches: the deployment stands, and
    the way on and the way back are printed. With -o json every event is a JSON object on a line of stdout, and the
    last one is the summary (kind: summary).
    """
    from bluegreen.cli.asked import Asked, request_of

    session, _ = app.session_of("deploy", config)
    wanted = Asked(**asked)
    loaded = app.load(session, config, with_release=not wanted.anything)
    request = request_of(wanted, loaded.request, app.environment, reason)
    if junit_file and (detach or dry_run):
        raise UsageError(
            f"--junit needs a deployment that this command sees to its end, not --{'detach' if detach else 'dry-run'}",
            hint=f"bluegreen hooks report {loaded.spec.service} --junit {junit_file} writes the results at any time",
        )
    if dry_run:
        return _dry_run(app, session, loaded, request, force)
    file = JunitFile(session, loaded.spec.service, junit_file) if junit_file else None
    return _deploy(app, session, loaded, request, file, force=force, detach=detach)


# Private


def _deploy(
    app: App,
    session: Session,
    loaded: Loaded,
    request: ReleaseRequest,
    file: JunitFile | None,
    *,
    force: bool,
    detach: bool,
) -> None:
    from bluegreen.cli.driving import drive
    from bluegreen.drivers import foreground
    from bluegreen.drivers.background import attend_in_the_background, drive_in_the_background
    from bluegreen.report.summary import deploy_summary, started_summary

    drive(
        app,
        lambda reporter: foreground.deploy(
            session,
            loaded.spec,
            request,
            reporter,
            force=force,
            detach=drive_in_the_background if detach else None,
            attendant=attend_in_the_background,
        ),
        summary=started_summary if detach else deploy_summary,
        conclude=file.write if file else lambda deployment, error: None,
        notifier=session.notifier,
    )


def _dry_run(app: App, session: Session, loaded: Loaded, request: ReleaseRequest, force: bool) -> None:
    from bluegreen.cli.terminal import show, show_json, width
    from bluegreen.cli.verify import refuse_if_any, show_problems
    from bluegreen.drivers.foreground import preflight
    from bluegreen.report.data import plan_of_deploy, problem_data
    from bluegreen.report.summary import deploy_plan_lines, requested

    problems = preflight(session, loaded, request)
    if app.json:
        show_json({**plan_of_deploy(loaded.spec, request), "problems": [problem_data(p) for p in problems]})
    else:
        show(app, deploy_plan_lines(loaded.spec, requested(request), width(sys.stdout)))
        show_problems(problems)
    refuse_if_any(problems, force=force)
