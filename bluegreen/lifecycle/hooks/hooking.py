"""Running the hooks of a point, in their order, neighbours of one group at the same time.

Nothing here waits: a tick starts one hook and polls what runs. A result is stored once, so that no driver runs a
finished hook again; one that ran when its driver died is found again by its handle, or started again and told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from bluegreen.domain.deployment import Deployment, HoldKind, HookRun, HookStatus
from bluegreen.domain.events import Kind
from bluegreen.domain.spec import Consequence, HookPoint, HookSpec
from bluegreen.errors import HookLostError, HookUnavailableError
from bluegreen.hooks.base import Failed, Passed, Pending, Verdict
from bluegreen.lifecycle.hooks.hook_facts import call_of
from bluegreen.lifecycle.hooks.hook_keeping import bounded
from bluegreen.lifecycle.hooks.hook_runs import cancel, cancel_all, find_run, hook_of, store, title
from bluegreen.lifecycle.hooks.hook_time import DECIDES_NOTHING, point_deadline
from bluegreen.lifecycle.outcome import Done, Hold, Outcome, Reject, Wait
from bluegreen.lifecycle.work import Work

UNAVAILABLE_RETRIES = 3
"""A hook that could not be asked is asked again this often, whatever its own retries say and have taken."""


def run_hooks(work: Work, point: HookPoint, step: int = 0) -> Outcome:
    """Done when all passed (or there are none); Reject at the first that failed for good.

    At ``on_rollback`` and ``on_success`` every hook runs, and the first that failed is told at the end.
    """
    worst: Outcome = Done()
    for together in _groups(work.deployment, point):
        outcome = _advance_all(work, together, step)
        if isinstance(outcome, Wait):
            return _within_time(work, point, step, outcome)
        if not isinstance(outcome, Done) and point not in DECIDES_NOTHING:
            return outcome
        worst = outcome if isinstance(worst, Done) else worst
    return worst


def cancel_running(work: Work) -> None:
    """Stop what still runs when the deployment turns back: nothing of it may outlive the phase."""
    running = [run for run in work.deployment.hooks if run.is_open and run.point is not HookPoint.ON_ROLLBACK]
    cancel_all(work, running, "cancelled: the deployment turned back")


# Private


def _groups(d: Deployment, point: HookPoint) -> Iterable[list[HookSpec]]:
    """Those that run at the same time; one without a group runs alone."""
    listed = [spec for spec in d.spec.hooks if spec.point is point]
    for _, members in groupby(enumerate(listed), key=lambda each: (each[1].group, each[1].group == 0 and each[0])):
        yield [spec for _, spec in members]


def _advance_all(work: Work, together: Sequence[HookSpec], step: int) -> Outcome:
    """The first no cancels the others. One that could not be asked holds only when no other one runs any more.

    One is started in a tick, and the next at once in the next: a tick stays short, for the lease is renewed by it.
    """
    outcomes: list[Outcome] = []
    started = False
    for spec in together:
        starts = _starts(work, spec, step)
        if starts and started:
            outcomes.append(Wait(f"hook {spec.name} starts", 0.0))
            continue
        started = started or starts
        outcome = _advance(work, spec, step)
        if isinstance(outcome, Reject) and spec.point not in DECIDES_NOTHING:
            others = [run for each in together if (run := find_run(work.deployment, each, step)) and run.is_open]
            cancel_all(work, others, f"cancelled: {spec.name} decided")
            return outcome
        outcomes.append(outcome)
    waits = [outcome for outcome in outcomes if isinstance(outcome, Wait)]
    if waits:
        return _joined(waits)
    return next((outcome for outcome in outcomes if not isinstance(outcome, Done)), Done())


def _starts(work: Work, spec: HookSpec, step: int) -> bool:
    run = find_run(work.deployment, spec, step)
    if run is None:
        return True
    if run.status is HookStatus.RUNNING:
        return run.handle is None
    return run.retry_at is not None and run.retry_at <= work.now()


def _joined(waits: list[Wait]) -> Wait:
    ends = [wait.until for wait in waits if wait.until is not None]
    until = max(ends) if len(ends) == len(waits) else None
    return Wait("; ".join(wait.reason for wait in waits), min(wait.seconds for wait in waits), until)


def _within_time(work: Work, point: HookPoint, step: int, wait: Wait) -> Outcome:
    d, until = work.deployment, point_deadline(work.deployment, point, step)
    if until is None or d.clock_stopped_at is not None:
        return wait
    if work.now() < until:
        return replace(wait, seconds=min(wait.seconds, until - work.now()))
    allowed = f"{d.spec.hook_timeouts.get(point, 0.0):g} s"
    running = [run for run in d.hooks if run.is_open and (run.point, run.step) == (point, step)]
    cancel_all(work, running, f"cancelled: the hooks of {point} had {allowed}")
    reason = f"the hooks of {point} did not end within {allowed}: {wait.reason}"
    if d.spec.on_hook_timeout is Consequence.ROLL_BACK:
        return Reject(reason)
    way_out = f"bluegreen resume {d.service} gives them as long again; or bluegreen rollback {d.service}"
    return Hold(HoldKind.DEADLINE, reason, way_out)


def _advance(work: Work, spec: HookSpec, step: int) -> Outcome:
    run = find_run(work.deployment, spec, step)
    if run is None:
        return _start(work, spec, _new(work, spec, step))
    if run.status is HookStatus.PASSED:
        return Done()
    if run.status is HookStatus.RUNNING:
        return _poll(work, spec, run)
    if run.retry_at is not None:
        if work.now() < run.retry_at:
            return Wait(f"hook {spec.name} is tried again", run.retry_at - work.now(), run.retry_at)
        return _start(work, spec, _new(work, spec, step, run, run.attempts + 1))
    return _verdict_for_good(work, spec, run)


def _new(work: Work, spec: HookSpec, step: int, before: HookRun | None = None, attempt: int = 1) -> HookRun:
    new = HookRun(spec.point, step, spec.name, spec.kind, HookStatus.RUNNING, work.now(), dry_run=spec.dry_run)
    if before is None:
        return new
    forgiven, unasked, settled = before.forgiven, before.unasked, before.settled
    return replace(new, attempts=attempt, forgiven=forgiven, unasked=unasked, settled=settled)


def _start(work: Work, spec: HookSpec, run: HookRun) -> Outcome:
    again = f" (attempt {run.attempts})" if run.attempts > 1 else ""
    store(work, run, Kind.HOOK_STARTED, f"{title(spec)} started{again}")
    try:
        verdict = hook_of(work, spec).start(call_of(work.deployment, spec, run))
    except HookUnavailableError as error:
        return _unavailable(work, spec, run, error)
    return _settle(work, spec, run, verdict)


def _poll(work: Work, spec: HookSpec, run: HookRun) -> Outcome:
    if run.handle is None:
        return _interrupted(work, spec, run)
    try:
        verdict = hook_of(work, spec).poll(run.handle)
    except HookLostError:
        return _interrupted(work, spec, run)
    except HookUnavailableError as error:
        return _unavailable(work, spec, run, error)
    if isinstance(verdict, Pending) and work.now() - run.started_at > spec.timeout:
        cancel(work, run)
        verdict = _timed_out(work, spec, run.handle)
    return _settle(work, spec, run, verdict)


def _timed_out(work: Work, spec: HookSpec, handle: str) -> Failed:
    """A cancelled hook may still say what it did last."""
    reason = f"no answer within {spec.timeout:g} s"
    try:
        last = hook_of(work, spec).poll(handle)
    except HookUnavailableError:
        return Failed(reason)
    return Failed(reason, last.output, links=last.links) if isinstance(last, Failed) else Failed(reason)


def _interrupted(work: Work, spec: HookSpec, run: HookRun) -> Outcome:
    """Its driver died. What it started died with that driver's process group or cannot be asked: run it anew."""
    work.publish(
        work.event(
            Kind.WARNING, f"hook {spec.name} was interrupted with its driver; it is started again", hook=spec.name
        )
    )
    return _start(work, spec, _new(work, spec, run.step, run, run.attempts))


