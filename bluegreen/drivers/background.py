"""A process of its own: to drive on after ``deploy --detach``, to finish what a rollback left, to attend to a hold."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bluegreen.domain.deployment import Deployment
from bluegreen.errors import BluegreenError
from bluegreen.lifecycle.holding import decides_itself_at
from bluegreen.wiring import Session, state_folder


def finish_in_the_background(session: Session, deployment: Deployment) -> str:
    """After a rollback: draining green takes minutes and needs nobody's attention.

    A full disk or process table must not make a failure of a rollback that is done.
    """
    try:
        pid, log = _resume(session, deployment)
    except OSError as error:
        return (
            f"green {deployment.green.name} still runs: no process could be started in the background to drain it "
            f"({error.strerror}); bluegreen resume {deployment.service} does it"
        )
    what = "the record is closed" if deployment.let_go else f"green {deployment.green.name} is drained and scaled in"
    return f"{what} by process {pid} in the background (log: {log})"


def drive_in_the_background(session: Session, deployment: Deployment) -> str:
    """After ``deploy --detach``. Raises BluegreenError where no process can be started."""
    try:
        pid, log = _resume(session, deployment)
    except OSError as error:
        raise BluegreenError(
            f"deployment {deployment.id} began, but no process could be started in the background to drive it "
            f"({error.strerror}); nothing was launched, and traffic is where it was",
            hint=f"bluegreen resume {deployment.service} drives it here; bluegreen abort {deployment.service} ends it",
        ) from error
    return f"process {pid} drives deployment {deployment.id} in the background (log: {log})"


def attend_in_the_background(session: Session, deployment: Deployment) -> str:
    """After a hold: the driver has ended, and somebody must see to it that it does not hold for ever."""
    at = decides_itself_at(deployment)
    end = time.strftime(", and at %H:%M UTC on %Y-%m-%d if nobody has decided", time.gmtime(at)) if at else ""
    try:
        pid, log = _start(session, deployment, "attend")
    except OSError as error:
        return (
            f"no process could be started to stay with it ({error.strerror}): bluegreen attend {deployment.service} "
            f"rolls back when green dies or a gate fires{end}"
        )
    return f"process {pid} stays with it and rolls back when green dies or a gate fires{end} (log: {log})"


# Private


def _resume(session: Session, deployment: Deployment) -> tuple[int, Path]:
    """``bluegreen resume``, detached from this terminal; any other ``resume`` can do the same later."""
    return _start(session, deployment, "resume")


def _start(session: Session, deployment: Deployment, command: str) -> tuple[int, Path]:
    folder = state_folder(session.environment)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder / f"{deployment.id}.log"
    return session.spawn(_command(session, deployment, command), log), log


def _command(session: Session, deployment: Deployment, name: str) -> list[str]:
    command = [sys.executable, "-m", "bluegreen", name, deployment.service, "-o", "json"]
    command += ["--store", session.absolute_store_url]
    for option, value in (("--region", session.options.region), ("--profile", session.options.profile)):
        command += [option, value] if value else []
    return command
