"""The runs of hooks in the record: found, stored once each, and ended when they are cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bluegreen.domain.deployment import Deployment, HookRun, HookStatus
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.errors import ConfigurationError, HookUnavailableError
from bluegreen.hooks.base import Hook
from bluegreen.lifecycle.hooks.hook_time import with_hooks
from bluegreen.lifecycle.work import Work


def title(spec: HookSpec) -> str:
    return f"hook {spec.name} ({spec.point}{', dry run' if spec.dry_run else ''})"


def find_run(d: Deployment, spec: HookSpec, step: int) -> HookRun | None:
    return next((run for run in d.hooks if _key(run) == (spec.point, step, spec.name)), None)


def hook_of(work: Work, spec: HookSpec) -> Hook:
    """What this machine cannot build (a variable is not set, a plug-in is missing) can not be asked from here."""
    try:
        return work.world.hook(spec)
    except ConfigurationError as error:
        raise HookUnavailableError(error.message, hint=error.hint) from error


def store(work: Work, run: HookRun, kind: Kind | None, message: str) -> None:
    known = work.deployment.hooks
    places = [index for index, each in enumerate(known) if _key(each) == _key(run)]
    at = places[0] if places else len(known)
    hooks = (*known[:at], run, *known[at + 1 :])
    events: tuple[Event, ...] = (work.event(kind, message, **_data(run)),) if kind else ()
    work.record(*events, **with_hooks(work.deployment, hooks, work.now()))


def cancel_all(work: Work, runs: Sequence[HookRun], why: str) -> None:
    """Their results are stored at once, so that nobody starts one of them again."""
    if not runs:
        return
    for run in runs:
        cancel(work, run)
    now = work.now()
    ended = {_key(run): _cancelled(run, why, now) for run in runs}
    events = [work.event(Kind.HOOK_ENDED, f"hook {r.name} ({r.point}) was {why}", **_data(r)) for r in ended.values()]
    hooks = [ended.get(_key(run), run) for run in work.deployment.hooks]
    work.record(*events, **with_hooks(work.deployment, hooks, now))


def cancel(work: Work, run: HookRun) -> None:
    spec = next((s for s in work.deployment.spec.hooks if (s.point, s.name) == (run.point, run.name)), None)
    if spec is None or run.handle is None:
        return
    try:
        hook_of(work, spec).cancel(run.handle)
    except HookUnavailableError as error:
        work.publish(work.event(Kind.WARNING, f"hook {run.name} could not be cancelled: {error.message}"))


# Private


def _cancelled(run: HookRun, why: str, now: float) -> HookRun:
    detail = f"{why}; before: {run.detail}" if run.detail else why
    return replace(run, status=HookStatus.CANCELLED, detail=detail, ended_at=now, handle=None, retry_at=None)


def _key(run: HookRun) -> tuple[HookPoint, int, str]:
    return run.point, run.step, run.name


def _data(run: HookRun) -> dict[str, object]:
    data: dict[str, object] = {"hook": run.name, "point": run.point.value, "status": run.status.value}
    data |= {"detail": run.detail, "numbers": dict(run.numbers), "links": dict(run.links)}
    return data | ({"dry_run": True} if run.dry_run else {})
