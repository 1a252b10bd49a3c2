"""Someone else writes the weights between any two calls of a deployment: it is never written over in silence.

ELBv2 has no conditional write, so one gap cannot be closed: from the read that a write starts from to that write. It is
as narrow as it can be: nothing but the lease's fence is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.domain.deployment import Deployment, HoldKind, Phase
from bluegreen.domain.spec import RouteSpec, Spec
from bluegreen.drivers.foreground import deploy
from bluegreen.errors import HeldError
from tests.stage import NEW, SPEC, Recorder, Stage

ONE_ROUTE = SPEC.production
TWO_ROUTES = (*SPEC.production, RouteSpec(load_balancer="prod", port=8443))
THEIRS = {"orders-1": 50, "orders-2": 50}
WATCHED = (Phase.PENDING, Phase.LAUNCH, Phase.TEST, Phase.SHIFT, Phase.BAKE)


@dataclass(frozen=True)
class Instant:
    """Right before or right after a call, the ``index``-th of all these. ``open``: in the gap that cannot be closed."""

    index: int
    when: str
    call: str
    open: bool


def overwritten(spec: Spec, instant: Instant, route: int) -> str | None:
    """What was wrong; None where the deployment holds for drift and the foreign weights stand."""
    stage, ended = disturbed(spec, instant, route)
    hold = stage.latest().hold
    if ended is not None or hold is None or hold.kind is not HoldKind.DRIFT:
        return f"{instant.when} {instant.call} ({instant.index}): it did not hold for drift"
    if stage.weights(route) != THEIRS:
        return f"{instant.when} {instant.call} ({instant.index}): the foreign weights were written over"
    return None


def spec_of(routes: tuple[RouteSpec, ...]) -> Spec:
    return Stage().spec_with(production=routes)


def instants(spec: Spec) -> list[Instant]:
    """Every one from the record's begin to the end of the bake, from a deployment that nobody disturbs."""
    stage = Stage(spec)
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


def disturbed(spec: Spec, instant: Instant, route: int) -> tuple[Stage, Deployment | None]:
    """The stage, and the deployment where it ended; None where it holds."""
    stage = Stage(spec)
    arn = list(stage.router.routes)[route]
    made = 0

    def on_call(when: str, name: str) -> None:
        nonlocal made
        if made == instant.index:
            assert (when, name) == (instant.when, instant.call)
            stage.router.set_weights(arn, {stage.one.target_group_arn: 50, stage.two.target_group_arn: 50})
        made += 1

    stage.on_call = on_call
    try:
        return stage, deploy(stage.session(), spec, NEW, stage.recorder)
    except HeldError:
        return stage, None
