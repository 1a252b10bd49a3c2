"""Someone else writes the weights between any two calls of a deployment: it is never written over in silence, and it
holds within ``gate_interval`` and a tick, also while hooks are waited for before green has any traffic.

ELBv2 has no conditional write, so one gap cannot be closed: from the read that a write starts from to that write. It is
as narrow as it can be: nothing but the lease's fence is in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bluegreen.domain.deployment import Deployment, HoldKind, Phase
from bluegreen.domain.spec import HookPoint, HookSpec, RouteSpec, Spec
from bluegreen.drivers.foreground import deploy
from bluegreen.errors import HeldError
from bluegreen.hooks.base import HookCall, Passed, Pending, Verdict
from tests.stage import NEW, SPEC, Recorder, ScriptedHook, Stage

ONE_ROUTE = SPEC.production
TWO_ROUTES = (*SPEC.production, RouteSpec(load_balancer="prod", port=8443))
THEIRS = {"orders-1": 50, "orders-2": 50}
WATCHED = (Phase.PENDING, Phase.LAUNCH, Phase.TEST, Phase.SHIFT, Phase.BAKE)

BEFORE_TRAFFIC = (HookPoint.AFTER_LAUNCH, HookPoint.TEST, HookPoint.BEFORE_SHIFT)
TICK = 1.0
"""Seconds that a tick takes at most here: a read-back is repeated for as long."""


@dataclass
class SlowHook(ScriptedHook):
    """Passes after 40 seconds, and says until then that it need not be asked again for 15."""

    stage: Stage = field(default_factory=Stage)
    since: float = 0.0

    def start(self, call: HookCall) -> Verdict:
        self.since = self.stage.clock.now()
        return self._next()

    def _next(self) -> Verdict:
        over = self.stage.clock.now() - self.since >= 40
        return Passed("fine") if over else Pending("handle", 15.0, "runs")


@dataclass(frozen=True)
class Instant:
    """Right before or right after a call, the ``index``-th of all these. ``open``: in the gap that cannot be closed."""

    index: int
    when: str
    call: str
    open: bool


def overwritten(spec: Spec, instant: Instant, route: int) -> str | None:
    """What was wrong; None where the deployment holds for drift in time and the foreign weights stand."""
    stage, ended, written_at = disturbed(spec, instant, route)
    hold = stage.latest().hold
    if ended is not None or hold is None or hold.kind is not HoldKind.DRIFT:
        return f"{instant.when} {instant.call} ({instant.index}): it did not hold for drift"
    if stage.weights(route) != THEIRS:
        return f"{instant.when} {instant.call} ({instant.index}): the foreign weights were written over"
    late = hold.since - written_at - spec.gate_interval - TICK
    if late > 0:
        return f"{instant.when} {instant.call} ({instant.index}): it held {late:.1f} s too late"
    return None


def spec_of(routes: tuple[RouteSpec, ...], *, slow_hooks: bool = False) -> Spec:
    hooks = tuple(HookSpec(point, point.value, "scripted") for point in BEFORE_TRAFFIC) if slow_hooks else ()
    return replace(SPEC, production=routes, hooks=hooks)


def instants(spec: Spec) -> list[Instant]:
    """Every one from the record's begin to the end of the bake, from a deployment that nobody disturbs."""
    stage = _stage(spec)
    trace: list[tuple[str, str]] = []
    watched: list[int] = []

    def on_call(when: str, name: str) -> None:
        if stage.phase() in WATCHED:
            watched.append(len(trace))
        trace.append((when, name))

    stage.on_call = on_call
    deploy(stage.session(), spec, NEW, Recorder())
    return [Instant(index, *trace[index], _is_open(trace, index)) for index in watched]


def _is_open(trace: list[tuple[str, str]], index: int) -> bool:
    """What comes next, fences aside, is the write whose read has been made."""
    last = next(step for step in reversed(trace[: index + 1]) if step[1] != "store.renew")
    following = next((step for step in trace[index + 1 :] if step[1] != "store.renew"), last)
    at_the_write = last == ("before", "router.modify")
    return at_the_write or (last, following) == (("after", "router.describe"), ("before", "router.modify"))


def disturbed(spec: Spec, instant: Instant, route: int) -> tuple[Stage, Deployment | None, float]:
    """The stage, the deployment where it ended (None where it holds), and when the weights were written."""
    stage = _stage(spec)
    arn = list(stage.router.routes)[route]
    made, written_at = 0, 0.0

    def on_call(when: str, name: str) -> None:
        nonlocal made, written_at
        if made == instant.index:
            assert (when, name) == (instant.when, instant.call)
            written_at = stage.clock.now()
            stage.router.set_weights(arn, {stage.one.target_group_arn: 50, stage.two.target_group_arn: 50})
        made += 1

    stage.on_call = on_call
    try:
        return stage, deploy(stage.session(), spec, NEW, stage.recorder), written_at
    except HeldError:
        return stage, None, written_at


def _stage(spec: Spec) -> Stage:
    stage = Stage(spec)
    stage.hooks = {hook.name: SlowHook([], stage=stage) for hook in spec.hooks}
    return stage
