"""The containers of one task as real processes: order, health, secrets, exits, faults to start."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.backends import get_backend

from bluegreen.sandbox.base import ACCOUNT, TaskView
from tests.sandbox.scheduler_kit import REGION, Kit, eventually, scheduler_kit

pytestmark = pytest.mark.sandbox

APP = {"name": "app", "command": ["sleep", "60"]}


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    with scheduler_kit(tmp_path) as kit:
        yield kit


def shell(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "entryPoint": ["sh", "-c"], "command": [script], **more}


def run(kit: Kit, *containers: dict[str, Any], overrides: dict[str, Any] | None = None) -> str:
    """A task of RunTask; its id."""
    subnets: Any = get_backend("ec2")[ACCOUNT][REGION].describe_subnets()
    network = {"awsvpcConfiguration": {"subnets": [subnets[0].id], "securityGroups": []}}
    tasks = kit.ecs.run_task("main", kit.define("job", *containers), 1, overrides, "", [], "FARGATE", network)
    kit.scheduler.wake()
    return str(tasks[0].id)


def seen(kit: Kit, task_id: str, status: str) -> TaskView:
    def look() -> list[TaskView]:
        return [task for task in kit.tasks(status=status) if task.task_id == task_id]

    return eventually(look)[0]


def test_containers_start_in_the_order_of_their_conditions(kit: Kit, tmp_path: Path) -> None:
    journal, ready = tmp_path / "journal", tmp_path / "ready"
    task_id = run(
        kit,
        shell(
            "app",
            f"echo app >> {journal}; sleep 60",
            dependsOn=[
                {"containerName": "migrate", "condition": "SUCCESS"},
                {"containerName": "warm", "condition": "COMPLETE"},
                {"containerName": "proxy", "condition": "HEALTHY"},
                {"containerName": "log", "condition": "START"},
            ],
        ),
        shell("migrate", f"sleep 0.3; echo migrate >> {journal}", essential=False),
        shell("warm", f"sleep 0.4; echo warm >> {journal}; exit 3", essential=False),
        shell(
            "proxy",
            f"sleep 0.5; echo proxy >> {journal}; touch {ready}; sleep 60",
            healthCheck={"command": ["CMD-SHELL", f"test -e {ready}"], "interval": 0.1, "retries": 50},
        ),
        shell("log", f"echo log >> {journal}; sleep 60", essential=False),
    )
    task = seen(kit, task_id, "RUNNING")
    written = eventually(lambda: [lines for lines in [journal.read_text().split()] if len(lines) == 5])[0]
    assert written[0] == "log"
    assert written[-1] == "app"
    assert {c.name: c.exit_code for c in task.containers if c.status == "STOPPED"} == {"migrate": 0, "warm": 3}
    assert next(c.health for c in task.containers if c.name == "proxy") == "HEALTHY"


def test_a_failed_init_container_stops_the_task_before_the_app_starts(kit: Kit) -> None:
    app = {**APP, "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}]}
    task = seen(kit, run(kit, app, shell("init", "exit 4", essential=False)), "STOPPED")
    assert task.stop_code == "TaskFailedToStart"
    assert task.stopped_reason == (
        "Container app cannot start: its dependency init exited with code 4 and never reached SUCCESS"
    )
    assert next(c for c in task.containers if c.name == "app").exit_code is None


def test_a_dependency_that_takes_longer_than_its_start_timeout_stops_the_task(kit: Kit) -> None:
    app = {**APP, "dependsOn": [{"containerName": "init", "condition": "COMPLETE"}]}
    init = {"name": "init", "command": ["sleep", "60"], "startTimeout": 0.5, "essential": False}
    task = seen(kit, run(kit, app, init), "STOPPED")
    assert "init did not reach COMPLETE within its startTimeout of 0.5 s" in (task.stopped_reason or "")


def test_a_circle_of_dependencies_stops_the_task_with_its_names(kit: Kit) -> None:
    one = {**APP, "dependsOn": [{"containerName": "side", "condition": "START"}]}
    two = {**APP, "name": "side", "dependsOn": [{"containerName": "app", "condition": "START"}]}
    task = seen(kit, run(kit, one, two), "STOPPED")
    assert "the dependsOn of app, side goes in a circle" in (task.stopped_reason or "")


def test_the_exit_of_an_essential_container_stops_the_others(kit: Kit) -> None:
    side = {"name": "side", "command": ["sleep", "60"]}
    task = seen(kit, run(kit, shell("app", "sleep 0.2; exit 5"), side), "STOPPED")
    assert (task.stopped_reason, task.stop_code) == ("Essential container in task exited", "EssentialContainerExited")
    assert {c.name: c.exit_code for c in task.containers} == {"app": 5, "side": 143}


def test_the_exit_of_a_sidecar_that_is_not_essential_leaves_the_task_running(kit: Kit) -> None:
    task_id = run(kit, APP, shell("side", "exit 1", essential=False))
    eventually(lambda: {c.exit_code for c in seen(kit, task_id, "RUNNING").containers} == {None, 1})
    assert seen(kit, task_id, "RUNNING").desired_status == "RUNNING"


def test_a_container_that_ignores_sigterm_is_killed_after_its_stop_timeout(kit: Kit) -> None:
    stubborn = shell("app", "trap '' TERM; echo up; while :; do sleep 0.1; done", stopTimeout=1)
    task = seen(kit, run(kit, stubborn), "RUNNING")
    eventually(lambda: "up" in kit.written(task))
    kit.scheduler.stop_task(task.task_id, "enough")
    gone = seen(kit, task.task_id, "STOPPED")
    assert gone.containers[0].exit_code == 137
    assert gone.stopped_at is not None
    assert gone.stopping_at is not None
    assert 0.9 <= gone.stopped_at - gone.stopping_at < 4


def test_containers_stop_in_the_reverse_order(kit: Kit, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script = "trap 'sleep 0.2; echo {0} >> {1}; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    app = shell("app", script.format("app", journal), dependsOn=[{"containerName": "proxy", "condition": "START"}])
    task = seen(kit, run(kit, app, shell("proxy", script.format("proxy", journal))), "RUNNING")
    eventually(lambda: "up" in kit.written(task) and "up" in kit.written(task, "proxy"))
    kit.scheduler.stop_task(task.task_id, "done")
    seen(kit, task.task_id, "STOPPED")
    assert journal.read_text().split() == ["app", "proxy"]


def test_an_unhealthy_container_has_its_service_replace_the_task(kit: Kit) -> None:
    check = {"command": ["CMD", "false"], "interval": 0.1, "timeout": 1, "retries": 2}
    kit.service("orders", kit.define("orders", {**APP, "healthCheck": check}), 1)
    gone = kit.stopped("orders")[0]
    assert (gone.stopped_reason, gone.health) == ("Task failed container health checks", "UNHEALTHY")


def test_a_health_check_that_hangs_counts_as_failed(kit: Kit) -> None:
    check = {"command": ["CMD", "sleep", "60"], "interval": 0.1, "timeout": 0.2, "retries": 1}
    task_id = run(kit, {**APP, "healthCheck": check})
    eventually(lambda: seen(kit, task_id, "RUNNING").health == "UNHEALTHY")


def test_secrets_come_from_both_stores_and_reach_only_the_container(kit: Kit) -> None:
    ssm: Any = get_backend("ssm")[ACCOUNT][REGION]
    ssm.put_parameter("/orders/token", "", "from-ssm", "SecureString", "", "", False, [], "text", None, None)
    secret: Any = get_backend("secretsmanager")[ACCOUNT][REGION]
    secret.create_secret("db", '{"password": "from-asm"}', None, None, None, None, None, [], False)
    arn = secret.describe_secret("db").arn
    secrets = [
        {"name": "TOKEN", "valueFrom": "/orders/token"},
        {"name": "TOKEN_ARN", "valueFrom": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/orders/token"},
        {"name": "PASSWORD", "valueFrom": f"{arn}:password::"},
    ]
    task = seen(kit, run(kit, shell("app", "echo $TOKEN $TOKEN_ARN $PASSWORD; sleep 60", secrets=secrets)), "RUNNING")
    assert eventually(lambda: kit.written(task)).endswith("| from-ssm from-ssm from-asm")
    assert "from-" not in repr(task)


@pytest.mark.parametrize(
    "value_from",
    ["/no/such", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:none-AbCdEf"],
)
def test_a_missing_secret_stops_the_task_and_names_it(kit: Kit, value_from: str) -> None:
    app = {**APP, "secrets": [{"name": "TOKEN", "valueFrom": value_from}]}
    task = seen(kit, run(kit, app), "STOPPED")
    assert (task.stopped_reason or "").startswith("ResourceInitializationError: unable to pull secrets")
    assert value_from in (task.stopped_reason or "")
    assert task.stop_code == "TaskFailedToStart"


def test_an_executable_that_is_not_there_is_named(kit: Kit) -> None:
    task = seen(kit, run(kit, {"name": "app", "command": ["no-such-program"]}), "STOPPED")
    assert (task.stopped_reason or "").startswith("CannotStartContainerError: ")
    assert '"no-such-program": executable file not found' in (task.containers[0].reason or "")
    assert task.stop_code == "TaskFailedToStart"


@pytest.mark.parametrize("image", ["registry:5000/orders:nonexistent", "registry/does-not-exist:1"])
def test_an_image_that_cannot_be_pulled_is_named(kit: Kit, image: str) -> None:
    task = seen(kit, run(kit, {**APP, "image": image}), "STOPPED")
    assert (task.stopped_reason or "").startswith("CannotPullContainerError: ")
    assert image in (task.stopped_reason or "")


def test_a_real_program_listens_where_the_placeholders_say(kit: Kit, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "http.server", "-b", "${BIND_ADDRESS}", "${PORT}"]
    app = {"name": "app", "command": command, "portMappings": [{"containerPort": 8123}]}
    task = seen(kit, run(kit, {**app, "workingDirectory": str(tmp_path)}), "RUNNING")

    def listens() -> bool:
        try:
            socket.create_connection((task.address, 8123), timeout=1).close()
        except OSError:
            return False
        return True

    eventually(listens)


def test_overrides_of_run_task_change_command_and_environment(kit: Kit) -> None:
    override = {"name": "app", "command": ["echo $WHO"], "environment": [{"name": "WHO", "value": "override"}]}
    app = shell("app", "echo original", environment=[{"name": "WHO", "value": "definition"}])
    task = seen(kit, run(kit, app, overrides={"containerOverrides": [override]}), "STOPPED")
    assert kit.written(task).endswith("/app | override")
    assert kit.written(task).startswith(f"task/{task.task_id[:8]}/app | ")


def test_what_a_container_daemonised_ends_with_it(kit: Kit, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {pid_file}; exec sleep 4321' & while [ ! -s {pid_file} ]; do sleep 0.02; done"
    seen(kit, run(kit, shell("app", script)), "STOPPED")
    pid = int(pid_file.read_text())
    eventually(lambda: not Path(f"/proc/{pid}").exists())
