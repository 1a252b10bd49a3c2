"""What Application Auto Scaling may do during a deployment, and its restoring by whoever finishes it.

Scale-in alone is suspended: green would shrink below what the next step needs, blue below what a rollback needs.
What this deployment wrote is put back; what somebody else wrote meanwhile (a scheduled action, a person) stays.
See docs/decisions/autoscaling.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bluegreen.domain.deployment import Deployment, Phase, Slot
from bluegreen.domain.events import Kind
from bluegreen.domain.health import ScalableTarget
from bluegreen.domain.service import ServiceState
from bluegreen.lifecycle.work import Work

Targets = dict[str, ScalableTarget]
"""By slot name; a slot whose service has none is missing."""


def suspend(work: Work) -> None:
    """Before green is launched. Nothing is called where nothing scales by itself."""
    facts = work.deployment.scaling
    if not facts.targets:
        return
    live = _live(work)
    if not facts.during:
        wanted = _during(work.deployment, live, work.health(work.deployment.blue).desired)
        names = ", ".join(target.slot for target in wanted)
        event = work.event(Kind.SCALED, f"autoscaling: scale-in of {names} is suspended until the deployment ends")
        work.record(event, scaling=replace(facts, during=wanted))
    for target in work.deployment.scaling.during:
        _register(work, live, target)


def hand_over(work: Work) -> None:
    """Green carries the service's range from now on; blue may go to zero and stay there."""
    d = work.deployment
    if not d.scaling.during or d.scaling.restored is Phase.TEARDOWN:
        return
    live = _live(work)
    carried = d.scaling.handed_over or _range_of_the_service(d, live, work.state)
    if d.scaling.handed_over is None:
        work.record(scaling=replace(d.scaling, handed_over=carried))
    back = _merged(d, live)
    if d.green.name in live:
        _register(work, live, _carrying(back[d.green.name], carried))
    if d.blue.name in live:
        _register(work, live, replace(back[d.blue.name], least=0))
    _say(work, Phase.TEARDOWN, f"autoscaling: green {d.green.name} has {carried.range} tasks, blue may stay at zero")


def put_back(work: Work) -> None:
    """After a rollback blue has its range again; green's least is zero, or AWS would start tasks there at once."""
    d = work.deployment
    if not d.scaling.during or d.scaling.restored is Phase.ROLLBACK:
        return
    live = _live(work)
    back = _found(d) if d.scaling.handed_over else _merged(d, live)
    if d.blue.name in live:
        blue = back[d.blue.name]
        _register(work, live, _range(blue, d.scaling.handed_over) if d.scaling.handed_over else blue)
    if d.green.name in live:
        _register(work, live, replace(back[d.green.name], least=0))
    _say(work, Phase.ROLLBACK, f"autoscaling of {', '.join(live) or 'no slot'} is restored")


def service_range(d: Deployment) -> dict[str, object]:
    """For the ledger: the range of the live slot's desired count; empty where nothing scales it."""
    carried = d.scaling.handed_over
    return {"least": carried.least, "most": carried.most} if carried else {}


def warnings(
    blue: Slot, green: Slot, targets: tuple[ScalableTarget, ...], blue_desired: int
) -> Iterator[tuple[str, str, str]]:
    """Where, what and what to do, of all that a person should know before the deployment. Pure."""
    found = {target.slot: target for target in targets}
    if blue.name in found and green.name not in found:
        yield (
            f"service {green.service}",
            f"it has no scalable target, {blue.service} has: after this deployment nothing scales the live slot",
            "register one with the same policies (aws application-autoscaling register-scalable-target)",
        )
    if blue.name in found and blue_desired > found[blue.name].most:
        yield (
            f"service {blue.service}",
            f"it runs {blue_desired} tasks, more than its scalable target's maximum of {found[blue.name].most}: AWS "
            "brings the live slot back to the maximum when the deployment ends",
            "raise the maximum, if the tasks are needed",
        )
    if green.name in found and found[green.name].least:
        yield (
            f"service {green.service}",
            f"its scalable target's minimum is {found[green.name].least}; it is set to 0 while its slot is idle, "
            "because AWS would start tasks there",
            "set it to 0 in your template",
        )
    for target in targets:
        if target.in_suspended or target.out_suspended or target.scheduled_suspended:
            yield (
                f"slot {target.slot}",
                "someone suspended its autoscaling: it stays so, also for the slot that is live in the end",
                "resume it when it is needed (aws application-autoscaling register-scalable-target --suspended-state)",
            )


