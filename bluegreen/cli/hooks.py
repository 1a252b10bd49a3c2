"""``bluegreen hooks``: what is configured, one hook tried alone, and a deployment's results for a CI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bluegreen.cli.app import App
from bluegreen.cli.options import config_option, service_argument
from bluegreen.domain.spec import Consequence, HookPoint, Moment
from bluegreen.errors import HookUnavailableError, RefusedError

if TYPE_CHECKING:
    from bluegreen.domain.spec import HookSpec
    from bluegreen.hooks.base import Failed, Passed


@click.group("hooks")
def command() -> None:
    """List a configuration's hooks, try one alone, report a deployment's results."""


@command.command("list")
@config_option
@click.pass_obj
def list_(app: App, config: str) -> None:
    """List the configured hooks, gates and notifiers, in the order they run.

    Those with the same number under "together" run at the same time. Reads the configuration alone; AWS is not asked.
    """
    from bluegreen.drivers.trying import points_in_order
    from bluegreen.report.times import span

    session, service = app.session_of("hooks list", config)
    spec = app.load(session, config, with_release=False, hook_variables=False).spec
    numbers = {group: str(n) for n, group in enumerate(dict.fromkeys(h.group for h in spec.hooks if h.group), 1)}
    rows = [
        (
            hook.point.value,
            hook.name,
            hook.kind,
            span(hook.timeout),
            str(hook.retries),
            hook.unavailable.value,
            numbers.get(hook.group, ""),
            _decides(hook),
        )
        for hook in points_in_order(spec.hooks)
    ]
    rows += [("gate", gate.name, gate.kind, "", "", "", "", "yes") for gate in spec.gates]
    rows += [("notify", each.name, each.kind, span(each.timeout), "", "", "", "no") for each in spec.notify]
    headers = ("point", "name", "kind", "timeout", "retries", "unavailable", "together", "decides")
    if app.json:
        from bluegreen.cli.terminal import show_json

        return show_json({"service": service, "hooks": [dict(zip(headers, row, strict=True)) for row in rows]})
    if not rows:
        return click.echo(f"{service} has neither hooks, gates nor notifiers")
    from tabulate import tabulate

    return click.echo(tabulate(rows, headers, tablefmt="simple", disable_numparse=True))


@command.command("run")
@click.argument("name")
@config_option
@click.option("--point", type=click.Choice([point.value for point in HookPoint]), help="Where several have the name.")
@click.option("--base-url", metavar="URL", help="Ask there in place of the test route.")
@click.pass_obj
def run(app: App, name: str, config: str, point: str | None, base_url: str | None) -> None:
    """Run one hook now, outside any deployment.

    It is told what a deployment would tell it, and asks through the test route, which between deployments leads to
    blue. Nothing is recorded. Exit code 6 when it fails, 1 when it could not be asked.
    """
    from bluegreen.drivers.trying import call_of, find_hook, try_hook

    session, _ = app.session_of("hooks run", config)
    loaded = app.load(session, config, with_release=False, hook_variables=False)
    hook = find_hook(loaded.spec, name, point)
    call = call_of(session, loaded.spec, hook, base_url=base_url.rstrip("/") if base_url else None)
    title = f"{hook.name} ({hook.point})"
    try:
        verdict = try_hook(session, hook, call, _Progress().show)
    except HookUnavailableError as error:
        follows = "is rolled back" if hook.unavailable is Consequence.ROLL_BACK else "holds"
        raise HookUnavailableError(
            f"{title} could not be asked: {error.message}",
            hint=error.hint or f"a deployment asks three times more and then {follows}",
        ) from error
    _show(app, title, verdict)


@command.command("tell")
@click.argument("name", required=False)
@config_option
@click.option(
    "--moment",
    type=click.Choice([moment.value for moment in Moment]),
    default=Moment.SUCCEEDED.value,
    show_default=True,
    help="As what it is told.",
)
@click.pass_obj
def tell(app: App, name: str | None, config: str, moment: str) -> None:
    """Send a trial fact to one notifier, or to all of them, now.

    It says that it is a trial. Exit code 6 when one could not be told.
    """
    from bluegreen.drivers.trying import try_notifiers

    session, service = app.session_of("hooks tell", config)
    spec = app.load(session, config, with_release=False, hook_variables=False).spec
    failed = try_notifiers(session, spec, name, Moment(moment), lambda text: click.echo(text))
    if failed:
        raise RefusedError(
            f"{failed} of {service}'s notifiers could not be told", hint="no deployment would wait or fail for that"
        )


@command.command("report")
@service_argument
@click.option("--deployment", metavar="ID", help="Another than the newest.")
@click.option("--junit", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Write there, not to stdout.")
@click.pass_obj
def report(app: App, service: str | None, config: str, deployment: str | None, file: str | None) -> None:
    """Write a deployment's hook results as JUnit XML.

    One suite for each hook point: for CodeBuild's report groups and any CI. Works while the deployment runs, too.
    """
    from bluegreen.report.junit import junit

    session, name = app.session_for("hooks report", service, config)
    if deployment is None:
        newest = session.store.history(name, 1)
        if not newest:
            raise RefusedError(
                f"no deployment of {name} is on record in {session.store_url}",
                hint="is it the right store? --store URL",
            )
        found = newest[0]
    else:
        found = session.store.load(deployment)
    document = junit(found)
    if file is None:
        return click.echo(document.decode(), nl=False)
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_bytes(document)
    return click.echo(f"{file}: {len(found.hooks)} hook results of deployment {found.id}", err=True)


# Private


def _decides(hook: HookSpec) -> str:
    if hook.dry_run:
        return "no, dry run"
    return "no" if hook.point in (HookPoint.ON_ROLLBACK, HookPoint.ON_SUCCESS) else "yes"


class _Progress:
    """Each new line once, on stderr."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, text: str) -> None:
        if text and text != self._last:
            self._last = text
            click.echo(text, err=True)


def _show(app: App, title: str, verdict: Passed | Failed) -> None:
    """Raises RefusedError for a no."""
    from bluegreen.hooks.base import Passed

    passed = isinstance(verdict, Passed)
    said = verdict.detail if isinstance(verdict, Passed) else verdict.reason
    if app.json:
        from bluegreen.cli.terminal import show_json

        show_json(
            {
                "hook": title,
                "passed": passed,
                "said": said,
                "numbers": dict(verdict.numbers),
                "links": dict(verdict.links),
                "output": list(verdict.output),
            }
        )
    else:
        from bluegreen.report.phases import number

        for line in verdict.output:
            click.echo(line)
        numbers = ", ".join(f"{name} {number(value)}" for name, value in verdict.numbers.items())
        click.echo(f"{'passed' if passed else 'failed'}: {title}: {said}{f' ({numbers})' if numbers else ''}")
        for name, place in verdict.links.items():
            click.echo(f"  {name}: {place}")
    if not passed:
        sys.stdout.flush()
        raise RefusedError(f"{title} failed: {said}", hint="a deployment would be rolled back, or not get this far")
