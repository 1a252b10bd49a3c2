"""Someone else writes desired counts or task definitions during a deployment: hold, both values, the way out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.domain.events import Kind
from bluegreen.domain.service import Control
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import HeldError
from bluegreen.traffic.actions import weights_of
from tests.stage import NEW, SPEC, Recorder, Stage
from tests.unit.drift_kit import decide, held, run

OLD = "arn:aws:ecs:fake:task-definition/orders:1"
WATCHED = (Phase.SHIFT, Phase.BAKE)


def when_in(stage: Stage, phase: Phase, act: Callable[[], object]) -> None:
    """Once, when the driver of a deployment in this phase goes to sleep."""

    def on_call(when: str, name: str) -> None:
        if when == "after" and name == "store.renew" and stage.phase() is phase and has_traffic(stage):
            stage.on_call = lambda when, name: None
            act()

    stage.on_call = on_call


def has_traffic(stage: Stage) -> bool:
    """The production route was written by the shift."""
    return "orders-2" in stage.weights()


def change(stage: Stage, slot: str, **edit: Any) -> None:
    """ECS replaces tasks one after the other: some are healthy at any time."""
    stage.compute.starts_after = 0
    stage.compute.set(stage.compute.services[slot].slot, **edit)


@pytest.mark.parametrize("phase", WATCHED)
@pytest.mark.parametrize("count", [0, 1])
def test_blue_scaled_in_holds_and_names_both_counts_and_the_likely_writer(phase: Phase, count: int) -> None:
    stage = Stage()
    stage.compute.services["orders-1"].writer = "CloudFormation stack shop manages the service"
    when_in(stage, phase, lambda: stage.compute.set(stage.one, count=count))
    error = held(stage)
    assert f"blue orders-1: it is set to {count} task" in error.message
    assert "a rollback counts on 2" in error.message
    assert "CloudFormation stack shop" in error.message
    assert all(way in (error.hint or "") for way in ("--accept-live", "--reassert", "bluegreen rollback orders"))
    assert has_traffic(stage), "a hold leaves traffic as it is"


@pytest.mark.parametrize("phase", WATCHED)
def test_blue_that_someone_set_to_another_release_holds(phase: Phase) -> None:
    stage = Stage()
    other = stage.compute.register({**stage.compute.definitions[OLD], "family": "orders"})["taskDefinitionArn"]
    when_in(stage, phase, lambda: stage.compute.set(stage.one, release=other))
    assert "it is set to orders:2, orders:1 was live there" in held(stage).message


@pytest.mark.parametrize("phase", WATCHED)
def test_green_that_someone_scaled_in_holds(phase: Phase) -> None:
    stage = Stage()
    when_in(stage, phase, lambda: stage.compute.set(stage.two, count=1))
    assert "green orders-2: it is set to 1 task, this deployment launched 2" in held(stage).message


@pytest.mark.parametrize("phase", WATCHED)
def test_green_that_someone_set_back_to_the_old_release_holds_and_cannot_be_accepted(phase: Phase) -> None:
    """Terraform re-applies the task definition it knows: what was tested is not what gets traffic."""
    stage = Stage()
    when_in(stage, phase, lambda: change(stage, "orders-2", release=OLD))
    error = held(stage)
    assert "green orders-2: it is set to orders:1, this deployment launched orders:2" in error.message
    assert "--accept-live" not in (error.hint or "")
    with pytest.raises(HeldError):
        decide(stage, Control.ACCEPT_LIVE)
    assert "which this deployment did not test" in stage.recorder.text()
    assert stage.latest().hold is not None


def test_green_that_someone_scaled_to_zero_is_rolled_back_because_it_can_serve_nobody() -> None:
    stage = Stage()
    when_in(stage, Phase.BAKE, lambda: stage.compute.set(stage.two, count=0))
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert stage.weights() == {"orders-1": 100}


def test_more_tasks_than_expected_are_no_drift() -> None:
    stage = Stage()

    def scale_out() -> None:
        stage.compute.set(stage.one, count=5)
        stage.compute.set(stage.two, count=7)

    when_in(stage, Phase.BAKE, scale_out)
    assert run(stage).phase is Phase.SUCCEEDED


def test_drift_is_seen_without_calls_beyond_those_for_health() -> None:
    stage = Stage()
    calls: list[str] = []

    def on_call(when: str, name: str) -> None:
        if when == "before" and stage.phase() is Phase.BAKE and name.startswith("compute."):
            calls.append(name)

    stage.on_call = on_call
    run(stage)
    assert set(calls) == {"compute.health"}


@pytest.mark.parametrize("phase", WATCHED)
def test_reassert_sets_blue_back_to_what_a_rollback_counts_on(phase: Phase) -> None:
    stage = Stage()
    other = stage.compute.register({**stage.compute.definitions[OLD], "family": "orders"})["taskDefinitionArn"]
    when_in(stage, phase, lambda: stage.compute.set(stage.one, count=0, release=other))
    held(stage)
    set_to: list[tuple[int, str]] = []

    def look(when: str, name: str) -> None:
        service = stage.compute.services["orders-1"]
        if when == "after" and name == "compute.launch":
            set_to.append((service.desired, service.release.task_definition))

    stage.on_call = look
    assert decide(stage, Control.REASSERT).phase is Phase.SUCCEEDED
    assert set_to == [(2, OLD)]


@pytest.mark.parametrize("edit", [{"count": 1}, {"release": OLD}])
def test_reassert_sets_green_back_and_waits_until_it_is_healthy_before_it_gets_more(edit: dict[str, Any]) -> None:
    stage = Stage()
    when_in(stage, Phase.SHIFT, lambda: change(stage, "orders-2", **edit))
    held(stage)
    if "count" in edit:
        stage.compute.starts_after = 30
    assert decide(stage, Control.REASSERT).phase is Phase.SUCCEEDED
    service = stage.compute.services["orders-2"]
    assert (service.desired, service.release.images) == (2, NEW.images)


def test_accepting_a_smaller_blue_goes_on_and_a_rollback_still_starts_what_it_had() -> None:
    stage = Stage()
    when_in(stage, Phase.BAKE, lambda: stage.compute.set(stage.one, count=1))
    held(stage)
    stage.on_call = die_in(stage, Phase.TEARDOWN)
    with pytest.raises(BaseException, match="detached"):
        decide(stage, Control.ACCEPT_LIVE)
    stage.on_call = lambda when, name: None
    assert rollback(stage.session("rollback"), "orders", Recorder()).phase is Phase.ROLLED_BACK
    assert stage.compute.services["orders-1"].desired == 2


def die_in(stage: Stage, phase: Phase) -> Callable[[str, str], None]:
    def on_call(when: str, name: str) -> None:
        if when == "before" and name == "router.describe" and stage.phase() is phase:
            raise KeyboardInterrupt

    return on_call


def test_accepting_a_smaller_green_is_not_undone_at_the_next_step() -> None:
    stage = Stage()
    when_in(stage, Phase.SHIFT, lambda: stage.compute.set(stage.two, count=1))
    held(stage)
    assert decide(stage, Control.ACCEPT_LIVE).phase is Phase.SUCCEEDED
    assert stage.compute.services["orders-2"].desired == 1


def test_accepting_another_release_in_blue_makes_it_what_a_rollback_returns_to() -> None:
    stage = Stage()
    other = stage.compute.register({**stage.compute.definitions[OLD], "family": "orders"})["taskDefinitionArn"]
    when_in(stage, Phase.BAKE, lambda: stage.compute.set(stage.one, release=other))
    held(stage)
    assert decide(stage, Control.ACCEPT_LIVE).previous.task_definition == other


@pytest.mark.parametrize("edit", [{"count": 0}, {"count": 1}, {"release": OLD}])
def test_no_hold_stops_a_rollback(edit: dict[str, Any]) -> None:
    stage = Stage()
    when_in(stage, Phase.SHIFT, lambda: change(stage, "orders-2" if "release" in edit else "orders-1", **edit))
    held(stage)
    assert rollback(stage.session("rollback"), "orders", Recorder()).phase is Phase.ROLLED_BACK
    assert stage.weights() == {"orders-1": 100}
    assert stage.compute.services["orders-1"].desired == 2


def test_rollback_to_a_blue_that_runs_another_release_is_quick_and_says_so() -> None:
    stage = Stage()
    other = stage.compute.register({**stage.compute.definitions[OLD], "family": "orders"})["taskDefinitionArn"]
    stage.compute.starts_after = 0
    when_in(stage, Phase.BAKE, lambda: stage.compute.set(stage.one, release=other))
    held(stage)
    recorder = Recorder()
    ended = rollback(stage.session("rollback"), "orders", recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert "blue orders-1 is set to orders:2 by someone else, not to orders:1" in recorder.text()
    assert any("aws ecs update-service" in each and "--task-definition orders:1" in each for each in ended.not_reverted)


def test_green_that_follows_blue_gets_no_more_traffic_before_it_is_healthy_at_the_new_size() -> None:
    stage = Stage()
    healthy_at_write: list[int] = []

    def on_call(when: str, name: str) -> None:
        if when == "after" and name == "store.renew" and has_traffic(stage) and not healthy_at_write:
            stage.compute.starts_after = 40
            stage.compute.set(stage.one, count=4)
            healthy_at_write.append(0)
        if when == "after" and name == "router.modify" and all_green(stage):
            service = stage.compute.services["orders-2"]
            healthy_at_write.append(sum(task.target_state() == "healthy" for task in service.tasks))

    stage.on_call = on_call
    assert run(stage).phase is Phase.SUCCEEDED
    assert healthy_at_write == [0, 4]


def all_green(stage: Stage) -> bool:
    route = next(iter(stage.router.routes.values()))
    return weights_of(route.actions[-1]).get(stage.one.target_group_arn) == 0


def test_green_that_grows_slowly_is_not_taken_for_one_that_suffers() -> None:
    stage = Stage(replace(SPEC, health=replace(SPEC.health, settle=2)))

    def grow() -> None:
        stage.compute.starts_after = 60
        stage.compute.set(stage.one, count=4)

    when_in(stage, Phase.SHIFT, grow)
    assert run(stage).phase is Phase.SUCCEEDED
    assert Kind.ROLLBACK not in stage.recorder.kinds()


def test_following_blue_never_scales_green_in() -> None:
    """Green was scaled out by its own policy while blue grew, too."""
    stage = Stage()

    def both() -> None:
        stage.compute.set(stage.two, count=6)
        stage.compute.set(stage.one, count=4)

    when_in(stage, Phase.SHIFT, both)
    assert run(stage).phase is Phase.SUCCEEDED
    assert stage.compute.services["orders-2"].desired == 6
