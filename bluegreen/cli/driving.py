"""Drive something to its end, show it, sum it up, and end with the exit code that is true."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import click

from bluegreen.cli.app import App
from bluegreen.cli.progress import Progress, choose, quietly
from bluegreen.cli.terminal import show, show_json, width
from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.errors import BluegreenError, DetachedError, HeldError, RolledBackError
from bluegreen.notify.base import Reporter
from bluegreen.notify.lazily import ToldLazily
from bluegreen.report.data import summary_data
from bluegreen.report.places import live_traffic
from bluegreen.report.summary import deploy_summary
from bluegreen.report.text import Line

if TYPE_CHECKING:
    from bluegreen.notify.telling import Build

Act = Callable[[Reporter], Deployment]
Summary = Callable[[Deployment, float, int], list[Line]]
Verdict = Callable[[Deployment], BluegreenError | None]
Conclusion = Callable[[Deployment | None, BluegreenError | None], None]
"""What is left to do at the end, however it came: with the deployment as it was seen last."""


def must_be_live(d: Deployment) -> BluegreenError | None:
    """The verdict on a deploy: a release that was rolled back is never a success."""
    if d.phase is not Phase.ROLLED_BACK:
        return None
    reason = d.rollback.reason if d.rollback else "no reason is recorded"
    traffic = d.users() if d.lost else f"all traffic is on {d.blue.name} ({d.previous.id})"
    return RolledBackError(
        f"the release was rolled back: {reason.removesuffix('.')}. {traffic[0].upper()}{traffic[1:]}",
        hint=f"bluegreen history {d.service}; deploying this release again needs --force",
    )


def drive(
    app: App,
    act: Act,
    *,
    live: bool = True,
    verdict: Verdict = must_be_live,
    summary: Summary = deploy_summary,
    conclude: Conclusion = lambda deployment, error: None,
    notifier: Build | None = None,
) -> None:
    """Run ``act`` under the progress that fits the output. Raises what it raised, or the verdict on its answer.

    ``notifier`` builds those who are told of it, as the deployment's record names them.
    """
    progress = choose(app, live=live)
    told = ToldLazily(progress, notifier, app.clock) if notifier else None
    error: BluegreenError | None = None
    deployment: Deployment | None = None
    try:
        with _stopping_detaches(), progress:
            deployment = act(told or progress)
    except BluegreenError as raised:
        error = _with_traffic(raised, progress)
        deployment = progress.deployment
    finally:
        conclude(deployment or progress.deployment, error)
    error = error or (verdict(deployment) if deployment else None)
    quietly(lambda: _sum_up(app, deployment, error, summary))
    if told is not None:
        with suppress(KeyboardInterrupt):
            _say_who_was_not_told(told.close(deployment or progress.deployment))
    if error is not None:
        raise error


# Private


@contextmanager
def _stopping_detaches() -> Iterator[None]:
    """A pipeline that is stopped sends SIGTERM: it ends like Ctrl-C, with the lease given back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _sum_up(app: App, d: Deployment | None, error: BluegreenError | None, summary: Summary) -> None:
    now = app.clock.now()
    if app.json:
        show_json(summary_data(d, now, error.exit_code if error else 0), line=True)
    elif d is not None and (error is None or d.ended):
        show(app, [(), *summary(d, now, width(sys.stdout))])


def _say_who_was_not_told(problems: tuple[str, ...]) -> None:
    """After the summary: nobody waits for the outside to read what became of a deployment."""
    for problem in problems:
        quietly(partial(click.echo, f"warning: {problem}", err=True))


def _with_traffic(error: BluegreenError, progress: Progress) -> BluegreenError:
    """A deployment that stands still must say where the users are meanwhile."""
    if progress.deployment is None or not isinstance(error, HeldError | DetachedError):
        return error
    traffic = live_traffic(progress.deployment, progress.observation)
    error.message = f"{error.message}. Traffic stays as it is: {traffic}"
    error.args = (error.message,)
    return error
