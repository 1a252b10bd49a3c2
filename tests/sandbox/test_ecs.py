"""Amazon ECS answers what runs, keeps what it was given, and refuses what AWS refuses."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import RunningSandbox, wait_for

pytestmark = pytest.mark.sandbox


@pytest.fixture
def ecs(sandbox: RunningSandbox) -> Any:
    sandbox.ask("POST", "throttles", {"enabled": False})
    return sandbox.client("ecs")


def _service(ecs: Any, name: str = "orders-1") -> dict[str, Any]:
    return dict(ecs.describe_services(cluster="production", services=[name])["services"][0])


def _make(ecs: Any, name: str, **more: Any) -> dict[str, Any]:
    """A service without a load balancer, like orders-1 otherwise."""
    model = _service(ecs)
    given = {
        "cluster": "production",
        "serviceName": name,
        "taskDefinition": model["taskDefinition"],
        "desiredCount": 1,
        "launchType": "FARGATE",
        "networkConfiguration": model["networkConfiguration"],
        **more,
    }
    return dict(ecs.create_service(**given)["service"])


def _remove(ecs: Any, name: str) -> None:
    ecs.delete_service(cluster="production", service=name, force=True)


def test_counts_follow_the_desired_count_in_the_same_deployment(ecs: Any) -> None:
    made = _make(ecs, "counts")
    assert (made["desiredCount"], made["runningCount"]) == (1, 0)
    wait_for(lambda: _service(ecs, "counts")["runningCount"] == 1)
    changed = ecs.update_service(cluster="production", service="counts", desiredCount=3)["service"]
    assert changed["desiredCount"] == 3
    wait_for(lambda: _service(ecs, "counts")["runningCount"] == 3)
    assert _service(ecs, "counts")["deployments"][0]["id"] == made["deployments"][0]["id"]
    ecs.update_service(cluster="production", service="counts", desiredCount=0)
    wait_for(lambda: _service(ecs, "counts")["runningCount"] == 0)
    _remove(ecs, "counts")


def test_a_new_task_definition_begins_a_deployment_and_replaces_the_tasks(ecs: Any) -> None:
    made = _make(ecs, "roll")
    wait_for(lambda: _service(ecs, "roll")["runningCount"] == 1)
    before = ecs.list_tasks(cluster="production", serviceName="roll")["taskArns"]
    definition = ecs.describe_task_definition(taskDefinition=made["taskDefinition"])["taskDefinition"]
    container = {**definition["containerDefinitions"][0], "image": "registry.example/orders:2.0.0"}
    fresh = ecs.register_task_definition(
        family="roll",
        containerDefinitions=[container],
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
    )["taskDefinition"]
    updated = ecs.update_service(cluster="production", service="roll", taskDefinition="roll")["service"]
    assert updated["taskDefinition"] == fresh["taskDefinitionArn"]
    assert updated["deployments"][0]["status"] == "PRIMARY"
    assert updated["deployments"][0]["id"] != made["deployments"][0]["id"]

    def replaced() -> bool:
        service = _service(ecs, "roll")
        now = ecs.list_tasks(cluster="production", serviceName="roll")["taskArns"]
        return len(now) == 1 and not set(now) & set(before) and len(service["deployments"]) == 1

    wait_for(replaced, seconds=15)
    _remove(ecs, "roll")


def test_force_new_deployment_replaces_the_tasks(ecs: Any) -> None:
    _make(ecs, "again")
    wait_for(lambda: _service(ecs, "again")["runningCount"] == 1)
    before = ecs.list_tasks(cluster="production", serviceName="again")["taskArns"]
    ecs.update_service(cluster="production", service="again", forceNewDeployment=True)
    wait_for(lambda: not set(before) & set(ecs.list_tasks(cluster="production", serviceName="again")["taskArns"]), 15)
    _remove(ecs, "again")


def test_creating_a_service_again_is_refused(ecs: Any) -> None:
    with pytest.raises(ClientError, match="not idempotent"):
        _make(ecs, "orders-1")


def test_a_deleted_service_is_gone_from_the_list_and_its_name_is_free(ecs: Any) -> None:
    _make(ecs, "short")
    wait_for(lambda: _service(ecs, "short")["runningCount"] == 1)
    with pytest.raises(ClientError, match="scaled above 0"):
        ecs.delete_service(cluster="production", service="short")
    _remove(ecs, "short")
    assert not [arn for arn in ecs.list_services(cluster="production")["serviceArns"] if arn.endswith("/short")]
    wait_for(lambda: _service(ecs, "short")["status"] == "INACTIVE")
    with pytest.raises(ClientError, match="ServiceNotActiveException"):
        ecs.update_service(cluster="production", service="short", desiredCount=1)
    assert _make(ecs, "short", desiredCount=0)["status"] == "ACTIVE"
    _remove(ecs, "short")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-none"]}}}, "subnet-none"),
        ({"taskDefinition": "nothing:1"}, "task definition"),
        (
            {"loadBalancers": [{"targetGroupArn": "arn:none", "containerName": "app", "containerPort": 1}]},
            "target group",
        ),
    ],
)
def test_a_service_that_cannot_work_is_refused(ecs: Any, more: dict[str, Any], problem: str) -> None:
    with pytest.raises(ClientError, match=problem):
        _make(ecs, "wrong", **more)


def test_a_container_that_is_not_in_the_task_definition_is_refused(sandbox: RunningSandbox, ecs: Any) -> None:
    balancer = {"targetGroupArn": sandbox.target_group("orders-1"), "containerName": "nobody", "containerPort": 8080}
    with pytest.raises(ClientError, match="The container nobody does not exist"):
        _make(ecs, "wrong", loadBalancers=[balancer])


def test_at_most_ten_services_are_described_in_a_call(ecs: Any) -> None:
    with pytest.raises(ClientError, match="10 elements"):
        ecs.describe_services(cluster="production", services=[f"s{number}" for number in range(11)])
    answer = ecs.describe_services(cluster="production", services=["orders-1", "nobody"])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


def test_a_stopped_task_tells_why_and_is_replaced(ecs: Any) -> None:
    _make(ecs, "stop")
    wait_for(lambda: _service(ecs, "stop")["runningCount"] == 1)
    (arn,) = ecs.list_tasks(cluster="production", serviceName="stop")["taskArns"]
    ecs.stop_task(cluster="production", task=arn, reason="by the test")

    def stopped() -> dict[str, Any] | None:
        task = ecs.describe_tasks(cluster="production", tasks=[arn])["tasks"][0]
        return dict(task) if task["lastStatus"] == "STOPPED" else None

    task = wait_for(stopped)
    assert task["stoppedReason"] == "by the test"
    assert task["stopCode"] == "UserInitiated"
    wait_for(lambda: arn not in ecs.list_tasks(cluster="production", serviceName="stop")["taskArns"])
    assert arn in ecs.list_tasks(cluster="production", serviceName="stop", desiredStatus="STOPPED")["taskArns"]
    _remove(ecs, "stop")
    with pytest.raises(ClientError, match="not found"):
        ecs.stop_task(cluster="production", task="0123456789abcdef")


def test_tasks_are_described_by_what_runs(sandbox: RunningSandbox, ecs: Any) -> None:
    arns = ecs.list_tasks(cluster="production", serviceName="orders-1")["taskArns"]
    task = ecs.describe_tasks(cluster="production", tasks=[arns[0], "f" * 32])
    assert [failure["reason"] for failure in task["failures"]] == ["MISSING"]
    shown = task["tasks"][0]
    assert (shown["lastStatus"], shown["group"], shown["launchType"]) == ("RUNNING", "service:orders-1", "FARGATE")
    address = shown["attachments"][0]["details"][0]["value"]
    assert address in {item["address"] for item in sandbox.status()["tasks"]}
    families = ecs.list_tasks(cluster="production", family="orders")["taskArns"]
    assert set(arns) <= set(families)


def test_a_service_of_the_external_controller_runs_its_task_sets(ecs: Any) -> None:
    model = _service(ecs)
    ecs.create_service(
        cluster="production", serviceName="sets", desiredCount=3, deploymentController={"type": "EXTERNAL"}
    )
    made = ecs.create_task_set(
        cluster="production",
        service="sets",
        taskDefinition=model["taskDefinition"],
        launchType="FARGATE",
        networkConfiguration=model["networkConfiguration"],
        scale={"unit": "PERCENT", "value": 50},
    )["taskSet"]
    assert (made["computedDesiredCount"], made["stabilityStatus"]) == (2, "STABILIZING")

    def task_set() -> dict[str, Any]:
        sets = ecs.describe_task_sets(cluster="production", service="sets")["taskSets"]
        return dict(sets[0])

    wait_for(lambda: task_set()["runningCount"] == 2)
    assert task_set()["stabilityStatus"] == "STEADY_STATE"
    assert _service(ecs, "sets")["taskSets"][0]["runningCount"] == 2
    ecs.update_task_set(
        cluster="production", service="sets", taskSet=made["taskSetArn"], scale={"unit": "PERCENT", "value": 100}
    )
    wait_for(lambda: task_set()["runningCount"] == 3)
    ecs.delete_task_set(cluster="production", service="sets", taskSet=made["taskSetArn"], force=True)
    wait_for(lambda: _service(ecs, "sets")["runningCount"] == 0)
    _remove(ecs, "sets")


def test_a_task_can_be_run_once(ecs: Any) -> None:
    model = _service(ecs)
    ran = ecs.run_task(
        cluster="production",
        taskDefinition=model["taskDefinition"],
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": _subnets(model)}},
        overrides={"containerOverrides": [{"name": "app", "command": ["/bin/sh", "-c", "exit 3"]}]},
    )["tasks"][0]

    def ended() -> dict[str, Any] | None:
        found = ecs.describe_tasks(cluster="production", tasks=[ran["taskArn"]])["tasks"]
        return dict(found[0]) if found and found[0]["lastStatus"] == "STOPPED" else None

    assert wait_for(ended)["containers"][0]["exitCode"] == 3


def _subnets(service: dict[str, Any]) -> list[str]:
    return list(service["networkConfiguration"]["awsvpcConfiguration"]["subnets"])
