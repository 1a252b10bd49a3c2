"""Which stopped tasks end a launch early, and which only need patience."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from bluegreen.compute.failures import causes, check_failures, service_failures, target_failures, task_failures
from bluegreen.domain.health import Failure

ESSENTIAL = frozenset({"app"})
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def stopped(reason: str, *, code: str = "TaskFailedToStart", container: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "taskArn": "arn:aws:ecs:eu-central-1:1:task/production/t1",
        "stoppedAt": NOW,
        "stopCode": code,
        "stoppedReason": reason,
        "containers": [container or {"name": "app"}],
    }


def failures(*tasks: dict[str, Any]) -> list[Failure]:
    return task_failures("orders-2", causes(tasks, ESSENTIAL, since=0.0))


@pytest.mark.parametrize(
    "reason",
    [
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): registry/orders:2: not found",
        "ResourceInitializationError: unable to pull secrets or registry auth: AccessDeniedException",
        "CannotStartContainerError: exec: no such file or directory",
    ],
)
def test_task_that_can_never_start_is_fatal_the_first_time(reason: str) -> None:
    assert failures(stopped(reason)) == [Failure(f"orders-2: {reason} (1 task)", fatal=True)]


def test_pull_that_timed_out_is_fatal_only_after_three_tasks() -> None:
    reason = "CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout"
    assert [item.fatal for item in failures(*[stopped(reason)] * 2)] == [False]
    assert [item.fatal for item in failures(*[stopped(reason)] * 3)] == [True]


def test_reason_of_the_container_is_told_with_its_name() -> None:
    container = {"name": "proxy", "reason": "CannotPullContainerError: access denied"}
    told = failures(stopped("Task failed to start", container=container))
    assert told == [Failure("orders-2: container proxy: CannotPullContainerError: access denied (1 task)", fatal=True)]


def test_missing_capacity_is_never_fatal() -> None:
    reason = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
    assert [item.fatal for item in failures(*[stopped(reason)] * 9)] == [False]


@pytest.mark.parametrize("kind", ["ELB", "container"])
def test_second_task_replaced_for_its_health_checks_is_fatal(kind: str) -> None:
    task = stopped(f"Task failed {kind} health checks in (target-group x)", code="ServiceSchedulerInitiated")
    assert [item.fatal for item in failures(task)] == [False]
    told = failures(task, task)
    assert [item.fatal for item in told] == [True]
    assert f"failed {kind} health checks" in told[0].reason
    assert "(2 tasks)" in told[0].reason


def test_task_stopped_on_purpose_is_no_failure() -> None:
    scaled = stopped("Scaling activity initiated by (deployment ecs-svc/1)", code="ServiceSchedulerInitiated")
    assert failures(scaled, stopped("bored", code="UserInitiated")) == []


def test_exit_of_a_sidecar_is_not_blamed_and_out_of_memory_is_told() -> None:
    task = stopped("Essential container in task exited", code="EssentialContainerExited")
    task["containers"] = [
        {"name": "init", "exitCode": 3},
        {"name": "app", "exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"},
    ]
    assert failures(task)[0].reason == (
        "orders-2: container app exited with code 137 (1 task; OutOfMemoryError: Container killed due to memory usage)"
    )


@pytest.mark.parametrize(("code", "said"), [(1, "(1 task)"), (137, "SIGKILL"), (139, "SIGSEGV"), (143, "SIGTERM")])
def test_exit_code_of_a_signal_says_which(code: int, said: str) -> None:
    task = stopped("Essential container in task exited", code="EssentialContainerExited")
    task["containers"] = [{"name": "app", "exitCode": code}]
    assert said in failures(task)[0].reason


def test_failed_health_checks_name_the_target_group_and_not_its_arn() -> None:
    arn = "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/orders-2/73e2d6bc24d8a067"
    reason = f"Task failed ELB health checks in (target-group {arn})"
    told = failures(stopped(reason, code="ServiceSchedulerInitiated"))
    assert told == [Failure("orders-2: Task failed ELB health checks in target group orders-2 (1 task)")]


def test_what_the_checks_met_is_told_after_the_targets_are_gone() -> None:
    """Wording of the event: ECS guide, "Service event messages"."""
    said = "Health checks failed with these codes: [503]"
    event = f"(service orders-2) (task t{{}}) (port 8080) is unhealthy in (target-group arn:x) due to (reason {said})."
    live = {"events": [{"createdAt": NOW, "message": event.format(number)} for number in range(2)]}
    leaving = [{"TargetHealth": {"State": "draining"}}]
    told = [Failure(f"orders-2: the targets that were replaced: {said}")]
    assert check_failures("orders-2", live, leaving, 0.0) == told
    assert check_failures("orders-2", live, leaving, NOW.timestamp() + 1) == []
    there = [{"TargetHealth": {"State": "unhealthy", "Reason": "Target.ResponseCodeMismatch", "Description": said}}]
    assert check_failures("orders-2", live, there + leaving, 0.0) == [], "the target itself says it"
    assert target_failures("orders-2", there + leaving) == [
        Failure(f"orders-2: 1 of 1 targets unhealthy: {said} (Target.ResponseCodeMismatch)")
    ]


def test_interrupted_capacity_is_told_but_not_fatal() -> None:
    task = stopped("Your Spot Task was interrupted.", code="SpotInterruption")
    assert failures(*[task] * 5) == [Failure("orders-2: Your Spot Task was interrupted. (5 tasks)")]


def test_failed_rollout_of_the_circuit_breaker_is_fatal() -> None:
    live = {
        "deployments": [{"status": "PRIMARY", "rolloutState": "FAILED", "rolloutStateReason": "circuit breaker"}],
        "events": [],
    }
    assert service_failures("orders-2", live, 0.0) == [Failure("orders-2: circuit breaker", fatal=True)]


def test_event_that_ecs_cannot_start_tasks_consistently_is_fatal() -> None:
    said = "(service orders-2) is unable to consistently start tasks successfully."
    quiet = "(service orders-2) has reached a steady state."
    live = {"events": [{"createdAt": NOW, "message": said}, {"createdAt": NOW, "message": quiet}]}
    told = [Failure("orders-2: is unable to consistently start tasks successfully.", fatal=True)]
    assert service_failures("orders-2", live, 0.0) == told
    assert service_failures("orders-2", live, NOW.timestamp() + 1) == []


def test_unused_targets_say_that_no_route_holds_the_target_group() -> None:
    health = {"State": "unused", "Reason": "Target.NotInUse", "Description": "Target group is not configured"}
    told = target_failures("orders-2", [{"TargetHealth": health}] * 2)
    assert told == [Failure("orders-2: 2 of 2 targets unused: Target group is not configured (Target.NotInUse)")]
    assert target_failures("orders-2", [{"TargetHealth": {"State": "draining"}}]) == []
