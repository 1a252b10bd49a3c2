"""Someone else writes before green has traffic: during the launch, the tests, and the hooks before the shift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.domain.health import Failure
from bluegreen.domain.service import Control
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.drivers.foreground import resume
from bluegreen.hooks.base import Failed, Passed, Pending, Verdict
from tests.faults.foreign import BEFORE_TRAFFIC, TICK, SlowHook
from tests.stage import SPEC, Recorder, Stage
from tests.unit.drift_kit import decide, held, run

OLD = "arn:aws:ecs:fake:task-definition/orders:1"


def staged(point: HookPoint) -> Stage:
    stage = Stage(replace(SPEC, hooks=(HookSpec(point, "smoke", "scripted", timeout=3000),)))
    stage.hooks["smoke"] = SlowHook([], stage=stage)
    return stage


def once_the_hook_runs(stage: Stage, act: Callable[[], object]) -> list[float]:
    """When it was done."""
    done: list[float] = []

    def on_call(when: str, name: str) -> None:
        known = stage.memory.history("orders", 1)
        if not done and when == "after" and known and known[0].hooks:
            done.append(stage.clock.now())
            act()

    stage.on_call = on_call
    return done


def set_weights(stage: Stage, route: int, one: int, two: int) -> None:
    arn = list(stage.router.routes)[route]
    stage.router.set_weights(arn, {stage.one.target_group_arn: one, stage.two.target_group_arn: two})


def held_at(stage: Stage) -> float:
    hold = stage.latest().hold
    assert hold is not None
    return hold.since


@pytest.mark.parametrize("point", BEFORE_TRAFFIC)
def test_weights_written_while_a_hook_is_waited_for_hold_within_one_look(point: HookPoint) -> None:
    stage = staged(point)
    written = once_the_hook_runs(stage, lambda: set_weights(stage, 0, 50, 50))
    assert "live is blue 50% / green 50%" in held(stage).message
    assert held_at(stage) - written[0] <= stage.spec.gate_interval + TICK


def test_weights_written_while_the_test_route_settles_hold_within_one_look() -> None:
    stage = Stage(replace(SPEC, settle=300))
    written: list[float] = []

    def on_call(when: str, name: str) -> None:
        if not written and when == "after" and stage.phase() is Phase.TEST and stage.weights(1) == {"orders-2": 100}:
            written.append(stage.clock.now())
            set_weights(stage, 0, 50, 50)

    stage.on_call = on_call
    held(stage)
    assert held_at(stage) - written[0] <= stage.spec.gate_interval + TICK


@pytest.mark.parametrize("slot", ["orders-1", "orders-2"])
@pytest.mark.parametrize("point", BEFORE_TRAFFIC)
def test_a_service_scaled_in_while_a_hook_is_waited_for_holds_within_one_look(point: HookPoint, slot: str) -> None:
    stage = staged(point)
    written = once_the_hook_runs(stage, lambda: stage.compute.set(stage.compute.services[slot].slot, count=1))
    assert f"{slot}: it is set to 1 task" in held(stage).message
    assert held_at(stage) - written[0] <= stage.spec.gate_interval + TICK


def test_green_that_someone_sets_to_another_release_while_it_launches_is_not_written_over() -> None:
    stage = Stage()
    other = stage.compute.register({**stage.compute.definitions[OLD], "family": "orders"})["taskDefinitionArn"]
    done: list[float] = []

    def on_call(when: str, name: str) -> None:
        if not done and when == "after" and stage.phase() is Phase.LAUNCH and stage.latest().healthy_since is not None:
            done.append(stage.clock.now())
            stage.compute.set(stage.two, release=other)

    stage.on_call = on_call
    assert "green orders-2: it is set to orders:2, this deployment launched orders:3" in held(stage).message
    assert stage.compute.services["orders-2"].release.task_definition == other
    assert decide(stage, Control.REASSERT).phase is Phase.SUCCEEDED


def test_green_that_ecs_itself_set_back_is_rejected_with_what_ecs_says() -> None:
    """A deployment circuit breaker: nobody else wrote, and to hold would wait for nobody."""
    stage = Stage()
    done: list[float] = []

    def on_call(when: str, name: str) -> None:
        if not done and when == "after" and stage.phase() is Phase.LAUNCH and stage.latest().green_set:
            done.append(stage.clock.now())
            stage.compute.set(stage.two, release=OLD)
            stage.compute.bad_images["registry.example/orders:1"] = Failure(
                "deployment failed: rolled back", fatal=True
            )

    stage.on_call = on_call
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert "cannot get healthy: deployment failed" in ended.rollback.reason


def test_a_launch_whose_driver_died_before_its_call_is_no_drift() -> None:
    stage = Stage()

    def on_call(when: str, name: str) -> None:
        if when == "before" and name == "compute.launch":
            raise KeyboardInterrupt

    stage.on_call = on_call
    with pytest.raises(BaseException, match="detached"):
        run(stage)
    stage.on_call = lambda when, name: None
    stage.clock.sleep(31)
    assert resume(stage.session("resume"), "orders", Recorder()).phase is Phase.SUCCEEDED


@pytest.mark.parametrize("verdict", [Passed("fine"), Failed("the old release answered")])
def test_no_verdict_counts_of_tests_that_the_test_route_sent_to_the_other_slot(verdict: Verdict) -> None:
    stage = staged(HookPoint.TEST)
    stage.hooks["smoke"].verdicts = []
    answered: list[str] = []

    class Smoke(SlowHook):
        def _next(self) -> Verdict:
            answered.append(next(iter(stage.weights(1))))
            led_astray = answered[-1] == "orders-1"
            return verdict if led_astray or len(answered) > 2 else Pending("handle", 4.0, "runs")

    stage.hooks["smoke"] = Smoke([], stage=stage)
    once_the_hook_runs(stage, lambda: set_weights(stage, 1, 100, 0))
    error = held(stage)
    assert "someone else changed the weights of the test route prod:8080: live is blue 100% / green 0%" in error.message
    assert "--reassert" in (error.hint or "")
    assert stage.weights() == {"orders-1": 100}, "users stay on blue"


@pytest.mark.parametrize("wish", [Control.REASSERT, Control.ACCEPT_LIVE])
def test_tests_that_were_led_astray_run_again_through_a_test_route_that_leads_to_green(wish: Control) -> None:
    stage = staged(HookPoint.TEST)
    once_the_hook_runs(stage, lambda: set_weights(stage, 1, 100, 0))
    held(stage)
    assert stage.hooks["smoke"].cancelled == ["handle"]
    stage.on_call = lambda when, name: None
    seen: list[dict[str, int]] = []
    stage.hooks["smoke"].start = lambda call: seen.append(dict(stage.weights(1))) or Passed("fine")  # type: ignore[method-assign, func-returns-value]
    assert decide(stage, wish).phase is Phase.SUCCEEDED
    assert seen == [{"orders-2": 100}]


def test_without_hooks_only_a_wait_is_looked_into_before_the_shift() -> None:
    stage = Stage()
    looks: list[float] = []

    def on_call(when: str, name: str) -> None:
        if when == "after" and name == "router.describe" and stage.phase() is Phase.TEST:
            looks.append(stage.clock.now())

    stage.on_call = on_call
    assert run(stage).phase is Phase.SUCCEEDED
    assert len(looks) == 2 + 2, "around the one write of the test route, and twice while it settles for ten seconds"


def test_looks_before_the_shift_are_as_far_apart_as_configured() -> None:
    stage = staged(HookPoint.BEFORE_SHIFT)
    looks: list[float] = []
    stage.spec = replace(stage.spec, gate_interval=15)

    def on_call(when: str, name: str) -> None:
        if when == "after" and name == "router.describe" and stage.phase() is Phase.SHIFT and stage.latest().step < 0:
            looks.append(stage.clock.now())

    stage.on_call = on_call
    assert run(stage).phase is Phase.SUCCEEDED
    production = sorted(set(looks))
    assert 2 <= len(production) <= 4
