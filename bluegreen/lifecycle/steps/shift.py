"""Shift: step by step, green gets its share of production traffic, watched at every step."""

from __future__ import annotations

from bluegreen.domain.events import Kind
from bluegreen.domain.spec import HookPoint
from bluegreen.domain.split import Split
from bluegreen.lifecycle.hooks.hooking import run_hooks
from bluegreen.lifecycle.outcome import Done, Outcome, Wait
from bluegreen.lifecycle.routes import routing
from bluegreen.lifecycle.watch import drift, gating
from bluegreen.lifecycle.watch.drift import blue_keeps, green_keeps
from bluegreen.lifecycle.watch.watching import undisturbed, watch
from bluegreen.lifecycle.work import Work

GROWING_EVERY = 1.0
"""Seconds between two looks at a green that follows blue."""


def run(work: Work) -> Outcome:
    if work.deployment.step < 0:
        outcome = _hooks_before(work)
        if not isinstance(outcome, Done):
            return outcome
        work.record(step=0)
    return gating.in_time(work, _in_step(work))


# Private


def _hooks_before(work: Work) -> Outcome:
    point = HookPoint.BEFORE_SHIFT
    if not any(hook.point is point for hook in work.deployment.spec.hooks):
        return Done()
    return undisturbed(work, point, lambda: run_hooks(work, point))


def _in_step(work: Work, *, watched: bool = False) -> Outcome:
    """``watched``: in this tick everything was looked at, and is well."""
    d = work.deployment
    step = d.spec.shift[d.step]
    desired = Split.of_percent(step.percent)
    moves = not routing.is_set(d, desired)
    if moves:
        problem = (
            (None if watched else watch(work, drift.look_at_both))
            or _follow_blue(work)
            or _until_whole(work)
            or gating.look_now(work)
            or routing.move(work, desired, seen=True)
        )
        if problem is not None:
            return problem
    if work.deployment.step_until is None:
        work.record(step_until=work.now() + step.wait, **(gating.begin(work) if d.step == 0 else {}))
    outcome = run_hooks(work, HookPoint.AFTER_STEP, d.step)
    if not isinstance(outcome, Done):
        return outcome if not isinstance(outcome, Wait) else watch(work) or outcome
    if moves:
        # What was watched right before the write, and read back after it, is looked at again when the wait has begun.
        return _wait_out(work) or _next(work, watched=False)
    over = _is_over(work)
    return watch(work, drift.look_at_both if over else drift.look) or _wait_out(work) or _next(work, watched=over)


def _is_over(work: Work) -> bool:
    d = work.deployment
    return d.promoted or work.now() >= (d.step_until or 0.0)


def _wait_out(work: Work) -> Outcome | None:
    d = work.deployment
    until = d.step_until or 0.0
    if d.promoted:
        return None
    if not _is_over(work):
        return Wait(f"step {d.step + 1} of {len(d.spec.shift)} is watched", until - work.now(), until)
    return _verdict(work, until)


def _verdict(work: Work, until: float) -> Outcome | None:
    """No gate that has measured nothing lets green past its first step, and comparisons tell before it gets all."""
    d = work.deployment
    step, last = d.spec.shift[d.step], len(d.spec.shift) - 1
    decides = step.at_most is not None or d.step == last - 1
    if d.step == last or not (decides or d.step == 0):
        return None
    return gating.hold_back(work, decided_by=until - step.wait + step.longest if decides else None)


def _next(work: Work, *, watched: bool) -> Outcome:
    d = work.deployment
    last = len(d.spec.shift) - 1
    if d.step < last:
        work.record(step=last if d.promoted else d.step + 1, step_until=None)
        return _in_step(work, watched=True) if watched else Wait("the next step", 0.0)
    return run_hooks(work, HookPoint.AFTER_SHIFT)


def _follow_blue(work: Work) -> Outcome | None:
    """Blue may have been scaled out since: green must be healthy at its size before it takes more.

    Both slots were looked at in this tick.
    """
    d = work.deployment
    blue, green = work.slots_seen[d.blue.name], work.slots_seen[d.green.name]
    if d.release and blue.desired > max(d.blue_count, blue_keeps(d)):
        message = f"green {d.green.name} follows blue from {d.blue_count} to {blue.desired} tasks"
        work.world.compute.launch(d.release, d.green, max(blue.desired, green.desired), work.fence)
        work.record(
            work.event(Kind.SCALED, message, slot=d.green.name, count=blue.desired),
            blue_count=blue.desired,
            blue_kept=None,
            green_count=green_keeps(d),
        )
    return _until_grown(work)


def _until_grown(work: Work) -> Outcome | None:
    d = work.deployment
    if green_keeps(d) >= d.blue_count:
        return None
    seen, need = work.health(d.green), d.spec.health.required(d.blue_count)
    if seen.healthy < need:
        return Wait(f"green {d.green.name} grows: {seen.healthy} of {need} required targets are healthy", GROWING_EVERY)
    work.record(green_count=d.blue_count)
    return None


def _until_whole(work: Work) -> Outcome | None:
    """Green that lost a target gets time to get it back, and no more traffic meanwhile. It was looked at just now."""
    d = work.deployment
    seen, need = work.slots_seen[d.green.name], d.spec.health.required(green_keeps(d))
    if seen.healthy >= need:
        return None
    reason = (
        f"green {d.green.name} has {seen.healthy} of {need} required healthy targets: it gets no more traffic before"
    )
    return Wait(reason, GROWING_EVERY)
