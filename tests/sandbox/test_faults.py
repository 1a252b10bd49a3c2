"""AWS's bad days on request: what each fault does to a call, and to the world."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen.clock import SystemClock
from bluegreen.errors import UsageError
from bluegreen.sandbox.api.faults import Fault, Faults
from bluegreen.sandbox.api.request import Call
from tests.sandbox.conftest import RunningSandbox, run_cli, wait_for


def _weights(sandbox: RunningSandbox) -> dict[str, int]:
    listener = sandbox.client("elbv2").describe_listeners(ListenerArns=[sandbox.listener(8080)])["Listeners"][0]
    groups = listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    return {group["TargetGroupArn"].split("/")[1]: group["Weight"] for group in groups}


def _set_weights(sandbox: RunningSandbox, first: int, second: int) -> None:
    names = (("orders-1", first), ("orders-2", second))
    groups = [{"TargetGroupArn": sandbox.target_group(name), "Weight": weight} for name, weight in names]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    sandbox.client("elbv2").modify_listener(ListenerArn=sandbox.listener(8080), DefaultActions=[action])


def test_a_rate_is_a_share_of_the_calls() -> None:
    faults = Faults(seed=1)
    faults.add(Fault("elbv2:Describe*", error="InternalFailure", rate=0.2))
    call = Call("elbv2", "DescribeRules", "query", "us-east-1", {}, "")
    met = sum(bool(faults.meet(call)) for _ in range(5000))
    assert 900 < met < 1100


def test_a_fault_may_strike_the_third_call_alone() -> None:
    faults = Faults()
    faults.add(Fault("elbv2:ModifyListener", error="InternalFailure", times=1, skip=2))
    call = Call("elbv2", "ModifyListener", "query", "us-east-1", {}, "")
    other = Call("elbv2", "ModifyRule", "query", "us-east-1", {}, "")
    assert [bool(faults.meet(each)) for each in (call, other, call, call, call)] == [False, False, False, True, False]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"operation": "X"}, "does nothing"),
        ({"operation": "X", "error": "E", "rate": 0}, "rate"),
        ({"operation": "X", "error": "E", "status": 200}, "status"),
        ({"operation": "X", "error": "E", "skip": -1}, "skip"),
        ({"operation": "X", "error": "E", "oops": 1}, "unknown key oops"),
        ({"error": "E"}, "operation"),
        (
            {"operation": "elbv2:ModifyListner", "error": "E"},
            "no call is elbv2:ModifyListner; near it: elbv2:ModifyListener",
        ),
        ({"operation": "ModifyListner", "error": "E"}, "no call is ModifyListner; near it: elbv2:ModifyListener"),
        ({"operation": "elbv3:ModifyListener", "error": "E"}, "no service is named elbv3; near it: elbv2"),
        ({"operation": "ecs:Descibe*", "error": "E"}, r"no call is ecs:Descibe\*"),
        ({"operation": "zzz:*", "error": "E"}, "no service is named zzz"),
        ({"operation": "elbv2:ModifyListener", "latency": float("nan")}, "latency and stale are seconds"),
        ({"operation": "elbv2:ModifyListener", "stale": float("inf")}, "latency and stale are seconds"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_the_reason(content: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Fault.from_json(content)


@pytest.mark.parametrize(
    "operation",
    ["ModifyListener", "elbv2:ModifyListener", "ecs:Describe*", "Describe*", "*", "*:List*", "sqs:SendMessage"],
)
def test_a_fault_may_be_named_by_a_call_or_a_pattern_of_calls(operation: str) -> None:
    assert Fault.from_json({"operation": operation, "error": "InternalFailure"}).operation == operation


def test_a_fault_that_is_not_there_is_not_cleared() -> None:
    faults = Faults()
    faults.add(Fault("elbv2:ModifyListener", error="InternalFailure"))
    with pytest.raises(LookupError, match="fault 0; in force: 1"):
        faults.clear(0)
    assert len(faults.listed()) == 1


@pytest.mark.sandbox
def test_a_fault_before_leaves_the_world_as_it_was(sandbox: RunningSandbox) -> None:
    before = _weights(sandbox)
    sandbox.ask("POST", "faults", {"operation": "elbv2:ModifyListener", "error": "InternalFailure", "status": 500})
    with pytest.raises(ClientError) as refused:
        _set_weights(sandbox, 1, 2)
    assert refused.value.response["Error"]["Code"] == "InternalFailure"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert _weights(sandbox) == before


@pytest.mark.sandbox
def test_a_fault_after_the_effect_changes_the_world_and_still_fails(sandbox: RunningSandbox) -> None:
    fault = {"operation": "ModifyListener", "error": "ServiceUnavailable", "status": 503, "after": True, "times": 1}
    sandbox.ask("POST", "faults", fault)
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        _set_weights(sandbox, 7, 3)
    assert _weights(sandbox) == {"orders-1": 7, "orders-2": 3}
    assert sandbox.ask("GET", "faults") == []
    _set_weights(sandbox, 100, 0)


@pytest.mark.sandbox
def test_a_stale_read_shows_the_world_as_it_was_and_then_as_it_is(sandbox: RunningSandbox) -> None:
    _set_weights(sandbox, 100, 0)
    sandbox.ask("POST", "faults", {"operation": "elbv2:DescribeListeners", "stale": 1.0})
    assert _weights(sandbox) == {"orders-1": 100, "orders-2": 0}
    _set_weights(sandbox, 60, 40)
    assert _weights(sandbox) == {"orders-1": 100, "orders-2": 0}
    sandbox.ask("POST", "throttles", {"enabled": False})
    wait_for(lambda: _weights(sandbox) == {"orders-1": 60, "orders-2": 40}, seconds=3)
    sandbox.ask("DELETE", "faults")
    _set_weights(sandbox, 100, 0)


@pytest.mark.sandbox
def test_latency_delays_one_operation_and_no_other(sandbox: RunningSandbox) -> None:
    clock = SystemClock()
    sandbox.ask("POST", "faults", {"operation": "ecs:ListClusters", "latency": 0.4})
    begun = clock.monotonic()
    sandbox.client("ecs").list_clusters()
    delayed = clock.monotonic() - begun
    sandbox.client("ecs").list_services(cluster="production")
    assert delayed >= 0.4
    assert clock.monotonic() - begun - delayed < 0.4


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("elbv2", "describe_load_balancers"),
        ("ecs", "list_clusters"),
        ("ec2", "describe_vpcs"),
        ("cloudwatch", "describe_alarms"),
        ("lambda", "list_functions"),
        ("dynamodb", "list_tables"),
    ],
)
def test_an_error_is_read_by_boto3_in_every_protocol(sandbox: RunningSandbox, service: str, operation: str) -> None:
    sandbox.ask("POST", "faults", {"operation": f"{service}:*", "error": "AccessDeniedException", "status": 403})
    with pytest.raises(ClientError) as refused:
        getattr(sandbox.client(service), operation)()
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert refused.value.response["Error"]["Message"] == "fault on request"


@pytest.mark.sandbox
def test_faults_are_added_listed_and_cleared_by_command(sandbox: RunningSandbox) -> None:
    added = run_cli(sandbox.root, "fault", "add", "ecs:ListClusters", "--error", "ServerException", "--times", "2")
    assert added.returncode == 0, added.stderr
    with pytest.raises(ClientError, match="ServerException"):
        sandbox.client("ecs").list_clusters()
    listed = run_cli(sandbox.root, "fault", "list").stdout
    assert "ecs:ListClusters" in listed
    nobody = run_cli(sandbox.root, "fault", "clear", "0")
    assert (nobody.returncode, "fault 0; in force: " in nobody.stderr) == (2, True)
    assert "ecs:ListClusters" in run_cli(sandbox.root, "fault", "list").stdout
    run_cli(sandbox.root, "fault", "clear")
    assert sandbox.client("ecs").list_clusters()["clusterArns"]
    wrong = run_cli(sandbox.root, "fault", "add", "ecs:ListClusters")
    assert wrong.returncode == 2
    assert "does nothing" in wrong.stderr


@pytest.mark.sandbox
def test_a_killed_task_is_replaced(sandbox: RunningSandbox) -> None:
    tasks = sandbox.client("ecs").list_tasks(cluster="production", serviceName="orders-1")["taskArns"]
    victim = tasks[0].split("/")[-1]
    assert run_cli(sandbox.root, "kill", victim[:12]).returncode == 0

    def replaced() -> bool:
        now = sandbox.client("ecs").list_tasks(cluster="production", serviceName="orders-1")["taskArns"]
        return len(now) == 2 and tasks[0] not in now

    wait_for(replaced, seconds=15)
    stopped = sandbox.client("ecs").describe_tasks(cluster="production", tasks=[victim])["tasks"][0]
    assert stopped["lastStatus"] == "STOPPED"
    assert stopped["containers"][0]["exitCode"] == 137
    group = sandbox.target_group("orders-1")

    def healthy() -> bool:
        health = sandbox.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [item["TargetHealth"]["State"] for item in health] == ["healthy", "healthy"]

    sandbox.ask("POST", "throttles", {"enabled": False})
    wait_for(healthy, seconds=15)


@pytest.mark.sandbox
def test_an_unknown_task_is_not_killed(sandbox: RunningSandbox) -> None:
    with pytest.raises(UsageError, match="0 running tasks"):
        sandbox.ask("POST", "kill", {"task": "nobody"})
