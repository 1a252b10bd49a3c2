"""The ``lambda`` kind in detail: the two contracts, word for word."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

from bluegreen.clock import SystemClock
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.errors import ConfigurationError, HookUnavailableError
from bluegreen.hooks import cbor, codedeploy
from bluegreen.hooks.base import Hook
from bluegreen.hooks.registry import build_hook
from bluegreen.hooks.running import Links
from tests.contract.hook_aws import SERVICE_ARN, FakeAws, refused
from tests.contract.hook_kit import ENVIRONMENT, ask, call, failed, free_port, passed, until, wait
from tests.contract.test_hook_remote_kinds import FACTS, told

REVISION = SERVICE_ARN.replace(":service/", ":service-revision/")


def hook_of(aws: FakeAws, links: Links | None = None, **settings: object) -> Hook:
    spec = HookSpec(HookPoint.TEST, "smoke", "lambda", {"function": "gate", **settings})
    return build_hook(spec, ENVIRONMENT, Path("/"), SystemClock(), links or Links(cast(Any, lambda: aws)))


def answering(function: Callable[[dict[str, Any]], Any]) -> FakeAws:
    aws = FakeAws()
    aws.lambdas.function = function
    return aws


# -- ECS


def test_the_event_is_ecs_own_with_its_revisions_and_weights() -> None:
    aws = FakeAws()
    aws.ecs.revisions = {"orders-1": f"{REVISION}orders-1/111", "orders-2": f"{REVISION}orders-2/222"}
    passed(ask(hook_of(aws, details={"bucket": "approvals"}), told()))
    (event,) = aws.lambdas.events
    execution = event.pop("executionId")
    assert len(execution) == 36
    assert event == {
        "lifecycleStage": "POST_TEST_TRAFFIC_SHIFT",
        "resourceArn": "arn:aws:ecs:eu-west-1:123456789012:service-deployment/production/orders-2/d-1",
        "executionDetails": {
            "serviceArn": f"{SERVICE_ARN}orders-2",
            "targetServiceRevisionArn": f"{REVISION}orders-2/222",
            "testTrafficWeights": {f"{REVISION}orders-2/222": 100},
            "productionTrafficWeights": {f"{REVISION}orders-2/222": 5, f"{REVISION}orders-1/111": 95},
        },
        "hookDetails": {"bucket": "approvals"},
    }


def test_where_ecs_knows_no_revision_its_arn_ends_with_the_release() -> None:
    aws = FakeAws()
    passed(ask(hook_of(aws), told()))
    details = aws.lambdas.events[0]["executionDetails"]
    assert details["targetServiceRevisionArn"] == f"{REVISION}orders-2/orders-7"
    assert "hookDetails" not in aws.lambdas.events[0]


def test_before_the_test_route_leads_to_green_the_test_traffic_is_blues() -> None:
    aws = FakeAws()
    before = call(facts={**FACTS, "green_percent": "0"}, point=HookPoint.BEFORE_LAUNCH)
    passed(ask(hook_of(aws), before))
    event = aws.lambdas.events[0]
    assert event["lifecycleStage"] == "PRE_SCALE_UP"
    assert event["executionDetails"]["testTrafficWeights"] == {f"{REVISION}orders-1/orders-6": 100}
    assert event["executionDetails"]["productionTrafficWeights"] == {f"{REVISION}orders-1/orders-6": 100}


def test_a_point_without_a_stage_of_ecs_needs_one_named() -> None:
    aws = FakeAws()
    rollback = call(facts=FACTS, point=HookPoint.ON_ROLLBACK)
    with pytest.raises(HookUnavailableError, match="no lifecycle stage for on_rollback"):
        hook_of(aws).start(rollback)
    passed(ask(hook_of(aws, stage="CLEAN_UP"), rollback))
    assert aws.lambdas.events[0]["lifecycleStage"] == "CLEAN_UP"


def test_a_hook_of_another_point_that_runs_on_a_rollback_has_the_stage_of_its_point() -> None:
    aws = FakeAws()
    rollback = replace(call(facts=FACTS, point=HookPoint.ON_ROLLBACK), name="before_shift/gate")
    passed(ask(hook_of(aws), rollback))
    assert aws.lambdas.events[0]["lifecycleStage"] == "PRE_PRODUCTION_TRAFFIC_SHIFT"


def test_in_progress_is_invoked_again_after_its_delay_with_the_details_it_returned() -> None:
    def function(event: dict[str, Any]) -> Any:
        seen = event["hookDetails"].get("seen", 0) + 1
        status = "IN_PROGRESS" if seen < 3 else "SUCCEEDED"
        return {"hookStatus": status, "callBackDelay": 0.05, "hookDetails": {**event["hookDetails"], "seen": seen}}

    aws = answering(function)
    verdict = passed(ask(hook_of(aws, details={"bucket": "b"}), told()))
    assert verdict.numbers["invocations"] == 3
    assert [event["hookDetails"] for event in aws.lambdas.events] == [
        {"bucket": "b"},
        {"bucket": "b", "seen": 1},
        {"bucket": "b", "seen": 2},
    ]
    assert len({event["executionId"] for event in aws.lambdas.events}) == 1


def test_without_a_delay_of_its_own_it_is_invoked_again_after_thirty_seconds() -> None:
    hook = hook_of(answering(lambda event: {"hookStatus": "IN_PROGRESS"}))
    verdict: Any = hook.start(told())
    handles = {verdict.handle}
    until(lambda: handles.add(hook.poll(verdict.handle).handle) or len(handles) > 1)  # type: ignore[union-attr,func-returns-value]
    (waiting,) = (json.loads(handle) for handle in handles - {verdict.handle})
    assert 28 < waiting["again_at"] - SystemClock().now() <= 30


@pytest.mark.parametrize(
    "answer",
    [None, {}, "SUCCEEDED", {"hookStatus": "succeeded"}, {"hookStatus": "IN_PROGRESS", "callBackDelay": "soon"}, 7],
)
def test_no_valid_status_counts_as_failed(answer: object) -> None:
    verdict = failed(ask(hook_of(answering(lambda event: answer)), told()))
    assert "no valid hookStatus" in verdict.reason


def test_an_error_of_the_function_is_the_reason() -> None:
    def function(event: dict[str, Any]) -> Any:
        raise KeyError("orders table")

    verdict = failed(ask(hook_of(answering(function)), told()))
    assert "KeyError" in verdict.reason
    assert "orders table" in verdict.reason


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TooManyRequestsException", 429),
        ("ServiceException", 500),
        ("ResourceNotFoundException", 404),
        ("AccessDeniedException", 403),
    ],
)
def test_a_function_that_could_not_be_invoked_is_unavailable(code: str, status: int) -> None:
    aws = FakeAws()
    aws.lambdas.refusal = refused("Invoke", code, "so it is", status)
    with pytest.raises(HookUnavailableError, match="function gate"):
        ask(hook_of(aws), told())


def test_a_cancelled_function_is_neither_waited_for_nor_invoked_again() -> None:
    aws = FakeAws()
    aws.lambdas.hang = threading.Event()
    hook = hook_of(aws)
    verdict: Any = hook.start(told())
    hook.cancel(verdict.handle)
    assert "cancelled" in failed(hook.poll(verdict.handle)).reason
    aws.lambdas.hang.set()


# -- CodeDeploy


@pytest.mark.parametrize("status", ["Succeeded", "Failed"])
def test_a_function_for_codedeploy_tells_the_receiver_by_boto3_unchanged(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEDEPLOY", f"http://127.0.0.1:{port}")

    def handler(event: dict[str, Any]) -> Any:
        codedeploy = boto3.client(
            "codedeploy", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        codedeploy.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )
        return "AfterAllowTestTraffic validation tests ended"

    aws = answering(handler)
    verdict = ask(hook_of(aws, contract="codedeploy", receiver=f"127.0.0.1:{port}"), told())
    assert (passed if status == "Succeeded" else failed)(verdict)
    assert set(aws.lambdas.events[0]) == {"DeploymentId", "LifecycleEventHookExecutionId"}
    assert aws.lambdas.events[0]["DeploymentId"] == "d-1"


@pytest.mark.parametrize("returned", ["Succeeded", {"status": "Succeeded"}])
def test_a_returned_status_is_taken_where_there_is_no_receiver(returned: object) -> None:
    passed(ask(hook_of(answering(lambda event: returned), contract="codedeploy"), told()))


def test_a_function_that_says_nothing_and_has_no_receiver_has_failed() -> None:
    verdict = failed(ask(hook_of(answering(lambda event: "done"), contract="codedeploy"), told()))
    assert "no receiver" in verdict.reason


def test_a_function_that_never_tells_the_receiver_fails_at_its_timeout() -> None:
    hook = hook_of(answering(lambda event: "done"), contract="codedeploy", receiver=f"127.0.0.1:{free_port()}")
    assert "gave no verdict" in failed(ask(hook, told(timeout=0.4))).reason


def test_an_address_that_cannot_be_listened_on_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(HookUnavailableError, match="nothing can listen"):
            hook_of(FakeAws(), contract="codedeploy", receiver=place).start(told())


def telling(place: str) -> Callable[[dict[str, Any]], Any]:
    """A function that puts its status as CodeDeploy's clients do."""

    def function(event: dict[str, Any]) -> None:
        told = {
            "deploymentId": event["DeploymentId"],
            "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
            "status": "Succeeded",
        }
        name = {"X-Amz-Target": f"CodeDeploy_20141006.{codedeploy._OPERATION}"}
        urlopen(Request(f"http://{place}/", json.dumps(told).encode(), name), timeout=5).close()

    return function