def _settle(work: Work, spec: HookSpec, run: HookRun, verdict: Verdict) -> Outcome:
    match bounded(verdict):
        case Pending(again_in=again_in, progress=progress) as pending:
            _note_pending(work, spec, run, pending)
            return Wait(f"hook {spec.name}: {progress or 'running'}", again_in)
        case Passed(detail=detail, output=output, numbers=numbers, links=links):
            run = replace(run, output=output, numbers=dict(numbers), links={**run.links, **links}, handle=None)
            ended = replace(run, status=HookStatus.PASSED, ended_at=work.now(), detail=detail)
            store(work, ended, Kind.HOOK_ENDED, f"{title(spec)} passed: {detail}".rstrip(": "))
            return Done()
        case Failed(reason=reason, output=output, numbers=numbers, links=links):
            known = {**run.links, **links}
            return _failed(work, spec, replace(run, detail=reason, output=output, numbers=dict(numbers), links=known))


def _note_pending(work: Work, spec: HookSpec, run: HookRun, verdict: Pending) -> None:
    links = {**run.links, **verdict.links}
    noted = replace(run, handle=verdict.handle, links=links, asks=verdict.asks)
    if noted == run:
        return
    asked = verdict.asks and not run.asks
    store(work, noted, Kind.ASKED if asked else None, f"{title(spec)} {verdict.progress}")


