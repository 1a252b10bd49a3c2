"""What a rollback would do, said beforehand: what the record plans, and blue as it stands now. Changes nothing."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.deployment import Deployment
from bluegreen.domain.health import SlotHealth
from bluegreen.domain.split import ALL_BLUE
from bluegreen.drivers.rollback import Plan, plan
from bluegreen.errors import BluegreenError
from bluegreen.wiring import Session

FLIP_SECONDS = 1.0
"""What a flip to a warm blue takes at most (docs/performance.md)."""


def foresee(session: Session, service: str, *, to: str | None = None, force: bool = False) -> Plan:
    """Raises what ``plan`` raises."""
    planned = plan(session, service, to=to)
    d = planned.deployment
    if planned.klass != "flip" or d is None:
        return planned
    session.region = d.spec.region
    try:
        if all(session.router.read(route, d.blue, d.green).split.same_share(ALL_BLUE) for route in d.routes):
            already = f"flip: blue {d.blue.name} ({d.previous.label}) has all traffic already"
            return replace(planned, summary=already, writes=_writes(d)[len(d.routes) :], seconds=FLIP_SECONDS)
        return _flip(planned, d, session.compute.health(d.blue), force)
    except BluegreenError as error:
        unsure = f"{planned.summary}, if it is healthy, which could not be asked: {error.message}"
        return replace(planned, summary=unsure, writes=_writes(d))


def launch_seconds(d: Deployment) -> float | None:
    """How long its green took to get healthy; None where it did not come to that."""
    took = [span.ended_at - span.began_at for span in d.spans if span.phase == "launch" and span.ended_at is not None]
    return took[0] if took else None


# Private


def _flip(planned: Plan, d: Deployment, blue: SlotHealth, force: bool) -> Plan:
    wanted = max(1, d.blue_count, d.blue_kept or 0)
    need = d.spec.health.required(wanted)
    name, has = f"blue {d.blue.name} ({d.previous.label})", f"{blue.healthy} of {need} required healthy targets"
    if blue.healthy >= need:
        summary = f"flip: {name} is warm and takes all traffic"
        return replace(planned, summary=summary, writes=_writes(d), seconds=FLIP_SECONDS)
    if force:
        summary = f"flip: {name} has {has} and takes all traffic all the same (--force)"
        return replace(planned, summary=summary, writes=_writes(d), seconds=FLIP_SECONDS)
    if blue.desired < wanted:
        first = f"blue {d.blue.name} is set to {blue.desired} tasks: {wanted} of {d.previous.id} are launched first"
        summary = f"flip: {name} is launched again and takes all traffic"
        return replace(planned, summary=summary, writes=(first, *_writes(d)), seconds=launch_seconds(d))
    summary = f"flip: {name} has {has}: it takes all traffic when it has them, and not before (--force overrides)"
    return replace(planned, summary=summary, writes=_writes(d), seconds=None)


def _writes(d: Deployment) -> tuple[str, ...]:
    writes = tuple(f"{route.name}: all traffic to blue {d.blue.name} ({d.previous.id})" for route in d.routes)
    if d.test_route is not None and d.test_route.written is not None:
        writes += (f"{d.test_route.name} (test route): to blue {d.blue.name}",)
    if d.launched:
        writes += (f"then green {d.green.name} is drained and scaled in",)
    return writes
