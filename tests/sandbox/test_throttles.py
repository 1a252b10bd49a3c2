"""AWS's published request quotas: the buckets by themselves, and as boto3 meets them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from bluegreen.clock import FakeClock
from bluegreen.sandbox.api.request import Call
from bluegreen.sandbox.api.throttle import Throttles
from tests.sandbox.conftest import RunningSandbox


def _call(service: str, operation: str, region: str = "us-east-1") -> Call:
    return Call(service, operation, "json", region, {}, "test")


def _admitted(throttles: Throttles, call: Call, attempts: int) -> int:
    return sum(throttles.admits(call) for _ in range(attempts))


@pytest.mark.parametrize(
    ("service", "operation", "size", "refill"),
    [
        ("elbv2", "ModifyListener", 20, 3),
        ("elbv2", "DescribeRules", 40, 10),
        ("elbv2", "RegisterTargets", 20, 4),
        ("ecs", "UpdateService", 50, 5),
        ("ecs", "DescribeServices", 100, 20),
        ("ecs", "RegisterTaskDefinition", 20, 1),
        ("ecs", "DescribeTasks", 100, 20),
    ],
)
def test_a_bucket_has_its_published_size_and_refill(service: str, operation: str, size: int, refill: int) -> None:
    clock = FakeClock()
    throttles = Throttles(clock)
    call = _call(service, operation)
    assert _admitted(throttles, call, 200) == size
    clock.sleep(1.0)
    assert _admitted(throttles, call, 200) == refill


def test_all_load_balancing_calls_share_one_bucket_of_forty() -> None:
    throttles = Throttles(FakeClock())
    assert _admitted(throttles, _call("elbv2", "DescribeRules"), 25) == 25
    assert _admitted(throttles, _call("elbv2", "ModifyRule"), 20) == 15


def test_a_refused_call_takes_no_token() -> None:
    clock = FakeClock()
    throttles = Throttles(clock)
    _admitted(throttles, _call("elbv2", "ModifyRule"), 100)
    assert _admitted(throttles, _call("elbv2", "DescribeRules"), 100) == 20


def test_regions_and_services_without_a_published_quota_are_apart() -> None:
    throttles = Throttles(FakeClock())
    _admitted(throttles, _call("ecs", "RegisterTaskDefinition"), 30)
    assert _admitted(throttles, _call("ecs", "RegisterTaskDefinition", "eu-west-1"), 30) == 20
    assert _admitted(throttles, _call("dynamodb", "GetItem"), 500) == 500


def test_throttles_can_be_scaled_and_turned_off() -> None:
    throttles = Throttles(FakeClock())
    throttles.configure(scale=0.5)
    assert _admitted(throttles, _call("ecs", "RegisterTaskDefinition"), 100) == 10
    throttles.configure(enabled=False)
    assert _admitted(throttles, _call("ecs", "RegisterTaskDefinition"), 500) == 500
    for nonsense in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="is no number above 0"):
            throttles.configure(scale=nonsense)


@pytest.mark.sandbox
def test_boto3_sees_load_balancing_throttles_as_aws_words_them(sandbox: RunningSandbox) -> None:
    elb = sandbox.client("elbv2")
    refused = None
    for _ in range(80):
        try:
            elb.describe_load_balancers()
        except ClientError as error:
            refused = error
            break
    assert refused is not None
    assert refused.response["Error"]["Code"] == "Throttling"
    assert refused.response["Error"]["Message"] == "Rate exceeded"
    assert refused.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused.response["ResponseMetadata"]["RequestId"]


@pytest.mark.sandbox
def test_boto3_retries_an_ecs_throttle_by_itself(sandbox: RunningSandbox) -> None:
    import boto3

    sandbox.ask("POST", "throttles", {"scale": 0.001})
    ecs = boto3.client(
        "ecs",
        endpoint_url=sandbox.endpoint,
        region_name=sandbox.region,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )
    with pytest.raises(ClientError, match="ThrottlingException"):
        ecs.describe_services(cluster="production", services=["orders-1"])
    ecs.close()
    calls = [call for call in sandbox.ask("GET", "calls") if call["operation"] == "DescribeServices"]
    assert len(calls) > 1
    assert {call["error"] for call in calls} == {"ThrottlingException"}


@pytest.mark.sandbox
def test_twenty_task_definitions_can_be_registered_at_once_and_then_one_a_second(sandbox: RunningSandbox) -> None:
    ecs = sandbox.client("ecs")
    container = {"name": "app", "image": "x", "memory": 64}
    refusals = [
        _refusal(lambda: ecs.register_task_definition(family="quota", containerDefinitions=[container]))
        for _ in range(40)
    ]
    assert set(refusals) == {None, "ThrottlingException"}
    assert 20 <= refusals.count(None) <= 24


def _refusal(call: Callable[[], object]) -> str | None:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None