def _failed(work: Work, spec: HookSpec, run: HookRun) -> Outcome:
    failures = run.attempts - run.forgiven - run.unasked
    settled = replace(run, status=HookStatus.FAILED, settled=run.attempts)
    ended = _ended(work, spec, settled, failures, spec.retries)
    store(work, ended, Kind.HOOK_ENDED, f"{title(spec)} failed: {run.detail}")
    if ended.retry_at is not None:
        return Wait(f"hook {spec.name} is tried again", ended.retry_at - work.now(), ended.retry_at)
    return _verdict_for_good(work, spec, ended)


def _unavailable(work: Work, spec: HookSpec, run: HookRun, error: HookUnavailableError) -> Outcome:
    unasked = replace(run, status=HookStatus.UNAVAILABLE, detail=error.message, unasked=run.unasked + 1)
    ended = _ended(work, spec, unasked, unasked.unasked, UNAVAILABLE_RETRIES)
    store(work, ended, Kind.HOOK_ENDED, f"{title(spec)} could not be asked: {error.message}")
    if ended.retry_at is not None:
        return Wait(f"hook {spec.name} is asked again", ended.retry_at - work.now(), ended.retry_at)
    return _verdict_for_good(work, spec, ended)


def _ended(work: Work, spec: HookSpec, run: HookRun, times: int, retries: int) -> HookRun:
    """``times`` it ended like this, since a person let the deployment go on; each of the two ways has its own."""
    retry_at = work.now() + spec.backoff * 2 ** (times - 1) if times <= retries else None
    return replace(run, ended_at=work.now(), handle=None, retry_at=retry_at)


def _verdict_for_good(work: Work, spec: HookSpec, run: HookRun) -> Outcome:
    if spec.dry_run:
        return Done()
    if run.status is HookStatus.UNAVAILABLE and spec.unavailable is Consequence.HOLD:
        service = work.deployment.service
        return Hold(
            HoldKind.UNAVAILABLE,
            f"{title(spec)} could not be asked {run.unasked} times: {run.detail}",
            f"mend it, then bluegreen resume {service}; or bluegreen rollback {service}",
        )
    word = {HookStatus.UNAVAILABLE: "could not be asked: ", HookStatus.CANCELLED: "was "}.get(run.status, "failed: ")
    return Reject(f"{title(spec)} {word}{run.detail}")
