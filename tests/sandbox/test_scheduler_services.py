"""Services as real processes: size, replacement, registration, draining, updates."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.clock import SystemClock
from bluegreen.errors import NotFoundError
from tests.sandbox.scheduler_kit import Kit, eventually, scheduler_kit

pytestmark = pytest.mark.sandbox

APP = {"name": "app", "image": "registry:5000/orders:v1", "portMappings": [{"containerPort": 8000}]}


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    with scheduler_kit(tmp_path) as kit:
        yield kit


def ask(address: str, path: str = "/") -> dict[str, Any]:
    def look() -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://{address}:8000{path}", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:
            return {}

    return eventually(look)


def connection_header(address: str) -> str | None:
    """``keep-alive`` while the stand-in serves, ``close`` once it has got SIGTERM."""
    connection = http.client.HTTPConnection(address, 8000, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().getheader("connection")
    finally:
        connection.close()


def test_a_service_runs_its_stand_in_tasks_registered_in_its_target_group(kit: Kit) -> None:
    group = kit.target_group("orders-1")
    service = kit.service("orders", kit.define("orders", APP), 2, group)
    tasks = kit.running("orders", 2)
    assert kit.registered(group) == {(task.address, 8000) for task in tasks}
    answer = ask(tasks[0].address, "/any/path")
    assert answer["image"] == "registry:5000/orders:v1"
    assert (answer["tag"], answer["slot"], answer["container"]) == ("v1", "orders-1", "app")
    assert (answer["task"], answer["service"]) == (tasks[0].task_id, "orders")
    eventually(lambda: any("has reached a steady state." in event["message"] for event in service.events))
    messages = [event["message"] for event in service.events]
    assert messages[0] == "(service orders) has reached a steady state."
    assert f"(service orders) registered 2 targets in (target-group {group})" in messages
    assert messages[-1].startswith("(service orders) has started 2 tasks: (task ")
    assert ask(tasks[1].address)["task"] == tasks[1].task_id


def test_the_desired_count_is_followed_up_and_down(kit: Kit) -> None:
    group = kit.target_group("orders-1")
    kit.service("orders", kit.define("orders", APP), 1, group)
    first = kit.running("orders", 1)[0]
    kit.update("orders", desired_count=4)
    assert len({ask(task.address)["task"] for task in kit.running("orders", 4)}) == 4
    kit.update("orders", desired_count=1)
    assert [task.task_id for task in kit.running("orders", 1)] == [first.task_id], "the youngest go first"
    assert kit.registered(group) == {(first.address, 8000)}
    gone = kit.stopped("orders", 3)
    assert {(task.stop_code, task.containers[0].exit_code) for task in gone} == {("ServiceSchedulerInitiated", 0)}
    assert all((task.stopped_reason or "").startswith("Scaling activity initiated by (deployment ") for task in gone)


def test_a_killed_task_leaves_the_target_group_and_is_replaced(kit: Kit) -> None:
    group = kit.target_group("orders-1")
    kit.service("orders", kit.define("orders", APP), 1, group)
    first = kit.running("orders", 1)[0]
    kit.scheduler.kill(first.task_id)
    dead = kit.stopped("orders")[0]
    assert (dead.stopped_reason, dead.stop_code) == ("Essential container in task exited", "EssentialContainerExited")
    assert dead.containers[0].exit_code == 137
    second = kit.running("orders", 1)[0]
    assert second.task_id != first.task_id
    assert kit.registered(group) == {(second.address, 8000)}


def test_a_target_registered_by_hand_is_not_touched(kit: Kit) -> None:
    group = kit.target_group("orders-1")
    kit.elb.register_targets(group, [{"Id": "127.9.9.9", "Port": 9000}])
    kit.service("orders", kit.define("orders", APP), 2, group)
    kit.running("orders", 2)
    kit.update("orders", desired_count=0)
    kit.stopped("orders", 2)
    assert kit.registered(group) == {("127.9.9.9", 9000)}


def test_a_task_gets_no_sigterm_before_its_target_has_drained(kit: Kit) -> None:
    group = kit.target_group("orders-1")
    kit.service("orders", kit.define("orders", APP), 1, group)
    task = kit.running("orders", 1)[0]
    kit.balancer.slow_to_drain.add(task.address)
    kit.update("orders", desired_count=0)
    eventually(lambda: kit.tasks("orders", "DEACTIVATING"))
    assert kit.registered(group) == set()
    assert ask(task.address)["status"] == 200
    assert connection_header(task.address) == "keep-alive", "no SIGTERM yet"
    assert kit.tasks("orders", "DEACTIVATING")
    kit.balancer.slow_to_drain.clear()
    assert kit.stopped("orders")[0].containers[0].exit_code == 0


def test_an_unhealthy_target_is_replaced_once_the_grace_period_is_over(kit: Kit) -> None:
    group = kit.target_group("orders-1")
    service = kit.service("orders", kit.define("orders", APP), 1, group)
    service.health_check_grace_period_seconds = 1
    task = kit.running("orders", 1)[0]
    kit.balancer.states[task.address] = "unhealthy"
    gone = kit.stopped("orders")[0]
    assert gone.stopped_reason == f"Task failed ELB health checks in (target-group {group})"
    assert gone.stopping_at is not None
    assert gone.started_at is not None
    assert gone.stopping_at - gone.started_at >= 1
    assert kit.running("orders", 1)[0].task_id != task.task_id


def test_an_update_starts_the_new_before_it_stops_the_old(kit: Kit) -> None:
    group = kit.target_group("orders-1")
    service = kit.service("orders", kit.define("orders", APP), 2, group)
    old = {task.task_id for task in kit.running("orders", 2)}
    new = kit.define("orders", {**APP, "image": "registry:5000/orders:v2"})
    fresh = f"127.{kit.settings.subnet}.16.3", f"127.{kit.settings.subnet}.16.4"
    kit.balancer.states.update(dict.fromkeys(fresh, "initial"))
    kit.update("orders", task_definition=new)
    eventually(lambda: len([t for t in kit.tasks("orders", "RUNNING") if t.task_definition == new]) == 2)
    assert old <= {task.task_id for task in kit.tasks("orders", "RUNNING")}, "old ones stay until new ones serve"
    kit.balancer.states.clear()
    tasks = eventually(lambda: [t for t in kit.running("orders", 2) if t.task_definition == new])
    assert ask(tasks[0].address)["tag"] == "v2"
    eventually(lambda: service.deployments[0]["rolloutState"] == "COMPLETED")


def test_tasks_of_a_deleted_service_drain_away(kit: Kit) -> None:
    group = kit.target_group("orders-1")
    kit.service("orders", kit.define("orders", APP), 2, group)
    kit.running("orders", 2)
    kit.ecs.delete_service("main", "orders", force=True)
    kit.scheduler.wake()
    kit.stopped("orders", 2)
    assert kit.registered(group) == set()


def test_a_crash_loop_backs_off_and_says_so(kit: Kit) -> None:
    crash = {**APP, "environment": [{"name": "STANDIN_EXIT_CODE", "value": "7"}]}
    service = kit.service("orders", kit.define("orders", crash), 3)
    dead = kit.stopped("orders", 9)
    waves = sorted({round(task.created_at, 1) for task in dead})
    assert waves[-1] - waves[0] >= 2.5, "the third attempt comes after one and two seconds"
    assert {task.containers[0].exit_code for task in dead} == {7}
    messages = eventually(lambda: [e["message"] for e in service.events if "unable to consistently" in e["message"]])
    assert messages == ["(service orders) is unable to consistently start tasks successfully."]
    assert service.deployments[0]["failedTasks"] == 9
    assert service.deployments[0]["rolloutState"] == "IN_PROGRESS"
    assert not any("steady" in event["message"] for event in service.events)


def test_task_sets_run_their_share_in_their_own_target_groups(kit: Kit) -> None:
    blue, green = kit.target_group("blue"), kit.target_group("green")
    definition = kit.define("orders", APP)
    kit.service("orders", definition, 3, deployment_controller={"type": "EXTERNAL"})
    sets = [
        kit.ecs.create_task_set(
            "orders",
            "main",
            definition,
            load_balancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 8000}],
            scale=None,
        )
        for group in (blue, green)
    ]
    kit.ecs.update_task_set("main", "orders", sets[1].task_set_arn, {"value": 50.0, "unit": "PERCENT"})
    kit.scheduler.wake()
    eventually(lambda: (len(kit.registered(blue)), len(kit.registered(green))) == (3, 2))
    kit.ecs.delete_task_set("main", "orders", sets[0].task_set_arn)
    kit.scheduler.wake()
    assert {task.task_set for task in kit.running("orders", 2)} == {sets[1].task_set_arn}
    eventually(lambda: kit.registered(blue) == set())


def test_a_stop_on_request_names_the_user_and_the_service_replaces_the_task(kit: Kit) -> None:
    kit.service("orders", kit.define("orders", APP), 1)
    task = kit.running("orders", 1)[0]
    kit.scheduler.stop_task(task.arn, "an operator wants it so")
    assert [found.desired_status for found in kit.tasks("orders") if found.task_id == task.task_id] == ["STOPPED"]
    gone = kit.stopped("orders")[0]
    assert (gone.stop_code, gone.stopped_reason) == ("UserInitiated", "an operator wants it so")
    kit.running("orders", 1)


def test_a_stop_on_request_drains_first(kit: Kit) -> None:
    kit.service("orders", kit.define("orders", APP), 1, kit.target_group("orders-1"))
    task = kit.running("orders", 1)[0]
    ask(task.address)
    kit.balancer.slow_to_drain.add(task.address)
    kit.scheduler.stop_task(task.task_id, "drain, please")
    eventually(lambda: [new for new in kit.tasks("orders", "RUNNING") if new.task_id != task.task_id])
    assert kit.tasks("orders", "DEACTIVATING")
    assert connection_header(task.address) == "keep-alive", "no SIGTERM yet"
    kit.balancer.slow_to_drain.clear()
    kit.stopped("orders")


def test_a_task_that_nobody_knows_cannot_be_stopped(kit: Kit) -> None:
    with pytest.raises(NotFoundError, match="no task none"):
        kit.scheduler.stop_task("none", "why")
    with pytest.raises(NotFoundError, match="no task none"):
        kit.scheduler.kill("none")


def test_the_metadata_endpoint_names_the_task_that_asks(kit: Kit) -> None:
    show = {**APP, "entryPoint": ["sh", "-c"], "command": ["echo $ECS_CONTAINER_METADATA_URI_V4; sleep 60"]}
    kit.service("orders", kit.define("orders", show), 1)
    task = kit.running("orders", 1)[0]
    uri = eventually(lambda: kit.written(task)).rpartition("| ")[2]
    with urllib.request.urlopen(f"{uri}/task", timeout=5) as answer:
        found = json.load(answer)
    assert (found["TaskARN"], found["ServiceName"]) == (task.arn, "orders")
    assert found["Containers"][0]["Networks"][0]["IPv4Addresses"] == [task.address]


def test_an_idle_scheduler_uses_next_to_no_processor_time(kit: Kit) -> None:
    kit.service("orders", kit.define("orders", APP), 4, kit.target_group("orders-1"))
    kit.running("orders", 4)
    eventually(lambda: all(task.status == "RUNNING" for task in kit.tasks("orders")))
    clock = SystemClock()
    pause, began, used = threading.Event(), clock.monotonic(), time.process_time()
    pause.wait(2)
    share = (time.process_time() - used) / (clock.monotonic() - began)
    assert share < 0.02
