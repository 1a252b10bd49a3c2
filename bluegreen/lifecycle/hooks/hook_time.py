"""Deadlines beside hooks. Pure: a record and a time go in, changed fields come out.

The clock of a phase, and that of a hook point, stands still while only a person or a dry run is waited for: each of
those is bounded by its own timeout, and a deadline for machines must not answer in a person's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bluegreen.domain.deployment import Deployment, HoldKind, HookRun, HookStatus, PointDeadline, Waiting
from bluegreen.domain.spec import HookPoint
from bluegreen.lifecycle.hooks.hook_keeping import kept

DECIDES_NOTHING = (HookPoint.ON_ROLLBACK, HookPoint.ON_SUCCESS)
"""What happens there is settled: every hook runs, whatever another one says."""


def with_hooks(d: Deployment, hooks: Sequence[HookRun], now: float) -> dict[str, Any]:
    """The fields that change when the hooks' runs do: the runs, and the clocks that start, stop or go on."""
    changes: dict[str, Any] = {"hooks": kept(hooks)}
    if waited_for := [run for run in hooks if run.is_open]:
        changes["waiting"] = Waiting(_what_runs(d.service, waited_for))
    elif any(run.is_open for run in d.hooks):
        changes["waiting"] = None
    stands, stood_since = _stands_still(hooks), d.clock_stopped_at
    if stood_since is not None and not stands:
        changes |= {"clock_stopped_at": None, **_later(d, now - stood_since)}
    elif stood_since is None and stands:
        changes["clock_stopped_at"] = now
    running = next((run for run in hooks if run.status is HookStatus.RUNNING and _limit(d, run)), None)
    if running is not None and point_deadline(d, running.point, running.step) is None:
        changes["point_deadline"] = PointDeadline(running.point, running.step, now + (_limit(d, running) or 0.0))
    return changes


def point_deadline(d: Deployment, point: HookPoint, step: int) -> float | None:
    """Until when the hooks of this point may take; None where nothing limits them, or none has started."""
    known = d.point_deadline
    return known.until if known is not None and (known.point, known.step) == (point, step) else None


def going_on(d: Deployment, now: float) -> dict[str, Any]:
    """The fields that change when a person lets a deployment go on: the time it was held counts for no deadline.

    What was held because its time had passed gets as long again; a hook that could not be asked, or had no time left,
    is asked again.
    """
    if d.hold is None:
        return {"hold": None}
    changes: dict[str, Any] = {"hold": None, "hooks": tuple(_asked_again(run, now) for run in d.hooks)}
    if d.hold.kind is HoldKind.DEADLINE:
        changes["point_deadline"] = None
        if d.deadline is not None and d.spans:
            changes["deadline"] = now + max(0.0, d.deadline - d.spans[-1].began_at)
        return changes
    return changes if d.clock_stopped_at is not None else changes | _later(d, now - d.hold.since)


# Private


def _stands_still(hooks: Sequence[HookRun]) -> bool:
    waited_for = [run for run in hooks if run.is_open and run.point not in DECIDES_NOTHING]
    return bool(waited_for) and all(run.asks or run.dry_run for run in waited_for)


def _what_runs(service: str, runs: Sequence[HookRun]) -> str:
    """What the record says that the deployment waits for: other processes see no more than that."""
    people = [run.name for run in runs if run.asks]
    others = [run.name for run in runs if not run.asks]
    wait = f"wait{'s' * (len(people) == 1)} for a person (bluegreen approve {service}, or reject)"
    parts = [f"{', '.join(people)} {wait}"] if people else []
    parts += [f"hook{'s' * (len(others) > 1)} {', '.join(others)}"] if others else []
    return "; ".join(parts)


def _limit(d: Deployment, run: HookRun) -> float | None:
    return d.spec.hook_timeouts.get(run.point)


def _later(d: Deployment, seconds: float) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if d.deadline is not None:
        changes["deadline"] = d.deadline + seconds
    if d.point_deadline is not None:
        changes["point_deadline"] = replace(d.point_deadline, until=d.point_deadline.until + seconds)
    return changes


def _asked_again(run: HookRun, now: float) -> HookRun:
    stopped = run.status in (HookStatus.UNAVAILABLE, HookStatus.CANCELLED) and run.retry_at is None
    if not stopped or run.dry_run or run.point in DECIDES_NOTHING:
        return run
    settled = run.attempts if run.status is HookStatus.CANCELLED else run.settled
    return replace(run, retry_at=now, forgiven=run.attempts, unasked=0, settled=settled)