def is_free(place: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(place.partition(":")[2]))) != 0


def _throttled(aws: FakeAws) -> None:
    aws.lambdas.refusal = refused("Invoke", "TooManyRequestsException", "Rate Exceeded.", 429)


def _silent(aws: FakeAws) -> None:
    aws.lambdas.function = lambda event: None


def _raising(aws: FakeAws) -> None:
    aws.lambdas.function = lambda event: 1 / 0


@pytest.mark.parametrize("broken", [_throttled, _silent, _raising, None])
def test_whichever_way_a_function_ends_the_next_one_finds_the_receivers_address_free(
    broken: Callable[[FakeAws], None] | None,
) -> None:
    place = f"127.0.0.1:{free_port()}"
    aws = answering(telling(place))
    if broken is not None:
        broken(aws)
    with suppress(HookUnavailableError):
        ask(hook_of(aws, contract="codedeploy", receiver=place), told(timeout=0.5))
    assert is_free(place)
    passed(ask(hook_of(answering(telling(place)), contract="codedeploy", receiver=place), told()))


def test_a_cancelled_function_leaves_the_receivers_address_free() -> None:
    place = f"127.0.0.1:{free_port()}"
    hook = hook_of(answering(lambda event: None), contract="codedeploy", receiver=place)
    verdict: Any = hook.start(told())
    assert not is_free(place)
    hook.cancel(verdict.handle)
    assert is_free(place)


