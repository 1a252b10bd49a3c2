"""Launch: green gets the release at blue's size, with no production traffic, and must become healthy."""

from __future__ import annotations

from bluegreen.domain.events import Kind
from bluegreen.domain.health import Setting, SlotHealth
from bluegreen.domain.spec import HookPoint
from bluegreen.domain.split import ALL_BLUE
from bluegreen.lifecycle.hooks.hooking import run_hooks
from bluegreen.lifecycle.outcome import Hold, Outcome, Reject, Wait
from bluegreen.lifecycle.routes import routing
from bluegreen.lifecycle.undo import scaling
from bluegreen.lifecycle.watch import drift
from bluegreen.lifecycle.watch.watching import undisturbed, why
from bluegreen.lifecycle.work import Work

DIAGNOSE_EVERY = 2.0
"""Seconds between looks for reasons of failure, which cost more calls than the health itself."""


def run(work: Work) -> Outcome:
    return undisturbed(work, HookPoint.AFTER_LAUNCH, lambda: _launch(work))


# Private


def _launch(work: Work) -> Outcome:
    # A target group that no route uses is not health-checked (Target.NotInUse): attach green at 0% first.
    if problem := routing.move(work, ALL_BLUE):
        return problem
    first = not work.deployment.launched
    if first:
        scaling.suspend(work)
    green, blue = _announce(work) if first else drift.look(work)
    return (
        _changed_by_someone(work, green, blue)
        or _healthy_and_settled(work, _ensure_launched(work, green, first=first))
        or run_hooks(work, HookPoint.AFTER_LAUNCH)
    )


def _announce(work: Work) -> tuple[SlotHealth, Setting]:
    """The record says so before green is touched: whoever finds it later knows that green must be cleaned up.

    Answers green and blue as they stand before that.
    """
    d = work.deployment
    green, blue = drift.look_at_both(work)
    count = max(1, blue.desired)
    message = f"green {d.green.name} launches {count} task{'s' * (count != 1)} of {d.release.id if d.release else ''}"
    kept = None
    if blue.desired == 0 and d.force:
        # Whoever forced it saw that there is nothing to roll back to: no task of blue's is counted on.
        message, kept = f"{message}: blue runs none", 0
    work.record(
        work.event(Kind.LAUNCHED, message, slot=d.green.name, count=count),
        launched=True,
        blue_count=count,
        blue_kept=kept,
    )
    return green, blue


def _changed_by_someone(work: Work, green: SlotHealth, blue: Setting) -> Outcome | None:
    """A circuit breaker sets a service back, too: what ECS says of green's tasks explains it better then."""
    changed = drift.judge(work, green, blue)
    if not isinstance(changed, Hold):
        return changed
    return _cannot_get_healthy(work) or changed


def _ensure_launched(work: Work, seen: SlotHealth, *, first: bool) -> SlotHealth:
    """Anew, even where green was set to this release long ago: a rollback without the record tells green by that.

    A look that shows it is kept: whoever changes green after that is not written over.
    """
    d = work.deployment
    if d.release and (first or seen.release != d.release.task_definition or seen.desired < d.blue_count):
        work.world.compute.launch(d.release, d.green, d.blue_count, work.fence, anew=True)
    elif not d.green_set:
        work.record(green_set=True)
    return seen


def _healthy_and_settled(work: Work, seen: SlotHealth) -> Outcome | None:
    d = work.deployment
    since = d.spans[-1].began_at if d.spans else d.started_at
    need = d.spec.health.required(d.blue_count)
    if seen.healthy < need or (d.release and seen.release != d.release.task_definition):
        if d.healthy_since is not None:
            work.record(healthy_since=None)
        return _still_coming_up(work, seen, need, since)
    if d.healthy_since is None:
        message = f"green {d.green.name} has {seen.healthy} of {need} required healthy targets"
        work.record(
            work.event(Kind.HEALTH, message, healthy=seen.healthy, required=need, took=work.now() - since),
            healthy_since=work.now(),
            green_count=d.blue_count,
        )
    until = (work.deployment.healthy_since or work.now()) + d.spec.health.settle
    if work.now() < until:
        return Wait("green must stay healthy", min(1.0, until - work.now()), until)
    return None


def _still_coming_up(work: Work, seen: SlotHealth, need: int, since: float) -> Outcome:
    d = work.deployment
    elapsed = work.now() - since
    if elapsed >= DIAGNOSE_EVERY and int(elapsed / DIAGNOSE_EVERY) != int(_before(work, since) / DIAGNOSE_EVERY):
        rejected = _cannot_get_healthy(work)
        if rejected is not None:
            return rejected
    states = ", ".join(f"{count} {state}" for state, count in sorted(seen.states.items())) or "no targets yet"
    return Wait(f"green {d.green.name}: {seen.healthy} of {need} targets healthy ({states})", _patience(elapsed))


def _cannot_get_healthy(work: Work) -> Reject | None:
    d = work.deployment
    found = work.diagnose(d.green, d.spans[-1].began_at if d.spans else d.started_at)
    fatal = any(failure.fatal for failure in found.failures)
    return Reject(f"green {d.green.name} cannot get healthy{why(found)}") if fatal else None


def _before(work: Work, since: float) -> float:
    """How far the phase was at the previous look; the looks' spacing follows from the elapsed time alone."""
    elapsed = work.now() - since
    return max(0.0, elapsed - _patience(elapsed))


def _patience(elapsed: float) -> float:
    """Look often at first, seldom later: the wait overshoots by a tenth, and the calls grow with its logarithm."""
    return min(5.0, max(0.1, elapsed * 0.1))
