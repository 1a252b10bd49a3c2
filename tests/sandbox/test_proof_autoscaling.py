"""Autoscaling and drift in a sandbox: the API that a team's own tools use, real drivers, real deaths of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.team import GREEN, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("autoscaling")]

SCALED = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    team = Team(tmp_path, DeregistrationDelay="1")
    yield team
    team.close()


def register(team: Team, service: str, least: int, most: int) -> None:
    client = team.sandbox.client("application-autoscaling")
    where = {**SCALED, "ResourceId": f"service/production/{service}"}
    client.register_scalable_target(**where, MinCapacity=least, MaxCapacity=most)


def targets(team: Team) -> dict[str, tuple[int, int, bool]]:
    """Service → least, most, whether scale-in is suspended."""
    answer = team.sandbox.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    found: list[dict[str, Any]] = answer["ScalableTargets"]
    return {
        each["ResourceId"].rsplit("/", 1)[-1]: (
            each["MinCapacity"],
            each["MaxCapacity"],
            bool((each.get("SuspendedState") or {}).get("DynamicScalingInSuspended")),
        )
        for each in found
    }


def test_scaling_is_suspended_while_it_deploys_and_moves_with_the_live_slot_although_the_driver_was_killed(
    team: Team,
) -> None:
    register(team, "orders-1", 2, 8)
    register(team, "orders-2", 0, 4)
    driver = team.start("deploy", "--image", GREEN)
    # Its first write is confirmed: who follows a driver that died in the middle of one waits for ten minutes.
    team.wait_until(lambda d: d.step_until is not None, "confirmed step")
    assert [suspended for _, _, suspended in targets(team).values()] == [True, True]
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=10)
    resumed = team.run("resume")
    assert resumed.returncode == 0, resumed.stderr
    assert targets(team) == {"orders-1": (0, 8, False), "orders-2": (2, 8, False)}


def test_rollback_puts_the_targets_back(team: Team) -> None:
    register(team, "orders-1", 2, 8)
    register(team, "orders-2", 0, 4)
    team.configure(bake={"time": "60s"})
    driver = team.start("deploy", "--image", GREEN)
    team.wait_for_phase("bake")
    back = team.run("rollback", "--wait")
    assert back.returncode == 0, back.stderr
    driver.communicate(timeout=30)
    assert targets(team) == {"orders-1": (2, 8, False), "orders-2": (0, 4, False)}


def test_someone_who_scales_blue_in_holds_the_deployment_and_reassert_sets_it_back(team: Team) -> None:
    team.configure(bake={"time": "10s"})
    driver = team.start("deploy", "--image", GREEN)
    team.wait_for_phase("bake")
    ecs = team.sandbox.client("ecs")
    ecs.update_service(cluster="production", service="orders-1", desiredCount=0)
    _, err = driver.communicate(timeout=30)
    assert driver.returncode == 4, err
    assert "someone else changed blue orders-1: it is set to 0 tasks, a rollback counts on 2" in " ".join(err.split())
    assert "--reassert" in err
    assert team.weights() == {"orders-2": 100}
    resumed = team.run("resume", "--reassert")
    assert resumed.returncode == 0, resumed.stderr
    assert team.weights() == {"orders-2": 100}
