"""Someone else changed what this deployment relies on in ECS: a desired count, or a service's task definition.

It is seen in the calls that ask for green's health. More tasks than expected are no drift: autoscaling scales out.
"""

from __future__ import annotations

from typing import Any

from bluegreen.domain.deployment import Deployment, HoldKind, Phase, Slot
from bluegreen.domain.events import Kind
from bluegreen.domain.health import Setting, SlotHealth
from bluegreen.lifecycle.outcome import Hold, Outcome, Reject
from bluegreen.lifecycle.work import Work

UNKNOWN_SCALING = (
    "autoscaling may have done it, whose settings could not be read: grant application-autoscaling:"
    "DescribeScalableTargets and application-autoscaling:RegisterScalableTarget"
)


def look(work: Work) -> tuple[SlotHealth, Setting]:
    """Green's health, and in the same calls what blue is set to."""
    d = work.deployment
    green, blue = work.world.compute.health_beside(d.green, d.blue)
    work.slots_seen[d.green.name] = green
    return green, blue


def look_at_both(work: Work) -> tuple[SlotHealth, Setting]:
    """The same, with a look at blue's targets: before traffic is moved, it is seen whether blue is warm."""
    d = work.deployment
    green, blue = work.world.compute.health_of_both(d.green, d.blue)
    work.slots_seen |= {d.green.name: green, d.blue.name: blue}
    return green, Setting(blue.desired, blue.release)


def judge(work: Work, green: SlotHealth, blue: Setting) -> Outcome | None:
    """None while both services are set to what this deployment left them at."""
    d = work.deployment
    if not d.launched or d.retired_at is not None:
        return None
    return _judge_blue(work, blue) or _judge_green(work, Setting(green.desired, green.release))


def blue_keeps(d: Deployment) -> int:
    """What blue may not fall below."""
    return d.blue_count if d.blue_kept is None else d.blue_kept


def green_keeps(d: Deployment) -> int:
    """What green may not fall below: the size at which it was healthy, while it grows to blue's."""
    return d.green_count or d.blue_count


def is_set(d: Deployment) -> bool:
    """Green was set to the release and seen so; before that it may still stand as the deployment found it."""
    return d.green_set or d.phase is not Phase.LAUNCH


def unacceptable(work: Work, green: SlotHealth) -> str | None:
    """Why the live world cannot be this deployment's: what was tested would not be what gets traffic."""
    d = work.deployment
    if not d.launched or d.release is None or d.retired_at is not None or not is_set(d):
        return None
    if green.release != d.release.task_definition:
        return f"green {d.green.name} is set to {_name(green.release)}, which this deployment did not test"
    return f"green {d.green.name} is set to no task at all" if green.desired == 0 else None


def accepted(work: Work, green: SlotHealth, blue: Setting) -> dict[str, Any]:
    """The fields that make the live services this deployment's own."""
    d = work.deployment
    if not d.launched or d.retired_at is not None:
        return {}
    changes: dict[str, Any] = {}
    smaller = is_set(d) and green.desired < green_keeps(d)
    if blue.desired < blue_keeps(d) or smaller:
        changes["blue_kept"] = min(blue_keeps(d), blue.desired)
    if blue.release != d.previous.task_definition:
        changes["previous"] = work.world.compute.current(d.blue)
    if smaller:
        changes |= {"blue_count": green.desired, "green_count": green.desired}
    return changes


def reassert(work: Work, green: SlotHealth, blue: Setting) -> None:
    """Set both services to what this deployment left them at; more tasks than that stay."""
    d = work.deployment
    if not d.launched or d.release is None or d.retired_at is not None:
        return
    if _judge_blue(work, blue) is not None:
        work.world.compute.launch(d.previous, d.blue, max(blue_keeps(d), blue.desired), work.fence)
    if _judge_green(work, Setting(green.desired, green.release)) is not None:
        if green.desired < green_keeps(d):
            work.record(green_count=max(1, green.desired))
        work.world.compute.launch(d.release, d.green, max(d.blue_count, green.desired), work.fence)


# Private


def _judge_blue(work: Work, blue: Setting) -> Outcome | None:
    d = work.deployment
    if d.retiring:
        return None
    if blue.release != d.previous.task_definition:
        return _hold(work, d.blue, "blue", _name(blue.release), f"{d.previous.id} was live there")
    keeps = blue_keeps(d)
    if blue.desired >= keeps:
        return None
    if d.scaling.known or blue.desired == 0:
        return _hold(work, d.blue, "blue", _tasks(blue.desired), f"a rollback counts on {keeps}")
    message = f"blue {d.blue.name} went from {keeps} to {_tasks(blue.desired)}: {UNKNOWN_SCALING}"
    work.record(work.event(Kind.WARNING, message), blue_kept=blue.desired)
    return None


def _judge_green(work: Work, green: Setting) -> Outcome | None:
    d = work.deployment
    if not is_set(d):
        return None
    ours = d.release
    if ours is not None and green.release != ours.task_definition:
        return _hold(
            work, d.green, "green", _name(green.release), f"this deployment launched {ours.id}", acceptable=False
        )
    if green.desired == 0:
        return Reject(f"someone else scaled green {d.green.name} to no task at all: it can serve nobody")
    if green.desired < green_keeps(d):
        return _hold(work, d.green, "green", _tasks(green.desired), f"this deployment launched {green_keeps(d)}")
    return None


def _hold(work: Work, slot: Slot, role: str, live: str, ours: str, *, acceptable: bool = True) -> Hold:
    d = work.deployment
    writer = work.world.compute.likely_writer(slot) if d.hold is None else ""
    if not d.scaling.known:
        writer = "; ".join(filter(None, [writer, UNKNOWN_SCALING]))
    accept = f"bluegreen resume {d.service} --accept-live (go on with it), " if acceptable else ""
    return Hold(
        HoldKind.DRIFT,
        f"someone else changed {role} {slot.service}: it is set to {live}, {ours}{f' ({writer})' if writer else ''}",
        f"{accept}bluegreen resume {d.service} --reassert (set it back), or bluegreen rollback {d.service}",
    )


def _tasks(count: int) -> str:
    return f"{count} task{'s' * (count != 1)}"


def _name(task_definition: str | None) -> str:
    return (task_definition or "no task definition").rsplit("/", 1)[-1]
