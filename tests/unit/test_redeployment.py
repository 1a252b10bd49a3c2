"""A rollback after the end of a deployment: what it says first, what it goes to, and what if that is gone or fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.health import Failure
from bluegreen.domain.release import ReleaseRequest
from bluegreen.drivers.foreground import deploy
from bluegreen.drivers.rollback import plan, rollback
from bluegreen.errors import ThrottledError
from tests.stage import Recorder, Stage
from tests.unit.cli_kit import Desk


def release(stage: Stage, number: int) -> Deployment:
    stage.clock.sleep(1000)
    images = {"app": f"registry.example/orders:{number}"}
    d = deploy(stage.session(), stage.spec, ReleaseRequest(images=images), Recorder())
    assert d.phase is Phase.SUCCEEDED
    return d


@pytest.fixture
def stage() -> Stage:
    """Three releases were good: orders:2, orders:3 and orders:4, which is live on orders-2."""
    stage = Stage()
    for number in (2, 3, 4):
        release(stage, number)
    assert stage.weights() == {"orders-2": 100}
    return stage


@pytest.fixture
def desk(stage: Stage, tmp_path: Path) -> Desk:
    return Desk(tmp_path, stage)


def arn(number: int) -> str:
    return f"arn:aws:ecs:fake:task-definition/orders:{number}"


def image_of(stage: Stage, slot: str) -> str:
    return stage.compute.services[slot].release.images["app"]


def test_it_says_what_it_redeploys_and_how_long_that_takes_before_it_does_anything(desk: Desk) -> None:
    result = desk.type("rollback", "orders")
    assert result.exit_code == 0
    first, *_ = result.stderr.splitlines()
    assert "redeployment of orders:3 (orders:3): the deployment has ended" in first
    assert "it gets all traffic in about 10 s, if it starts like the last one" in first


def test_a_known_good_release_that_was_deregistered_is_registered_again(stage: Stage) -> None:
    stage.compute.deregister(arn(3))
    planned = plan(stage.session("rollback"), "orders")
    assert planned.writes[0] == "orders:3 was deregistered: its content is registered again as a new revision"
    told = Recorder()
    d = rollback(stage.session("rollback"), "orders", told)
    assert (d.phase, d.release and d.release.id) == (Phase.SUCCEEDED, "orders:5")
    assert image_of(stage, "orders-1") == "registry.example/orders:3"
    assert stage.weights() == {"orders-1": 100}
    assert "task definition orders:3: it was deregistered" in told.text()
    further = plan(stage.session("rollback"), "orders").target
    assert further is not None
    assert further.id == "orders:2", "orders:3 is what is live, under a new name"


def test_a_deploy_of_a_deregistered_task_definition_says_so_and_registers_it_again(desk: Desk) -> None:
    desk.stage.compute.deregister(arn(2))
    desk.stage.clock.sleep(1000)
    result = desk.deploy("--task-definition", "orders:2")
    assert result.exit_code == 0
    assert "warning: task definition orders:2: it was deregistered" in result.stderr
    assert image_of(desk.stage, "orders-1") == "registry.example/orders:2"


def test_a_known_good_release_that_does_not_exist_any_more_is_left_out_by_name(stage: Stage) -> None:
    del stage.compute.definitions[arn(3)]
    planned = plan(stage.session("rollback"), "orders")
    assert planned.target is not None
    assert planned.target.id == "orders:2"
    assert "orders:3 is left out: ECS has no such task definition any more" in planned.summary


def test_where_no_good_release_exists_any_more_nothing_is_done_and_each_is_named(desk: Desk) -> None:
    for number in (1, 2, 3):
        del desk.stage.compute.definitions[arn(number)]
    result = desk.type("rollback", "orders")
    assert result.exit_code == 6
    assert "orders:3, orders:2" in result.stderr
    assert desk.stage.weights() == {"orders-2": 100}


def test_a_question_that_ecs_does_not_answer_leaves_no_release_out(stage: Stage) -> None:
    def busy(when: str, name: str) -> None:
        if name == "compute.is_registered":
            raise ThrottledError("ECS is busy")

    stage.on_call = busy
    planned = plan(stage.session("rollback"), "orders")
    assert planned.target is not None
    assert planned.target.id == "orders:3"


def broken(desk: Desk) -> None:
    """Tasks of orders:3 do not start any more: its image is gone."""
    desk.stage.compute.bad_images["registry.example/orders:3"] = Failure("CannotPullContainerError", fatal=True)


def test_a_redeployment_that_fails_says_so_and_never_calls_users_safe_on_what_was_to_be_replaced(desk: Desk) -> None:
    broken(desk)
    result = desk.type("rollback", "orders")
    assert result.exit_code == 3
    said = " ".join(result.stdout.split())
    assert "NOT ROLLED BACK: all traffic is still on orders-2 (orders:4 (orders:4))" in said
    assert "CannotPullContainerError" in said
    assert "SAFE" not in result.stdout + result.stderr
    assert "the redeployment failed" in result.stderr
    assert "bluegreen rollback orders tries the next known-good release" in result.stderr


def test_after_a_redeployment_that_failed_the_next_rollback_goes_further_back(desk: Desk) -> None:
    broken(desk)
    desk.type("rollback", "orders")
    shown = json.loads(desk.type("rollback", "orders", "--dry-run", "-o", "json").stdout)
    assert shown["class"] == "redeployment"
    assert "orders:2" in shown["summary"]
    assert desk.type("rollback", "orders").exit_code == 0
    assert image_of(desk.stage, "orders-1") == "registry.example/orders:2"


def test_where_there_is_no_other_the_release_that_failed_is_tried_again(desk: Desk) -> None:
    broken(desk)
    for number in (1, 2):
        del desk.stage.compute.definitions[arn(number)]
    assert desk.type("rollback", "orders").exit_code == 3
    desk.stage.compute.bad_images.clear()
    assert desk.type("rollback", "orders").exit_code == 0
    assert image_of(desk.stage, "orders-1") == "registry.example/orders:3"


def test_after_a_redeployment_that_succeeded_what_it_replaced_is_not_gone_back_to(stage: Stage) -> None:
    rollback(stage.session("rollback"), "orders", Recorder())
    planned = plan(stage.session("rollback"), "orders")
    assert planned.target is not None
    assert planned.target.id == "orders:2"


def test_a_missing_task_definition_that_is_named_is_refused_before_anything_changes(desk: Desk) -> None:
    result = desk.type("rollback", "orders", "--to", "orders:99")
    assert result.exit_code == 6
    assert "task definition orders:99 does not exist" in result.stderr
    assert desk.stage.phase() is Phase.SUCCEEDED
