"""Rollback from another process, and a driver that vanishes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.team import BLUE, CLOCK, GREEN, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("elsewhere")]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    team = Team(tmp_path)
    yield team
    team.close()


def test_rollback_in_another_process_ends_the_deploy_with_5_and_says_who_took_over(team: Team) -> None:
    team.configure(bake={"time": "60s"})
    driver = team.start("deploy", "--image", GREEN)
    team.wait_for_phase("bake")
    back = team.run("rollback", "--reason", "pager")
    assert back.returncode == 0, back.stderr
    assert "SAFE" in back.stdout + back.stderr
    assert team.weights() == {"orders-1": 100}
    _, err = driver.communicate(timeout=30)
    assert driver.returncode == 5
    assert "rollback" in err
    team.wait_for_phase("rolled_back", 60)
    assert team.running("orders-2") == 0


def test_killed_driver_is_taken_up_by_resume_and_no_request_is_lost(team: Team) -> None:
    with team.users(4) as seen:
        driver = team.start("deploy", "--image", GREEN)
        # Its first write is confirmed: who follows a driver that died in the middle of one waits for ten minutes.
        team.wait_until(lambda d: d.step_until is not None, "confirmed step")
        driver.send_signal(signal.SIGKILL)
        driver.communicate(timeout=10)
        refused = team.run("deploy", "--image", GREEN)
        resumed = team.run("resume", seconds=120)
        CLOCK.sleep(0.5)
    assert refused.returncode in (5, 6)
    assert resumed.returncode == 0, resumed.stderr
    assert team.weights() == {"orders-2": 100}
    assert seen.failures == 0, seen.failed[:5]
    assert set(seen.answered) == {BLUE, GREEN}


def test_ctrl_c_detaches_and_says_how_to_go_on_and_how_to_go_back(team: Team) -> None:
    team.configure(bake={"time": "60s"})
    driver = team.start("deploy", "--image", GREEN)
    team.wait_for_phase("bake")
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=15)
    assert driver.returncode == 130
    assert "bluegreen resume orders" in err
    assert "bluegreen rollback orders" in err
    assert team.run("rollback", "--wait").returncode == 0
    assert team.weights() == {"orders-1": 100}


def test_rollback_works_when_the_store_cannot_be_read(team: Team) -> None:
    team.configure(bake={"time": "60s"})
    driver = team.start("deploy", "--image", GREEN)
    team.wait_for_phase("bake")
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=10)
    back = team.run("rollback", "--store", "dynamodb://no-such-table")
    assert back.returncode == 0, back.stdout + back.stderr
    assert team.weights() == {"orders-1": 100}
    assert "without the record" in back.stdout + back.stderr


def test_rollback_without_the_store_of_a_deploy_that_goes_back_to_an_old_revision_keeps_to_what_was_live(
    team: Team,
) -> None:
    """The idle service has that revision already: told by its count alone, ECS would not say that it was set up."""
    team.deploy()
    team.configure(shift={"canary": {"percent": 5, "wait": "60s"}})
    driver = team.start("deploy", "--task-definition", "orders:1")
    team.wait_until(lambda d: d.step_until is not None and not d.ended, "confirmed step")
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=10)
    assert team.weights() == {"orders-2": 95, "orders-1": 5}
    back = team.run("rollback", "--store", "dynamodb://no-such-table")
    assert back.returncode == 0, back.stdout + back.stderr
    assert team.weights() == {"orders-2": 100}


def test_rollback_goes_back_to_a_release_whose_task_definition_was_deregistered(team: Team) -> None:
    team.deploy()
    team.deploy("registry.example/orders:3.0.0")
    ecs = team.sandbox.client("ecs")
    ecs.deregister_task_definition(taskDefinition="orders:2")
    back = team.run("rollback", seconds=120)
    assert back.returncode == 0, back.stdout + back.stderr
    assert "redeployment of orders:2" in back.stderr.splitlines()[0]
    assert "it was deregistered" in back.stderr
    live = ecs.describe_services(cluster="production", services=["orders-2"])["services"][0]["taskDefinition"]
    definition = ecs.describe_task_definition(taskDefinition=live)["taskDefinition"]
    assert definition["revision"] == 4
    assert definition["containerDefinitions"][0]["image"] == GREEN
    assert team.weights() == {"orders-2": 100}
    again = team.run("rollback", "--dry-run")
    assert "redeployment of orders:2" not in again.stdout, "that is what is live, as orders:4"
