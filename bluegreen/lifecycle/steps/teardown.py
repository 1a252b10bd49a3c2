"""Teardown: blue is scaled in, once the live split was read back as all green and has settled."""

from __future__ import annotations

from bluegreen.domain.deployment import Deployment, HoldKind, Slot
from bluegreen.domain.events import Kind
from bluegreen.domain.spec import HookPoint
from bluegreen.domain.split import ALL_GREEN
from bluegreen.errors import AccessDeniedError
from bluegreen.lifecycle.hooks.hooking import run_hooks
from bluegreen.lifecycle.outcome import Done, Hold, Outcome, Wait
from bluegreen.lifecycle.routes import routing
from bluegreen.lifecycle.undo import reverting, scaling
from bluegreen.lifecycle.watch.gating import in_time, look_at_gates
from bluegreen.lifecycle.watch.watching import traffic_suffers
from bluegreen.lifecycle.work import Work


def run(work: Work) -> Outcome:
    if work.deployment.retired_at is None:
        blocked = _not_yet(work)
        if blocked is not None:
            return blocked
        scaling.hand_over(work)
        if not work.deployment.retiring:
            work.record(retiring=True)
        retire(work, work.deployment.blue, "blue")
    waiting = drained(work, work.deployment.blue, "blue")
    if waiting is not None:
        return waiting
    return _on_success(work)


def retire(work: Work, slot: Slot, role: str) -> None:
    work.world.compute.retire(slot, work.fence)
    work.record(
        work.event(Kind.SCALED, f"{role} {slot.name} is scaled in", slot=slot.name, count=0), retired_at=work.now()
    )


def drained(work: Work, slot: Slot, role: str) -> Outcome | None:
    """None once no task runs and no target is left."""
    seen = work.health(slot)
    # "unused" is what a target group that lost its last target answers for a moment.
    left = seen.registered - seen.states.get("unused", 0)
    if seen.running == 0 and left == 0:
        return None
    elapsed = work.now() - (work.deployment.retired_at or work.now())
    again = f"; someone set it to {seen.desired} tasks again: set it back to 0" if seen.desired else ""
    return Wait(
        f"{role} {slot.name} drains: {seen.running} tasks, {seen.draining} targets draining{again}",
        min(5.0, max(0.2, elapsed * 0.1)),
    )


# Private


def _not_yet(work: Work) -> Outcome | None:
    problem = traffic_suffers(work)
    if problem is not None:
        return problem
    outcome = run_hooks(work, HookPoint.BEFORE_TEARDOWN)
    if not isinstance(outcome, Done):
        # While a test or a person is waited for, users are on green, and blue is still there to go back to.
        return (look_at_gates(work) if isinstance(outcome, Wait) else None) or in_time(work, outcome)
    until = routing.last_write_at(work.deployment) + work.deployment.spec.settle
    if work.now() < until:
        return Wait("the split settles before blue is touched", until - work.now(), until)
    if work.aws_now() <= work.deployment.late_until:
        return _until_nothing_is_late(work)
    if not _is_all_on_green(work.deployment) or any(split.blue for split in work.live_seen.values()):
        service = work.deployment.service
        return Hold(
            HoldKind.DRIFT,
            "blue still has production traffic, so it is not scaled in",
            "give green all weight again (the weights that are live were accepted), then "
            f"bluegreen resume {service} --accept-live; or bluegreen rollback {service}",
        )
    return _groups_changed(work)


def _groups_changed(work: Work) -> Hold | None:
    """Asked once, before blue is given up: nothing of this deployment writes a target group's settings."""
    try:
        changed = list(reverting.groups_that_differ(work))
    except AccessDeniedError:
        return None
    if not changed:
        return None
    service = work.deployment.service
    return Hold(
        HoldKind.DRIFT,
        f"someone else changed {'; '.join(changed)}",
        f"take it back, then bluegreen resume {service}; bluegreen resume {service} --accept-live (go on with it); "
        f"or bluegreen rollback {service}",
    )


def _is_all_on_green(d: Deployment) -> bool:
    """By the record, whatever the weights: those that a person wrote and accepted may be 0 and 1."""
    written = [route.written for route in d.routes]
    return all(each is not None and each.confirmed and each.split.same_share(ALL_GREEN) for each in written)


def _until_nothing_is_late(work: Work) -> Wait:
    until = work.deployment.late_until
    return Wait(
        "an earlier driver's last write must have expired before blue is touched", until - work.aws_now() + 1, until
    )


def _on_success(work: Work) -> Outcome:
    """The release is live: a hook that fails now is told, and changes nothing."""
    outcome = run_hooks(work, HookPoint.ON_SUCCESS)
    if isinstance(outcome, Wait):
        return outcome
    if not isinstance(outcome, Done):
        work.publish(work.event(Kind.WARNING, f"after success: {outcome.reason}"))
    return Done()
