"""What a person reads where something stands in the way: a fact, and a next step that can be taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.drivers.foreground import deploy
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import AccessDeniedError, HeldError
from tests.stage import NEW, PRODUCTION, SPEC, Crash, Stage
from tests.unit.cli_kit import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def in_the_bake(desk: Desk) -> Desk:
    """Unfinished: its driver died while green had all traffic, and its lock has ended."""

    def die(when: str, name: str) -> None:
        if name == "store.load" and desk.stage.phase() is Phase.BAKE:
            raise Crash

    desk.stage.on_call = die
    with pytest.raises(Crash):
        deploy(desk.stage.session(), SPEC, NEW, desk.stage.recorder)
    desk.stage.on_call = lambda when, name: None
    desk.stage.clock.sleep(1000)
    return desk


def test_an_unfinished_deployment_is_rolled_back_to_blue_by_its_slots_name_too(desk: Desk) -> None:
    result = in_the_bake(desk).type("rollback", "orders", "--to", "orders-1", "--wait")
    assert result.exit_code == 0, result.stderr
    assert desk.stage.weights() == {"orders-1": 100}


def test_greens_slot_is_no_place_to_roll_back_to_and_the_way_forward_is_named(desk: Desk) -> None:
    result = in_the_bake(desk).type("rollback", "orders", "--to", "orders-2")
    assert result.exit_code == 6
    assert "goes to blue, which is orders:1 in orders-1; orders-2 is green" in result.stderr
    assert "bluegreen resume orders" in result.stderr
    assert "--task-definition" not in result.stderr
    assert desk.stage.weights() == {"orders-2": 100}


def test_another_release_is_gone_to_in_two_steps(desk: Desk) -> None:
    result = in_the_bake(desk).type("rollback", "orders", "--to", "orders:7")
    assert "bluegreen deploy --task-definition orders:7" in result.stderr


def test_a_slot_is_no_release_to_redeploy(desk: Desk) -> None:
    desk.deploy()
    result = desk.type("rollback", "orders", "--to", "orders-1")
    assert result.exit_code == 6
    assert "orders-1 is a slot, and no release" in result.stderr
    assert "orders:1" in result.stderr


def test_a_rollback_that_is_held_without_any_route_left_says_so() -> None:
    stage = Stage(replace(SPEC, production=(PRODUCTION,)))

    def die(when: str, name: str) -> None:
        if name == "store.load" and stage.phase() is Phase.BAKE:
            raise Crash

    stage.on_call = die
    with pytest.raises(Crash):
        deploy(stage.session(), stage.spec, NEW, stage.recorder)
    del stage.router.routes[next(iter(stage.router.routes))]

    def refuse(when: str, name: str) -> None:
        if (when, name) == ("before", "compute.scale"):
            raise AccessDeniedError("not allowed: ecs:UpdateService")

    stage.on_call = refuse
    stage.clock.sleep(1000)
    with pytest.raises(HeldError) as held:
        rollback(stage.session("rollback"), "orders", stage.recorder)
    assert "The rollback is not done: no production route sends traffic to green: prod:443 does not exist" in str(
        held.value
    )


def test_a_hold_that_aws_brought_about_names_the_log(desk: Desk) -> None:
    def refuse(when: str, name: str) -> None:
        if (when, name) == ("before", "router.modify") and desk.stage.phase() is Phase.SHIFT:
            raise AccessDeniedError(
                "not allowed: elasticloadbalancing:ModifyListener", operation="ModifyListener", code="AccessDenied"
            )

    desk.stage.on_call = refuse
    result = desk.deploy()
    assert result.exit_code == 4
    log = Path(result.stderr.rpartition("\nlog:")[2].strip())
    assert "ModifyListener" in log.read_text()


def test_a_hold_of_a_persons_own_names_no_log(desk: Desk) -> None:
    asked: list[str] = []

    def pause(when: str, name: str) -> None:
        if not asked and desk.stage.phase() is Phase.SHIFT:
            asked.append(name)
            desk.type("pause", "orders")

    desk.stage.on_call = pause
    result = desk.deploy()
    assert result.exit_code == 4
    assert "\nlog:" not in result.stderr


def test_a_release_from_a_task_definition_file_is_named_like_any_other(desk: Desk) -> None:
    file = desk.folder / "taskdef.json"
    containers = [{"name": "app", "image": "registry.example/orders:3"}]
    file.write_text(json.dumps({"family": "orders", "containerDefinitions": containers}))
    result = desk.deploy("--task-definition", str(file))
    assert result.exit_code == 0
    assert result.stderr.count("release orders:2 (orders:3)") == 1
