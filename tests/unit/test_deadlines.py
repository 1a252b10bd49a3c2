"""Every phase has a deadline and a configured consequence: also a rollback, and a redeployment that holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.deployment import Deployment, HoldKind, Phase
from bluegreen.domain.service import Control
from bluegreen.domain.spec import Consequence, Deadlines, HookPoint, HookSpec
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.inquiry import control
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import HeldError
from bluegreen.hooks.base import Pending
from bluegreen.lifecycle.holding import decides_itself_at
from tests.stage import NEW, SPEC, Recorder, ScriptedHook, Stage


def stopped_in_bake(**deadlines: Any) -> Stage:
    """With all traffic on green, a driver that was ended, and a blue that is not healthy."""
    stage = Stage(replace(SPEC, deadlines=Deadlines(**deadlines)))

    def on_call(when: str, name: str) -> None:
        if when == "before" and name == "compute.health" and stage.phase() is Phase.BAKE:
            raise KeyboardInterrupt

    stage.on_call = on_call
    with pytest.raises(BaseException, match="detached"):
        deploy(stage.session(), stage.spec, NEW, Recorder())
    stage.on_call = lambda when, name: None
    stage.clock.sleep(700)
    stage.compute.mark(stage.one, "unhealthy")
    return stage


def roll_back(stage: Stage, *, force: bool = False) -> Deployment:
    return rollback(stage.session("rollback"), "orders", stage.recorder, force=force)


def until(stage: Stage, limit: float, act: Callable[[], object]) -> Callable[[str, str], None]:
    end = stage.clock.now() + limit

    def on_call(when: str, name: str) -> None:
        if stage.clock.now() >= end:
            stage.on_call = lambda when, name: None
            act()

    return on_call


def test_a_rollback_whose_blue_never_gets_healthy_holds_at_its_deadline_and_says_what_stands() -> None:
    stage = stopped_in_bake(rollback=600.0)
    began = stage.clock.now()
    with pytest.raises(HeldError) as caught:
        roll_back(stage)
    hold = stage.latest().hold
    assert hold is not None
    assert hold.kind is HoldKind.DEADLINE
    assert 600 <= hold.since - began < 602
    assert "blue orders-1 has 0 of 2 required healthy targets" in caught.value.message
    assert "prod:443 stands at blue 0% / green 100%" in caught.value.message
    assert "bluegreen resume orders" in (caught.value.hint or "")
    assert "bluegreen rollback orders --force" in (caught.value.hint or "")


def test_a_held_rollback_is_forced_by_a_second_one() -> None:
    stage = stopped_in_bake(rollback=600.0)
    with pytest.raises(HeldError):
        roll_back(stage)
    assert roll_back(stage, force=True).phase is Phase.ROLLED_BACK
    assert stage.weights() == {"orders-1": 100}


@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_a_held_rollback_that_goes_on_has_as_long_again(way: str) -> None:
    stage = stopped_in_bake(rollback=600.0)
    with pytest.raises(HeldError):
        roll_back(stage)
    stage.on_call = until(stage, 500, lambda: stage.compute.mark(stage.one, None))
    if way == "resume":
        control(stage.session("resume"), "orders", Control.RESUME)
        ended = resume(stage.session("resume"), "orders", stage.recorder)
    else:
        ended = roll_back(stage)
    assert ended.phase is Phase.ROLLED_BACK


def test_a_rollback_may_be_told_to_wait_for_ever() -> None:
    stage = stopped_in_bake(rollback=None)
    stage.on_call = until(stage, 2400, lambda: stage.compute.mark(stage.one, None))
    assert roll_back(stage).phase is Phase.ROLLED_BACK


def test_no_deadline_holds_a_rollback_once_blue_has_all_traffic() -> None:
    stage = stopped_in_bake(rollback=1.0)
    stage.compute.mark(stage.one, None)
    stage.compute.mark(stage.two, "draining")
    stage.on_call = until(stage, 900, lambda: stage.compute.mark(stage.two, None))
    assert roll_back(stage).phase is Phase.ROLLED_BACK


def late_in_test(consequence: Consequence) -> Stage:
    hooks = (HookSpec(HookPoint.TEST, "smoke", "scripted", timeout=3000),)
    stage = Stage(replace(SPEC, hooks=hooks, deadlines=Deadlines(test=300, on_deadline=consequence)))
    stage.hooks["smoke"] = ScriptedHook([Pending("handle", 5.0, "runs")])
    return stage


def test_a_phase_that_passes_its_deadline_rolls_back_where_that_is_configured() -> None:
    stage = late_in_test(Consequence.ROLL_BACK)
    assert deploy(stage.session(), stage.spec, NEW, stage.recorder).phase is Phase.ROLLED_BACK


def test_a_phase_that_passes_its_deadline_holds_where_that_is_configured_and_that_ends_too() -> None:
    stage = late_in_test(Consequence.HOLD)
    with pytest.raises(HeldError, match="phase test passed its deadline") as held:
        deploy(stage.session(), stage.spec, NEW, stage.recorder)
    assert "bluegreen resume orders (gives it as long again), or bluegreen rollback orders" in (held.value.hint or "")
    assert decides_itself_at(stage.latest()) is not None


def test_a_redeployment_that_holds_is_attended_to() -> None:
    stage = Stage()
    deploy(stage.session(), stage.spec, NEW, Recorder())
    stage.clock.sleep(1000)

    def on_call(when: str, name: str) -> None:
        if stage.phase() is Phase.SHIFT and when == "before" and name == "router.describe":
            stage.on_call = lambda when, name: None
            weights = {stage.one.target_group_arn: 50, stage.two.target_group_arn: 50}
            stage.router.set_weights(next(iter(stage.router.routes)), weights)

    stage.on_call = on_call
    attended: list[str] = []

    def attendant(session: object, held: Deployment) -> str:
        attended.append(held.id)
        return "process 4712 stays with it"

    with pytest.raises(HeldError):
        rollback(stage.session("rollback"), "orders", Recorder(), attendant=attendant)
    assert attended == [stage.latest().id]
