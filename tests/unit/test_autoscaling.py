"""Autoscaling during a deployment: suspended where it must be, restored in the end, moved with the live role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.health import ScalableTarget
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.drivers.foreground import deploy
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import AccessDeniedError, HeldError
from bluegreen.hooks.base import Failed
from tests.stage import NEW, SPEC, Recorder, ScriptedHook, Stage

DENIED = AccessDeniedError(
    "not allowed: application-autoscaling:DescribeScalableTargets", hint="grant application-autoscaling:Describe…"
)


def scaled(blue: tuple[int, int] = (2, 10), green: tuple[int, int] = (0, 10), *, fails: bool = False) -> Stage:
    hooks = (HookSpec(HookPoint.AFTER_STEP, "smoke", "scripted"),) if fails else ()
    stage = Stage(replace(SPEC, hooks=hooks))
    if fails:
        stage.hooks["smoke"] = ScriptedHook([Failed("no")])
    stage.scaling.add(stage.one, *blue)
    stage.scaling.add(stage.two, *green)
    return stage


def run(stage: Stage, request: ReleaseRequest = NEW) -> Deployment:
    return deploy(stage.session(), stage.spec, request, stage.recorder)


def targets(stage: Stage) -> tuple[ScalableTarget, ScalableTarget]:
    return stage.scaling.targets["orders-1"], stage.scaling.targets["orders-2"]


def in_every_phase(stage: Stage, act: Callable[[Phase], None]) -> None:
    """Call ``act`` once for each phase, when its driver loads the record."""
    seen: set[Phase] = set()

    def on_call(when: str, name: str) -> None:
        phase = stage.phase()
        if when == "after" and name == "store.load" and phase is not None and phase not in seen:
            seen.add(phase)
            act(phase)

    stage.on_call = on_call


def test_service_without_autoscaling_pays_one_read_and_no_write() -> None:
    stage = Stage()
    assert run(stage).phase is Phase.SUCCEEDED
    assert stage.scaling.calls == ["scaling.read"]


def test_policies_scale_neither_slot_in_while_the_deployment_runs() -> None:
    """Green has 5 per cent of the traffic, then blue has none: a policy would shrink either."""
    stage = scaled(blue=(1, 10))
    sizes: dict[Phase, tuple[int, int]] = {}

    def low_load(phase: Phase) -> None:
        if phase in (Phase.TEST, Phase.SHIFT, Phase.BAKE, Phase.TEARDOWN):
            stage.scaling.scale_in(stage.one)
            stage.scaling.scale_in(stage.two)
            sizes[phase] = tuple(stage.compute.services[name].desired for name in ("orders-1", "orders-2"))  # type: ignore[assignment]

    in_every_phase(stage, low_load)
    assert run(stage).phase is Phase.SUCCEEDED
    assert sizes == dict.fromkeys((Phase.TEST, Phase.SHIFT, Phase.BAKE, Phase.TEARDOWN), (2, 2))


def test_scale_out_and_scheduled_scaling_stay_on() -> None:
    stage = scaled()
    run(stage)
    assert stage.scaling.writes
    assert not any(target.out_suspended or target.scheduled_suspended for target in stage.scaling.writes)


def test_targets_are_in_the_record_before_anything_is_changed() -> None:
    stage = scaled()
    known: list[tuple[ScalableTarget, ...]] = []

    def on_call(when: str, name: str) -> None:
        if when == "before" and name in ("router.modify", "scaling.register", "compute.launch") and not known:
            known.append(stage.latest().scaling.targets)

    stage.on_call = on_call
    run(stage)
    assert known == [(ScalableTarget("orders-1", 2, 10), ScalableTarget("orders-2", 0, 10))]


def test_range_moves_with_the_live_role_and_back_again() -> None:
    stage = scaled(blue=(2, 12), green=(0, 4))
    run(stage)
    assert targets(stage) == (ScalableTarget("orders-1", 0, 12), ScalableTarget("orders-2", 2, 12))
    run(stage, ReleaseRequest(images={"app": "registry.example/orders:3"}))
    assert targets(stage) == (ScalableTarget("orders-1", 2, 12), ScalableTarget("orders-2", 0, 12))
    assert stage.compute.services["orders-2"].desired == 0


def test_rollback_restores_both_targets() -> None:
    stage = scaled(green=(0, 4), fails=True)
    assert run(stage).phase is Phase.ROLLED_BACK
    assert targets(stage) == (ScalableTarget("orders-1", 2, 10), ScalableTarget("orders-2", 0, 4))
    assert stage.scaling.writes


def test_deployment_that_never_launched_changes_no_target_and_restores_none() -> None:
    stage = scaled()
    stage.spec = replace(SPEC, hooks=(HookSpec(HookPoint.BEFORE_LAUNCH, "smoke", "scripted"),))
    stage.hooks["smoke"] = ScriptedHook([Failed("no")])
    assert run(stage).phase is Phase.ROLLED_BACK
    assert stage.scaling.calls == ["scaling.read"]


def test_rollback_during_teardown_gives_blue_its_range_back() -> None:
    stage = scaled()
    stage.on_call = die_when(stage, lambda d: d.retired_at is not None)
    with pytest.raises(BaseException, match="detached"):
        run(stage)
    assert targets(stage)[1].least == 2
    stage.on_call = lambda when, name: None
    assert rollback(stage.session("rollback"), "orders", Recorder()).phase is Phase.ROLLED_BACK
    assert targets(stage) == (ScalableTarget("orders-1", 2, 10), ScalableTarget("orders-2", 0, 10))


def die_when(stage: Stage, condition: Callable[[Deployment], bool]) -> Callable[[str, str], None]:
    def on_call(when: str, name: str) -> None:
        if when == "before" and name == "compute.health" and stage.phase() and condition(stage.latest()):
            raise KeyboardInterrupt

    return on_call


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_person_suspended_before_stays_suspended(fails: bool) -> None:
    stage = scaled(fails=fails)
    stage.scaling.add(stage.one, 2, 10, in_suspended=True, out_suspended=True)
    run(stage)
    one, two = targets(stage)
    assert (one.in_suspended, one.out_suspended) == (True, True)
    assert (two.in_suspended, two.out_suspended) == (not fails, not fails), "the live slot is as the person left it"
    assert "someone suspended its autoscaling" in stage.recorder.text()


def test_what_someone_changes_meanwhile_stays() -> None:
    """A scheduled action raises the range in the morning, while the deployment bakes."""
    stage = scaled()

    def morning(phase: Phase) -> None:
        if phase is Phase.BAKE:
            stage.scaling.targets["orders-1"] = replace(stage.scaling.targets["orders-1"], least=4, most=20)
            stage.compute.set(stage.one, count=4)

    in_every_phase(stage, morning)
    assert run(stage).phase is Phase.SUCCEEDED
    assert targets(stage) == (ScalableTarget("orders-1", 0, 20), ScalableTarget("orders-2", 4, 20))
    assert stage.compute.services["orders-2"].desired == 4


def test_suspending_never_scales_blue_in_when_it_runs_more_than_its_maximum() -> None:
    """AWS brings the desired count into the range with every write: a person had started 5 where 3 are the most."""
    stage = scaled(blue=(2, 3), green=(0, 3))
    stage.compute.set(stage.one, count=5)
    stage.compute.health(stage.one)  # they start
    counts: list[int] = []

    def on_call(when: str, name: str) -> None:
        if when == "after" and name == "scaling.register" and stage.phase() is not Phase.TEARDOWN:
            counts.append(stage.compute.services["orders-1"].desired)

    stage.on_call = on_call
    assert run(stage).phase is Phase.SUCCEEDED
    assert set(counts) == {5}
    assert "more than its scalable target's maximum of 3" in stage.recorder.text()


def test_idle_slot_with_a_minimum_gets_zero_because_aws_would_start_tasks_there() -> None:
    stage = scaled(green=(2, 10), fails=True)
    assert run(stage).phase is Phase.ROLLED_BACK
    assert targets(stage)[1] == ScalableTarget("orders-2", 0, 10)
    assert stage.compute.services["orders-2"].desired == 0
    assert "minimum is 2" in stage.recorder.text()


def test_lone_target_of_blue_lets_the_idle_slot_rest_and_its_range_comes_back() -> None:
    stage = Stage()
    stage.scaling.add(stage.one, 2, 10)
    run(stage)
    assert stage.scaling.targets == {"orders-1": ScalableTarget("orders-1", 0, 10)}
    assert "nothing scales the live slot" in stage.recorder.text()
    run(stage, ReleaseRequest(images={"app": "registry.example/orders:3"}))
    assert stage.scaling.targets == {"orders-1": ScalableTarget("orders-1", 2, 10)}


def test_target_that_someone_removed_is_not_made_again() -> None:
    stage = scaled()

    def remove(phase: Phase) -> None:
        if phase is Phase.BAKE:
            del stage.scaling.targets["orders-1"]

    in_every_phase(stage, remove)
    assert run(stage).phase is Phase.SUCCEEDED
    assert set(stage.scaling.targets) == {"orders-2"}
    assert not stage.scaling.targets["orders-2"].in_suspended


def test_missing_permission_to_read_is_a_warning_that_names_the_action() -> None:
    stage = scaled()
    stage.scaling.refuses = DENIED
    assert run(stage).phase is Phase.SUCCEEDED
    assert "application-autoscaling:DescribeScalableTargets" in stage.recorder.text()


def test_blue_scaled_in_by_a_policy_that_could_not_be_suspended_is_told_and_no_drift() -> None:
    stage = scaled(blue=(1, 10))
    stage.scaling.refuses = DENIED

    def low_load(phase: Phase) -> None:
        if phase is Phase.BAKE:
            stage.scaling.scale_in(stage.one)

    in_every_phase(stage, low_load)
    assert run(stage).phase is Phase.SUCCEEDED
    assert "blue orders-1 went from 2 to 1 task" in stage.recorder.text()


def test_missing_permission_to_restore_leaves_the_deployment_unfinished_until_it_is_granted() -> None:
    """Nothing suspended outlives a deployment: it does not end before."""
    stage = scaled(fails=True)

    def refuse(when: str, name: str) -> None:
        if when == "before" and name == "scaling.read" and stage.phase() is Phase.ROLLBACK:
            raise AccessDeniedError("not allowed: application-autoscaling:RegisterScalableTarget", hint="grant it")

    stage.on_call = refuse
    with pytest.raises(HeldError, match="RegisterScalableTarget"):
        run(stage)
    assert stage.weights() == {"orders-1": 100}
    assert stage.memory.service("orders").active is not None
    stage.on_call = lambda when, name: None
    assert rollback(stage.session("rollback"), "orders", Recorder()).phase is Phase.ROLLED_BACK
    assert not any(target.in_suspended for target in targets(stage))