# Private


def _during(d: Deployment, live: Targets, blue_desired: int) -> tuple[ScalableTarget, ...]:
    """A write brings the desired count into the range at once (RegisterScalableTarget), so the range must hold it."""
    most = max([blue_desired, *(target.most for target in live.values())])
    wanted = []
    if d.green.name in live:
        wanted.append(replace(live[d.green.name], least=0, most=most, in_suspended=True))
    if d.blue.name in live:
        blue = live[d.blue.name]
        wanted.append(replace(blue, most=max(blue.most, blue_desired), in_suspended=True))
    return tuple(wanted)


def _range_of_the_service(d: Deployment, live: Targets, state: ServiceState) -> ScalableTarget:
    """Blue's: the range moves with the live role. Where nothing scales blue, what is remembered of the last time."""
    back = _merged(d, live)
    if d.blue.name in back:
        return back[d.blue.name]
    green = back.get(d.green.name) or _found(d).get(d.green.name) or ScalableTarget(d.green.name, 0, 0)
    return replace(green, least=max(green.least, _remembered_least(state)))


def _remembered_least(state: ServiceState) -> int:
    for entry in state.known_good:
        known = entry.whole.get("scaling")
        if isinstance(known, dict) and isinstance(known.get("least"), int):
            return int(known["least"])
    return 0


def _merged(d: Deployment, live: Targets) -> Targets:
    """Each value as found, but where the live one is not what this deployment wrote."""
    during = {target.slot: target for target in d.scaling.during}
    found = _found(d)
    return {name: _merge(found.get(name, now), during.get(name, now), now) for name, now in live.items()}


def _merge(found: ScalableTarget, ours: ScalableTarget, live: ScalableTarget) -> ScalableTarget:
    def kept(field: str) -> int:
        now = getattr(live, field)
        return int(getattr(found, field) if now == getattr(ours, field) else now)

    return ScalableTarget(
        live.slot,
        kept("least"),
        kept("most"),
        in_suspended=bool(kept("in_suspended")),
        out_suspended=bool(kept("out_suspended")),
        scheduled_suspended=bool(kept("scheduled_suspended")),
    )


def _found(d: Deployment) -> Targets:
    return {target.slot: target for target in d.scaling.targets}


def _range(target: ScalableTarget, carried: ScalableTarget) -> ScalableTarget:
    return replace(target, least=carried.least, most=carried.most)


def _carrying(green: ScalableTarget, carried: ScalableTarget) -> ScalableTarget:
    """What a person had suspended on either slot stays suspended on the live one."""
    return replace(
        _range(green, carried),
        in_suspended=green.in_suspended or carried.in_suspended,
        out_suspended=green.out_suspended or carried.out_suspended,
        scheduled_suspended=green.scheduled_suspended or carried.scheduled_suspended,
    )


def _live(work: Work) -> Targets:
    """A target that somebody removed meanwhile is not made again."""
    d = work.deployment
    return {target.slot: target for target in work.world.scaling.read((d.blue, d.green))}


def _register(work: Work, live: Targets, wanted: ScalableTarget) -> None:
    if wanted.slot in live and live[wanted.slot] != wanted:
        work.world.scaling.register(_slot(work.deployment, wanted.slot), wanted, work.fence)


def _slot(d: Deployment, name: str) -> Slot:
    return d.blue if d.blue.name == name else d.green


def _say(work: Work, phase: Phase, message: str) -> None:
    work.record(work.event(Kind.SCALED, message), scaling=replace(work.deployment.scaling, restored=phase))
