"""A deployment that holds is not left alone: somebody sees that green dies, or that nobody decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.events import Kind
from bluegreen.domain.service import Control
from bluegreen.domain.spec import Consequence, Deadlines, GateSpec, HookPoint, HookSpec
from bluegreen.drivers.attending import LOOK_EVERY, attend
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.inquiry import control
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import HeldError, HookUnavailableError, RefusedError, StoreUnavailableError, UnreachableError
from bluegreen.hooks.base import Reading
from tests.faults.foreign import BEFORE_TRAFFIC, SlowHook
from tests.stage import NEW, SPEC, ScriptedGate, Stage

HOUR = 3600.0


def held(gate_interval: float = 5.0, **deadlines: Any) -> Stage:
    """Green has 5%, a gate cannot tell, and nobody drives."""
    gates = (GateSpec("errors", "alarm"),)
    spec = replace(SPEC, gates=gates, deadlines=Deadlines(**deadlines), gate_interval=gate_interval)
    stage = Stage(spec)
    stage.gates["errors"] = ScriptedGate(
        lambda: Reading("inconclusive", "1.2 of 1") if "orders-2" in stage.weights() else Reading("ok", "")
    )
    with pytest.raises(HeldError):
        deploy(stage.session(), spec, NEW, stage.recorder)
    stage.calls.clear()
    return stage


def attended(stage: Stage) -> Deployment:
    return attend(stage.session("attend", host="elsewhere"), "orders", stage.recorder)


def at_look(stage: Stage, number: int, act: Callable[[], object]) -> None:
    looks = 0

    def on_call(when: str, name: str) -> None:
        nonlocal looks
        looks += (when, name) == ("before", "store.load")
        if looks == number:
            stage.on_call = lambda when, name: None
            act()

    stage.on_call = on_call


def test_a_driver_that_ends_with_a_hold_leaves_somebody_with_it() -> None:
    spec = replace(SPEC, gates=(GateSpec("errors", "alarm"),))
    stage = Stage(spec)
    stage.gates["errors"] = ScriptedGate(
        lambda: Reading("inconclusive", "1.2 of 1") if "orders-2" in stage.weights() else Reading("ok", "")
    )
    with pytest.raises(HeldError):
        deploy(stage.session(), spec, NEW, stage.recorder, attendant=lambda session, d: f"4712 stays with {d.id}")
    told = stage.recorder.events[-1]
    assert told.at == stage.clock.now() > stage.latest().started_at
    assert (told.kind, told.message) == (Kind.WAITING, f"4712 stays with {stage.latest().id}")


def test_nobody_decides_and_it_is_rolled_back_at_the_end_of_its_time() -> None:
    stage = held(hold=HOUR)
    began = stage.clock.now()
    ended = attended(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert ended.rollback.reason == "nobody decided within 3600 s: gate errors cannot tell: 1.2 of 1"
    assert ended.rollback.requested_at - began + LOOK_EVERY >= HOUR
    assert ended.rollback.requested_at - began <= HOUR + 2 * LOOK_EVERY
    assert stage.weights() == {"orders-1": 100}


def test_no_lock_is_taken_and_nothing_written_while_it_only_watches() -> None:
    stage = held(hold=HOUR)
    attended(stage)
    watched = stage.calls[: stage.calls.index("store.preempt")]
    assert len(watched) > 1000
    assert set(watched) == {"store.service", "store.load", "router.describe", "compute.health"}


def test_a_decision_ends_it_and_stands() -> None:
    stage = held(hold=HOUR)

    def decide() -> None:
        control(stage.session("resume"), "orders", Control.PROMOTE)
        resume(stage.session("resume"), "orders", stage.recorder)

    at_look(stage, 5, decide)
    ended = attended(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert stage.weights() == {"orders-2": 100}


def test_a_green_that_dies_while_it_is_held_is_rolled_back_at_once() -> None:
    stage = held(hold=HOUR)
    at_look(stage, 3, lambda: stage.compute.mark(stage.two, "unhealthy"))
    began = stage.clock.now()
    ended = attended(stage)
    assert ended.rollback is not None
    assert ended.rollback.reason.startswith("green orders-2 had no healthy target while the deployment was held")
    assert ended.rollback.requested_at - began < 10 * LOOK_EVERY
    assert stage.weights() == {"orders-1": 100}


@pytest.mark.parametrize("point", BEFORE_TRAFFIC)
def test_a_green_that_dies_under_traffic_that_someone_else_gave_it_before_the_shift_is_rolled_back(
    point: HookPoint,
) -> None:
    stage = Stage(replace(SPEC, hooks=(HookSpec(point, "smoke", "scripted"),)))
    stage.hooks["smoke"] = SlowHook([], stage=stage)

    def on_call(when: str, name: str) -> None:
        if when == "after" and stage.phase() and stage.latest().hooks:
            stage.on_call = lambda when, name: None
            weights = {stage.one.target_group_arn: 50, stage.two.target_group_arn: 50}
            stage.router.set_weights(next(iter(stage.router.routes)), weights)

    stage.on_call = on_call
    with pytest.raises(HeldError):
        deploy(stage.session(), stage.spec, NEW, stage.recorder)
    stage.compute.mark(stage.two, "unhealthy")
    ended = attended(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert "no healthy target while the deployment was held" in ended.rollback.reason


def test_a_gate_that_fires_while_it_is_held_puts_blue_back_before_anybody_decides() -> None:
    stage = held(hold=HOUR)
    at_look(stage, 3, lambda: fires(stage))
    began = stage.clock.now()
    ended = attended(stage)
    assert ended.rollback is not None
    assert ended.rollback.reason == "gate errors fired while the deployment was held: 7 of 1"
    assert ended.rollback.requested_at - began < 10 * LOOK_EVERY
    assert stage.weights() == {"orders-1": 100}


def test_a_gate_that_fires_leaves_a_hold_alone_that_the_configuration_leaves_to_people() -> None:
    stage = held(hold=HOUR, on_hold=Consequence.HOLD)
    fires(stage)
    at_look(stage, 20, lambda: rollback(stage.session("rollback"), "orders", stage.recorder, reason="pager"))
    ended = attended(stage)
    assert ended.rollback is not None
    assert ended.rollback.reason == "pager"


def test_a_gate_is_told_at_each_look_what_it_asked_to_be_kept_although_nothing_is_written() -> None:
    stage = held(hold=HOUR)
    gate = stage.gates["errors"]
    gate.told.clear()
    gate.read = lambda: Reading("inconclusive", "1.2 of 1", memory={"looks": len(gate.told)})
    at_look(stage, 6, lambda: rollback(stage.session("rollback"), "orders", stage.recorder))
    ended = attended(stage)
    told = [watch.memory for watch in gate.told]
    assert told[:4] == [{}, {"looks": 1}, {"looks": 2}, {"looks": 3}]
    assert [dict(each.memory) for each in ended.gates] == [{}]


def test_a_gate_that_cannot_be_asked_is_no_reason_to_end_a_hold() -> None:
    stage = held(hold=HOUR)
    stage.gates["errors"] = ScriptedGate(unavailable)
    ended = attended(stage)
    assert ended.rollback is not None
    assert ended.rollback.reason.startswith("nobody decided")


def test_gates_are_looked_at_every_gate_interval_during_a_hold_too() -> None:
    stage = held(120.0, hold=HOUR)
    gate = stage.gates["errors"] = ScriptedGate(lambda: Reading("ok", "fine"))
    attended(stage)
    assert len(gate.told) == HOUR / 120


def fires(stage: Stage) -> None:
    stage.gates["errors"] = ScriptedGate(lambda: Reading("firing", "7 of 1"))


def unavailable() -> Reading:
    raise HookUnavailableError("CloudWatch is away")


def test_a_green_that_is_seen_dead_once_is_looked_at_again() -> None:
    stage = held(hold=HOUR)

    def dies_for_a_moment() -> None:
        stage.compute.mark(stage.two, "unhealthy")
        stage.on_call = lambda when, name: (
            stage.compute.mark(stage.two, None) if (when, name) == ("after", "compute.health") else None
        )

    at_look(stage, 3, dies_for_a_moment)
    ended = attended(stage)
    assert ended.rollback is not None
    assert ended.rollback.reason.startswith("nobody decided")


@pytest.mark.parametrize("limits", [{"hold": None}, {"hold": HOUR, "on_hold": Consequence.HOLD}])
def test_what_is_told_to_wait_for_ever_waits(limits: dict[str, Any]) -> None:
    stage = held(**limits)

    def decide() -> None:
        assert stage.clock.now() - stage.latest().started_at > 2 * HOUR
        control(stage.session("resume"), "orders", Control.PROMOTE)
        resume(stage.session("resume"), "orders", stage.recorder)

    at_look(stage, int(2 * HOUR / LOOK_EVERY) + 1, decide)
    assert attended(stage).phase is Phase.SUCCEEDED


def test_an_aws_that_does_not_answer_for_minutes_is_waited_for() -> None:
    stage = held(hold=HOUR)
    failing = 30

    def on_call(when: str, name: str) -> None:
        nonlocal failing
        if (when, name) == ("before", "router.describe") and failing and stage.phase() is Phase.SHIFT:
            failing -= 1
            raise UnreachableError("no route to host")

    stage.on_call = on_call
    assert attended(stage).phase is Phase.ROLLED_BACK


def test_where_nothing_holds_there_is_nothing_to_attend_to() -> None:
    stage = Stage()
    deploy(stage.session(), SPEC, NEW, stage.recorder)
    with pytest.raises(RefusedError, match="no unfinished deployment"):
        attended(stage)


def test_a_route_that_was_removed_does_not_keep_a_decision_from_its_time() -> None:
    stage = held(hold=HOUR, on_hold=Consequence.ROLL_BACK)
    route = next(iter(stage.router.routes))
    gone = stage.router.routes.pop(route)
    since = stage.clock.now()

    def somebody_makes_it_again(when: str, name: str) -> None:
        if stage.clock.now() >= since + HOUR - LOOK_EVERY:
            stage.router.routes[route] = gone

    stage.on_call = somebody_makes_it_again
    assert attended(stage).phase is Phase.ROLLED_BACK


def test_a_store_that_fails_as_the_rollback_begins_is_asked_again() -> None:
    stage = held(hold=HOUR, on_hold=Consequence.ROLL_BACK)
    left = [StoreUnavailableError("no answer")]

    def on_call(when: str, name: str) -> None:
        if left and (when, name) == ("before", "store.preempt"):
            raise left.pop()

    stage.on_call = on_call
    assert attended(stage).phase is Phase.ROLLED_BACK
    assert not left


@pytest.mark.parametrize(("in_sandbox", "longest"), [(True, 30.0), (False, 2 * HOUR)])
def test_nobody_waits_for_a_sandbox_that_was_taken_down(in_sandbox: bool, longest: float) -> None:
    stage = held(hold=24 * HOUR)

    def on_call(when: str, name: str) -> None:
        if (when, name) == ("before", "router.describe"):
            raise UnreachableError("nobody listens", code="EndpointConnectionError")

    stage.on_call = on_call
    session = stage.session("attend", host="elsewhere")
    session.environment = {"BLUEGREEN_SANDBOX_PORTS": "80=9080"} if in_sandbox else {}
    began = stage.clock.now()
    with pytest.raises(UnreachableError):
        attend(session, "orders", stage.recorder)
    assert longest / 10 < stage.clock.now() - began < longest
