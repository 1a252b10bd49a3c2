"""Running the hooks of a point, one after the other. A result is stored once: no driver runs a finished hook again."""

from __future__ import annotations

import json
from dataclasses import replace

from bluegreen.domain.deployment import Deployment, HoldKind, HookRun, HookStatus
from bluegreen.domain.events import Kind
from bluegreen.domain.spec import Consequence, HookPoint, HookSpec
from bluegreen.errors import HookLostError, HookUnavailableError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Verdict
from bluegreen.lifecycle.outcome import Done, Hold, Outcome, Reject, Wait
from bluegreen.lifecycle.work import Work

UNAVAILABLE_RETRIES = 3
"""A hook that could not be asked is asked again this often, whatever its own retries say."""


def run_hooks(work: Work, point: HookPoint, step: int = 0) -> Outcome:
    """Done when all passed (or there are none); Reject at the first that failed for good."""
    for spec in work.deployment.spec.hooks:
        if spec.point is point:
            outcome = _advance(work, spec, step)
            if not isinstance(outcome, Done):
                return outcome
    return Done()


def find_run(deployment: Deployment, spec: HookSpec, step: int) -> HookRun | None:
    return next(
        (r for r in deployment.hooks if (r.point, r.step, r.name) == (spec.point, step, spec.name)),
        None,
    )


def cancel_running(work: Work) -> None:
    """Stop what still runs when the deployment turns back: nothing of it may outlive the phase."""
    runs = [run for run in work.deployment.hooks if run.status is HookStatus.RUNNING]
    if not runs:
        return
    for run in runs:
        _cancel(work, run)
    ended = {(r.point, r.step, r.name) for r in runs}
    now = work.now()
    work.record(
        *(work.event(Kind.HOOK_ENDED, f"hook {r.name} ({r.point}) was cancelled", hook=r.name) for r in runs),
        hooks=tuple(
            replace(r, status=HookStatus.FAILED, detail="cancelled", ended_at=now)
            if (r.point, r.step, r.name) in ended
            else r
            for r in work.deployment.hooks
        ),
    )


def call_facts(deployment: Deployment, point: HookPoint, step: int) -> dict[str, str]:
    """What every hook is told, as strings; processes get each as ``BLUEGREEN_<NAME>``."""
    release = deployment.release
    spec = deployment.spec
    facts = {
        "deployment": deployment.id,
        "service": deployment.service,
        "cluster": spec.cluster,
        "point": point.value,
        "phase": deployment.phase.value,
        "step": str(step),
        "green_percent": f"{spec.shift[step].percent:g}" if 0 <= deployment.step < len(spec.shift) else "0",
        "blue": deployment.blue.name,
        "green": deployment.green.name,
        "blue_service": deployment.blue.service,
        "green_service": deployment.green.service,
        "previous_release": deployment.previous.id,
        "release": release.id if release else "",
        "task_definition": release.task_definition if release else "",
        "images": json.dumps(release.images if release else {}, sort_keys=True),
        "load_balancer": deployment.routes[0].load_balancer if deployment.routes else "",
    }
    if deployment.routes and deployment.routes[0].url:
        facts["production_url"] = deployment.routes[0].url
    if spec.test_header:
        facts["test_header"] = spec.test_header
    if deployment.rollback:
        facts["rollback_reason"] = deployment.rollback.reason
    return facts


# Private


def _advance(work: Work, spec: HookSpec, step: int) -> Outcome:
    run = find_run(work.deployment, spec, step)
    if run is None:
        return _start(work, spec, step, attempt=1)
    if run.status is HookStatus.PASSED:
        return Done()
    if run.status is HookStatus.RUNNING:
        return _poll(work, spec, run)
    if run.retry_at is not None:
        if work.now() < run.retry_at:
            return Wait(f"hook {spec.name} is tried again", run.retry_at - work.now(), run.retry_at)
        return _start(work, spec, step, attempt=run.attempts + 1)
    return _verdict_for_good(work, spec, run)


def _start(work: Work, spec: HookSpec, step: int, attempt: int) -> Outcome:
    run = HookRun(spec.point, step, spec.name, spec.kind, HookStatus.RUNNING, work.now(), attempts=attempt)
    again = f" (attempt {attempt})" if attempt > 1 else ""
    _store(work, run, Kind.HOOK_STARTED, f"hook {spec.name} ({spec.point}) started{again}")
    call = HookCall(
        spec.point,
        spec.name,
        attempt,
        spec.timeout,
        base_url=_base_url(work.deployment),
        facts=call_facts(work.deployment, spec.point, step),
    )
    try:
        verdict = work.world.hook(spec).start(call)
    except HookUnavailableError as error:
        return _unavailable(work, spec, run, error)
    return _settle(work, spec, run, verdict)


def _poll(work: Work, spec: HookSpec, run: HookRun) -> Outcome:
    if run.handle is None:
        return _interrupted(work, spec, run)
    try:
        verdict = work.world.hook(spec).poll(run.handle)
    except HookLostError:
        return _interrupted(work, spec, run)
    except HookUnavailableError as error:
        return _unavailable(work, spec, run, error)
    if isinstance(verdict, Pending) and work.now() - run.started_at > spec.timeout:
        _cancel(work, run)
        verdict = _timed_out(work, spec, run.handle)
    return _settle(work, spec, run, verdict)


