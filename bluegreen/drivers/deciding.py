"""A person's answer to what a deployment asks: it takes no lease, and whoever drives reads it."""

from __future__ import annotations

from bluegreen.domain.approval import Decision, question
from bluegreen.domain.deployment import Deployment, HookRun, HookStatus
from bluegreen.drivers.foreground import active
from bluegreen.errors import RefusedError, UsageError
from bluegreen.hooks.approval import answerable_until
from bluegreen.hooks.words import took
from bluegreen.wiring import Session

KIND = "approval"


def open_questions(deployment: Deployment) -> list[HookRun]:
    return [run for run in deployment.hooks if run.kind == KIND and run.status is HookStatus.RUNNING]


def decide(
    session: Session, service: str, *, approved: bool, reason: str | None = None, hook: str | None = None
) -> tuple[Deployment, HookRun]:
    """Answer the one question that is open, or the named one; answers the run that asked.

    Raises RefusedError when nothing asks, when the time to answer is over, or when it was answered before (naming
    who); UsageError when it is not clear which question is meant.
    """
    deployment = active(session, service)
    run = _one(deployment, hook)
    _in_time(deployment, run, session.clock.now())
    key = question(run.point.value, run.step, run.name, run.attempts)
    wanted = Decision(key, approved, str(session.owner), session.clock.now(), reason or "")
    stands = session.store.decide(deployment.id, wanted)
    if stands != wanted:
        word = "approved" if stands.approved else "rejected"
        because = f": {stands.reason}" if stands.reason else ""
        raise RefusedError(
            f"{run.name} of deployment {deployment.id} was {word} by {stands.by} before{because}",
            hint=f"bluegreen status {service} shows what follows from it",
        )
    return deployment, run


# Private


def _in_time(deployment: Deployment, run: HookRun, now: float) -> None:
    until = answerable_until(run.handle)
    if until is None or now <= until:
        return
    service = deployment.service
    raise RefusedError(
        f"the time to answer {run.name} of deployment {deployment.id} is over: it ended {took(now - until)} ago, and "
        f"silence has its configured consequence",
        hint=f"bluegreen status {service} shows whether anybody drives; bluegreen rollback {service} goes back",
    )


def _one(deployment: Deployment, hook: str | None) -> HookRun:
    runs = open_questions(deployment)
    if hook is not None:
        runs = [run for run in runs if run.name == hook]
    if not runs:
        what = f"no approval {hook}" if hook else "no approval"
        raise RefusedError(
            f"deployment {deployment.id} waits for {what} now (it is in {deployment.phase})",
            hint=f"bluegreen status {deployment.service} shows what it waits for",
        )
    if len(runs) > 1:
        names = " or ".join(sorted({run.name for run in runs}))
        raise UsageError(f"deployment {deployment.id} waits for several approvals", hint=f"--hook {names}")
    return runs[0]
