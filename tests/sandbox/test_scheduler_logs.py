"""The awslogs driver: what a container wrote can be read in CloudWatch Logs, as the product reads it on AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.backends import get_backend

from bluegreen.clock import FakeClock, SystemClock
from bluegreen.sandbox.base import ACCOUNT, TaskView
from bluegreen.sandbox.scheduler.awslogs import AwsLogs
from bluegreen.sandbox.scheduler.definition import LogDestination
from tests.sandbox.scheduler_kit import REGION, Kit, eventually, scheduler_kit

pytestmark = pytest.mark.sandbox

GROUP = "/ecs/orders"


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    with scheduler_kit(tmp_path) as kit:
        yield kit


def logging_to(group: str, **options: str) -> dict[str, Any]:
    named = {f"awslogs-{name.replace('_', '-')}": value for name, value in options.items()}
    fixed = {"awslogs-group": group, "awslogs-region": REGION, "awslogs-stream-prefix": "orders"}
    return {"logDriver": "awslogs", "options": {**fixed, **named}}


def service(kit: Kit, script: str, configuration: dict[str, Any]) -> None:
    container = {"name": "app", "command": ["sh", "-c", script], "logConfiguration": configuration}
    kit.service("orders", kit.define("orders", container), 1)


def backend() -> Any:
    return get_backend("logs")[ACCOUNT][REGION]


def stream(task: TaskView) -> str:
    return f"orders/app/{task.task_id}"


def test_last_words_of_a_container_are_there_once_its_task_shows_as_stopped(kit: Kit) -> None:
    backend().create_log_group(GROUP, {})
    service(kit, "echo starting; echo; printf 'no database here'; exit 7", logging_to(GROUP))
    task = kit.stopped("orders")[0]
    assert kit.shipped(GROUP, stream(task)) == ["starting", "no database here"]
    assert "no database here" in kit.written(task), "the sandbox's own copy stays"


def test_output_of_a_running_container_arrives_by_whole_lines(kit: Kit) -> None:
    backend().create_log_group(GROUP, {})
    service(kit, "echo one; printf tw; sleep 2; echo o; sleep 60", logging_to(GROUP))
    task = kit.running("orders", 1)[0]
    eventually(lambda: kit.shipped(GROUP, stream(task)) == ["one"])
    eventually(lambda: kit.shipped(GROUP, stream(task)) == ["one", "two"])


def test_missing_log_group_stops_the_task_before_it_starts(kit: Kit) -> None:
    service(kit, "sleep 60", logging_to(GROUP))
    task = kit.stopped("orders")[0]
    assert task.stop_code == "TaskFailedToStart"
    assert str(task.stopped_reason).startswith("ResourceInitializationError: failed to validate logger args")
    assert "The specified log group does not exist" in str(task.stopped_reason)
    assert GROUP in str(task.stopped_reason)
    assert task.containers[0].exit_code is None


def test_missing_log_group_is_made_when_the_definition_asks_for_it(kit: Kit) -> None:
    service(kit, "echo up; sleep 60", logging_to(GROUP, create_group="true"))
    task = kit.running("orders", 1)[0]
    eventually(lambda: kit.shipped(GROUP, stream(task)) == ["up"])


def test_container_runs_on_when_its_log_group_is_deleted(kit: Kit) -> None:
    backend().create_log_group(GROUP, {})
    service(kit, "while :; do echo up; sleep 0.2; done", logging_to(GROUP))
    task = kit.running("orders", 1)[0]
    eventually(lambda: kit.shipped(GROUP, stream(task)))
    backend().delete_log_group(GROUP)
    before = len(kit.written(task))
    eventually(lambda: len(kit.written(task)) > before + 200)
    assert kit.running("orders", 1)[0].task_id == task.task_id


def test_burst_is_shipped_with_its_newest_lines_and_says_what_is_left_out(tmp_path: Path) -> None:
    output = tmp_path / "app.log"
    output.write_text("".join(f"line {number}\n" for number in range(100_000)))
    logs = AwsLogs("us-west-1", SystemClock())
    found = logs.open(LogDestination("/burst", create_group=True), "t1", "app", output)
    found.follow(0.0, ended=False)
    kept = [event.message for event in group_of("us-west-1", "/burst").streams[found.name].events]
    assert kept[-1] == "line 99999"
    assert len(kept) <= 500
    with output.open("a") as file:
        file.write("x" * 200_000 + "\nlast\n")
    found.follow(0.1, ended=True)
    kept = [event.message for event in group_of("us-west-1", "/burst").streams[found.name].events]
    assert kept[-1] == "last"
    assert len(kept) <= 500
    assert any("bytes of output were not shipped" in line for line in kept)


def test_streams_of_a_forgotten_task_are_gone(tmp_path: Path) -> None:
    logs = AwsLogs("us-west-2", FakeClock())
    destination = LogDestination("/gone", prefix="orders", create_group=True)
    for container in ("app", "proxy"):
        logs.open(destination, "t1", container, tmp_path / container)
    logs.open(destination, "t2", "app", tmp_path / "app")
    logs.forget("t1")
    assert list(group_of("us-west-2", "/gone").streams) == ["orders/app/t2"]


def group_of(region: str, name: str) -> Any:
    return get_backend("logs")[ACCOUNT][region].groups[name]
