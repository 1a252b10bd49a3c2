"""Container definitions, the order of containers, their health: pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bluegreen.sandbox.base import ContainerView, TaskView
from bluegreen.sandbox.scheduler.definition import (
    Condition,
    ContainerSpec,
    Dependency,
    HealthCheck,
    pull_error,
    read_containers,
    substitute,
)
from bluegreen.sandbox.scheduler.metadata import answer
from bluegreen.sandbox.scheduler.order import (
    Health,
    State,
    Status,
    after_check,
    dead_end,
    failed_essential,
    startable,
    stoppable,
    task_health,
)
from bluegreen.sandbox.scheduler.output import prefix, tail

CHECK = HealthCheck(("true",), interval=1, timeout=1, retries=2, start_period=5)
RUNNING = State(Status.RUNNING, started=0.0)


def pair(condition: Condition, **more: Any) -> tuple[ContainerSpec, ContainerSpec]:
    return (
        ContainerSpec("app", "i", depends_on=(Dependency("dep", condition),)),
        ContainerSpec("dep", "i", essential=False, **more),
    )


def read(**fields: Any) -> ContainerSpec:
    return read_containers([{"name": "app", "image": "i", **fields}])[0]


def test_a_definition_with_only_an_image_has_ecs_defaults() -> None:
    assert read() == ContainerSpec("app", "i")
    assert (read().essential, read().stop_timeout, read().command) == (True, 30, ())


def test_strings_of_cloudformation_read_as_numbers_and_flags() -> None:
    spec = read(essential="false", stopTimeout="5", portMappings=[{"containerPort": "8080"}])
    assert (spec.essential, spec.stop_timeout, spec.ports) == (False, 5, (8080,))


def test_a_stop_timeout_of_zero_is_not_the_default() -> None:
    assert read(stopTimeout=0).stop_timeout == 0


def test_entry_point_and_command_are_one_argument_list() -> None:
    assert read(entryPoint=["sh", "-c"], command=["x y"], workingDirectory="/tmp").command == ("sh", "-c", "x y")
    assert read(workingDirectory="/tmp").folder == Path("/tmp")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["CMD", "curl", "-f"], ("curl", "-f")),
        (["CMD-SHELL", "a || exit 1"], ("/bin/sh", "-c", "a || exit 1")),
    ],
)
def test_health_check_commands_run_with_and_without_a_shell(words: list[str], expected: tuple[str, ...]) -> None:
    check = read(healthCheck={"command": words, "interval": 7}).health_check
    assert check == HealthCheck(expected, interval=7, timeout=5, retries=3, start_period=0)


def test_a_health_check_of_none_is_none() -> None:
    assert read(healthCheck={"command": ["NONE"]}).health_check is None


def test_a_dependency_on_nobody_is_refused_with_both_names() -> None:
    with pytest.raises(ValueError, match="container app depends on ghost"):
        read(dependsOn=[{"containerName": "ghost", "condition": "START"}])


def test_overrides_win_over_the_definition_and_keep_the_rest() -> None:
    environment = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    definition = {"name": "app", "command": ["a"], "environment": environment}
    override = {"name": "app", "command": ["b"], "environment": [{"name": "B", "value": "3"}]}
    spec = read_containers([definition], {"containerOverrides": [override]})[0]
    assert (spec.command, dict(spec.environment)) == (("b",), {"A": "1", "B": "3"})


def test_only_the_two_placeholders_are_replaced() -> None:
    words = ["${BIND_ADDRESS}:${PORT}", "${HOME}", "$PORT"]
    assert substitute(words, {"BIND_ADDRESS": "127.1.2.3", "PORT": "80"}) == ["127.1.2.3:80", "${HOME}", "$PORT"]
    assert substitute(["${PORT}"], {"BIND_ADDRESS": "127.1.2.3"}) == ["${PORT}"]


@pytest.mark.parametrize("image", ["repo:nonexistent", "host:5000/a/b:nonexistent", "host/does-not-exist:1"])
def test_images_that_cannot_be_pulled(image: str) -> None:
    assert (pull_error(image) or "").startswith("CannotPullContainerError: ")


@pytest.mark.parametrize("image", ["", "repo", "repo:1", "host:5000/nonexistent", "nonexistent"])
def test_images_that_can_be_pulled(image: str) -> None:
    assert pull_error(image) is None


@pytest.mark.parametrize(
    ("condition", "state", "starts"),
    [
        (Condition.START, State(), False),
        (Condition.START, RUNNING, True),
        (Condition.COMPLETE, RUNNING, False),
        (Condition.COMPLETE, State(Status.STOPPED, exit_code=1, started=0), True),
        (Condition.SUCCESS, State(Status.STOPPED, exit_code=1, started=0), False),
        (Condition.SUCCESS, State(Status.STOPPED, exit_code=0, started=0), True),
        (Condition.HEALTHY, RUNNING, False),
        (Condition.HEALTHY, State(Status.RUNNING, Health.HEALTHY, started=0), True),
    ],
)
def test_a_container_starts_when_its_condition_is_met(condition: Condition, state: State, starts: bool) -> None:
    names = startable(pair(condition), {"app": State(), "dep": state})
    assert ("app" in names) is starts


def test_a_dependency_that_died_without_meeting_its_condition_is_a_dead_end() -> None:
    states = {"app": State(), "dep": State(Status.STOPPED, exit_code=9, started=0)}
    assert "exited with code 9 and never reached HEALTHY" in (dead_end(pair(Condition.HEALTHY), states, 1) or "")
    assert dead_end(pair(Condition.COMPLETE), states, 1) is None


def test_the_start_timeout_is_the_dependencys_own() -> None:
    specs = pair(Condition.COMPLETE, start_timeout=10)
    states = {"app": State(), "dep": RUNNING}
    assert dead_end(specs, states, 9.9) is None
    assert "within its startTimeout of 10 s" in (dead_end(specs, states, 10) or "")


def test_a_container_stops_only_after_those_that_need_it() -> None:
    specs = pair(Condition.START)
    assert stoppable(specs, {"app": RUNNING, "dep": RUNNING}) == ["app"]
    assert stoppable(specs, {"app": State(Status.STOPPED), "dep": RUNNING}) == ["dep"]


def test_only_an_essential_container_fails_the_task() -> None:
    specs = pair(Condition.START)
    stopped = State(Status.STOPPED, exit_code=0)
    assert failed_essential(specs, {"app": RUNNING, "dep": stopped}) is None
    assert failed_essential(specs, {"app": stopped, "dep": RUNNING}) == "app"


def test_failures_count_only_after_the_start_period_or_once_healthy() -> None:
    early = after_check(CHECK, RUNNING, passed=False, now=4.9)
    assert early == RUNNING
    once = after_check(CHECK, RUNNING, passed=False, now=5)
    assert (once.health, once.failed_checks) == (Health.UNKNOWN, 1)
    assert after_check(CHECK, once, passed=False, now=6).health is Health.UNHEALTHY
    healthy = after_check(CHECK, RUNNING, passed=True, now=1)
    assert after_check(CHECK, healthy, passed=False, now=2).failed_checks == 1


def test_a_success_wipes_the_failures() -> None:
    sick = State(Status.RUNNING, Health.UNHEALTHY, started=0, failed_checks=5)
    assert after_check(CHECK, sick, passed=True, now=9) == State(Status.RUNNING, Health.HEALTHY, started=0)


def test_a_tasks_health_is_that_of_its_essential_checks() -> None:
    specs = (
        ContainerSpec("app", "i", health_check=CHECK),
        ContainerSpec("side", "i", essential=False, health_check=CHECK),
        ContainerSpec("plain", "i"),
    )
    sick, well = State(Status.RUNNING, Health.UNHEALTHY), State(Status.RUNNING, Health.HEALTHY)
    assert task_health(specs, {"app": well, "side": sick, "plain": RUNNING}) is Health.HEALTHY
    assert task_health(specs, {"app": sick, "side": well, "plain": RUNNING}) is Health.UNHEALTHY
    assert task_health(specs[2:], {"plain": RUNNING}) is Health.UNKNOWN


def test_a_log_line_names_service_task_and_container(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"one\ntwo\nthr\xffee\n")
    assert tail(log, 2) == ["two", "thr\ufffdee"]
    assert tail(tmp_path / "none", 2) == []
    assert prefix("orders", "0123456789ab", "app") == "orders/01234567/app | "


def test_the_metadata_endpoint_answers_for_known_containers_only() -> None:
    container = ContainerView("app", "i:1", "RUNNING", "UNKNOWN", None, None, 1)
    definition = "arn:aws:ecs:eu-west-1:1:task-definition/orders:3"
    task = TaskView("t1", "arn:t1", "main", "orders", None, definition, "127.1.16.1", "RUNNING", None, (container,))
    found = answer("/v4/t1/app/task", [task])
    assert found is not None
    assert (found["Family"], found["Revision"]) == ("orders", "3")
    assert (answer("/v4/t1/app", [task]) or {})["Image"] == "i:1"
    assert [answer(path, [task]) for path in ("/", "/v4/t2/app", "/v4/t1/other", "/v4/t1/app/stats")] == [None] * 4