def _timed_out(work: Work, spec: HookSpec, handle: str) -> Failed:
    """A cancelled hook may still say what it did last."""
    reason = f"no answer within {spec.timeout:g} s"
    try:
        last = work.world.hook(spec).poll(handle)
    except HookUnavailableError:
        return Failed(reason)
    return Failed(reason, last.output) if isinstance(last, Failed) else Failed(reason)


def _interrupted(work: Work, spec: HookSpec, run: HookRun) -> Outcome:
    """Its driver died. What it started died with that driver's process group or cannot be asked: run it anew."""
    work.publish(
        work.event(
            Kind.WARNING, f"hook {spec.name} was interrupted with its driver; it is started again", hook=spec.name
        )
    )
    return _start(work, spec, run.step, attempt=run.attempts)


def _settle(work: Work, spec: HookSpec, run: HookRun, verdict: Verdict) -> Outcome:
    match verdict:
        case Pending(handle=handle, again_in=again_in, progress=progress):
            if handle != run.handle:
                _store(work, replace(run, handle=handle), None, "")
            return Wait(f"hook {spec.name}: {progress or 'running'}", again_in)
        case Passed(detail=detail, output=output, numbers=numbers):
            run = replace(run, output=output, numbers=dict(numbers), handle=None)
            ended = replace(run, status=HookStatus.PASSED, ended_at=work.now(), detail=detail)
            _store(work, ended, Kind.HOOK_ENDED, f"hook {spec.name} ({spec.point}) passed: {detail}".rstrip(": "))
            return Done()
        case Failed(reason=reason, output=output, numbers=numbers):
            return _failed(work, spec, replace(run, detail=reason, output=output, numbers=dict(numbers)))


def _failed(work: Work, spec: HookSpec, run: HookRun) -> Outcome:
    left = run.attempts <= spec.retries
    retry_at = work.now() + spec.backoff * 2 ** (run.attempts - 1) if left else None
    ended = replace(run, status=HookStatus.FAILED, ended_at=work.now(), handle=None, retry_at=retry_at)
    _store(work, ended, Kind.HOOK_ENDED, f"hook {spec.name} ({spec.point}) failed: {run.detail}")
    if retry_at is not None:
        return Wait(f"hook {spec.name} is tried again", retry_at - work.now(), retry_at)
    return _verdict_for_good(work, spec, ended)


def _unavailable(work: Work, spec: HookSpec, run: HookRun, error: HookUnavailableError) -> Outcome:
    left = run.attempts <= UNAVAILABLE_RETRIES
    retry_at = work.now() + spec.backoff * 2 ** (run.attempts - 1) if left else None
    ended = replace(
        run, status=HookStatus.UNAVAILABLE, ended_at=work.now(), handle=None, retry_at=retry_at, detail=error.message
    )
    _store(work, ended, Kind.HOOK_ENDED, f"hook {spec.name} ({spec.point}) could not be asked: {error.message}")
    if retry_at is not None:
        return Wait(f"hook {spec.name} is asked again", retry_at - work.now(), retry_at)
    return _verdict_for_good(work, spec, ended)


def _verdict_for_good(work: Work, spec: HookSpec, run: HookRun) -> Outcome:
    if run.status is HookStatus.UNAVAILABLE and spec.unavailable is Consequence.HOLD:
        service = work.deployment.service
        return Hold(
            HoldKind.UNAVAILABLE,
            f"hook {spec.name} ({spec.point}) could not be asked {run.attempts} times: {run.detail}",
            f"mend it, then bluegreen resume {service}; or bluegreen rollback {service}",
        )
    word = "could not be asked" if run.status is HookStatus.UNAVAILABLE else "failed"
    return Reject(f"hook {spec.name} ({spec.point}) {word}: {run.detail}")


def _cancel(work: Work, run: HookRun) -> None:
    spec = next((s for s in work.deployment.spec.hooks if (s.point, s.name) == (run.point, run.name)), None)
    if spec is None or run.handle is None:
        return
    try:
        work.world.hook(spec).cancel(run.handle)
    except HookUnavailableError as error:
        work.publish(work.event(Kind.WARNING, f"hook {run.name} could not be cancelled: {error.message}"))


def _store(work: Work, run: HookRun, kind: Kind | None, message: str) -> None:
    key = (run.point, run.step, run.name)
    others = tuple(r for r in work.deployment.hooks if (r.point, r.step, r.name) != key)
    data = {"hook": run.name, "point": run.point.value, "status": run.status.value, "detail": run.detail}
    events = (work.event(kind, message, **data),) if kind else ()
    work.record(*events, hooks=(*others, run))


def _base_url(deployment: Deployment) -> str | None:
    given = deployment.spec.test_base_url
    if given:
        return given.rstrip("/")
    return deployment.test_route.url.rstrip("/") if deployment.test_route and deployment.test_route.url else None