def test_hooks_that_run_together_share_one_receiver() -> None:
    place = f"127.0.0.1:{free_port()}"
    together = threading.Barrier(2)
    tell = telling(place)

    def function(event: dict[str, Any]) -> None:
        together.wait(5)
        tell(event)

    aws = answering(function)
    links = Links(cast(Any, lambda: aws))
    hooks = [hook_of(aws, links, contract="codedeploy", receiver=place) for _ in range(2)]
    started = [each.start(told()) for each in hooks]
    for each, verdict in zip(hooks, started, strict=True):
        passed(wait(each, verdict))
    assert is_free(place)


def test_a_port_that_does_not_exist_is_an_error_of_the_configuration() -> None:
    for place in ("127.0.0.1:99999", "127.0.0.1:0"):
        with pytest.raises(ConfigurationError, match=r"lambda\.receiver: a port is between 1 and 65535"):
            hook_of(FakeAws(), contract="codedeploy", receiver=place)


@pytest.mark.parametrize("protocol", ["json", "smithy-rpc-v2-cbor"])
def test_the_receiver_refuses_what_codedeploy_would_refuse_in_both_protocols(protocol: str) -> None:
    from bluegreen.hooks.codedeploy import Receiver

    receiver = Receiver.at(f"127.0.0.1:{free_port()}")
    receiver.expect("known")
    client, paths = _codedeploy(receiver, protocol), []
    client.meta.events.register("before-send", lambda request, **_: paths.append(urlsplit(request.url).path))

    def put(execution: str, status: str) -> str:
        try:
            client.put_lifecycle_event_hook_execution_status(
                deploymentId="d", lifecycleEventHookExecutionId=execution, status=status
            )
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "taken"

    try:
        assert put("guessed", "Succeeded") == "InvalidLifecycleEventHookExecutionIdException"
        assert put("known", "Skipped") == "InvalidLifecycleEventHookExecutionStatusException"
        assert put("known", "Failed") == "taken"
        assert put("known", "Succeeded") == "LifecycleEventAlreadyCompletedException"
        assert receiver.status_of("known") == "Failed"
        with pytest.raises(ClientError, match="only PutLifecycle"):
            client.list_applications()
        assert {path == "/" for path in paths} == {protocol == "json"}
    finally:
        receiver.forget("known")


def _codedeploy(receiver: Any, protocol: str) -> Any:
    import botocore.session

    session = botocore.session.get_session()
    service = session.get_component("data_loader").load_service_model("codedeploy", "service-2")
    service["metadata"] = {**service["metadata"], "protocol": protocol, "protocols": [protocol]}
    loader = session.get_component("data_loader")
    original = loader.load_service_model
    loader.load_service_model = lambda name, *rest, **more: (
        service if rest[:1] == ("service-2",) and name == "codedeploy" else original(name, *rest, **more)
    )
    return session.create_client(
        "codedeploy",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        endpoint_url=f"http://{receiver._host}:{receiver._port}",
    )


def test_small_cbor_maps_survive_both_ways_in_all_lengths() -> None:
    content = {"a": "", "b" * 30: "ü" * 200, "c": "x" * 70_000}
    assert cbor.decode_texts(cbor.encode_texts({**content, "c": "x"})) == {**content, "c": "x"}
    indefinite = b"\xbf\x61a\x7f\x61b\x61c\xff\xff"
    assert cbor.decode_texts(indefinite) == {"a": "bc"}
    for broken in (b"", b"\xa1", b"\xa1\x61a", b"\xa1\x01\x02", b"\x83"):
        with pytest.raises(ValueError, match=r"."):
            cbor.decode_texts(broken)
