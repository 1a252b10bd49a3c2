"""How hooks are wired into a session: their way to AWS, to the store, and what the lease has to say about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import pytest
from moto import mock_aws

from bluegreen.domain.approval import Decision, question
from bluegreen.domain.service import Owner
from bluegreen.domain.spec import GateSpec, HookPoint, HookSpec
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Pending, Watch
from bluegreen.wiring import Options, Session
from tests.contract.hook_kit import free_port, passed, wait
from tests.contract.test_hook_remote_kinds import pending, told

REGION = "eu-west-1"


@pytest.fixture
def session(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    options = Options(f"sqlite:///{tmp_path}/state.db", REGION)
    with mock_aws():
        yield Session(options, Owner("ada", "laptop", 1, "deploy"), environment={"AWS_REGION": REGION})


def test_a_hook_long_after_the_last_fence_is_not_taken_for_a_late_write(session: Session) -> None:
    machine = boto3.client("stepfunctions", region_name=REGION).create_state_machine(
        name="verify",
        roleArn="arn:aws:iam::123456789012:role/states",
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}),
    )["stateMachineArn"]
    session.clients.calls.write_only_before(session.clock.now() - 60)
    hook = session.hook(HookSpec(HookPoint.TEST, "smoke", "stepfunctions", {"state_machine": machine}))
    first = pending(hook.start(told()))
    assert isinstance(hook.poll(first.handle), Pending)
    hook.cancel(first.handle)
    boto3.client("stepfunctions", region_name=REGION).delete_state_machine(stateMachineArn=machine)


def test_an_approval_reads_the_sessions_own_store(session: Session) -> None:
    hook = session.hook(HookSpec(HookPoint.TEST, "smoke", "approval", {}))
    first = pending(hook.start(told()))
    session.store.decide("d-1", Decision(question("test", 0, "smoke", 1), True, "alice", session.clock.now()))
    assert "approved by alice" in passed(hook.poll(first.handle)).detail


def test_two_functions_hooks_of_a_session_share_the_receiver_that_both_name(session: Session) -> None:
    settings: dict[str, object] = {"function": "none", "contract": "codedeploy", "receiver": f"127.0.0.1:{free_port()}"}
    hooks = [session.hook(HookSpec(HookPoint.TEST, name, "lambda", settings)) for name in ("a", "b")]
    started = [pending(hook.start(told())) for hook in hooks]
    for hook, verdict in zip(hooks, started, strict=True):
        with pytest.raises(HookUnavailableError, match="function none"):
            wait(hook, verdict)


def test_a_build_is_started_and_followed_with_parameters_that_the_sdk_accepts(session: Session) -> None:
    client = boto3.client("codebuild", region_name=REGION)
    client.create_project(
        name="orders-e2e",
        source={"type": "GITHUB", "location": "https://github.com/example/orders"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole="arn:aws:iam::123456789012:role/service-role/build",
    )
    settings: dict[str, object] = {"project": "orders-e2e", "source_version": "main", "buildspec": "ci.yml"}
    hook = session.hook(HookSpec(HookPoint.TEST, "e2e", "codebuild", settings))
    verdict = passed(hook.poll(pending(hook.start(told())).handle))
    assert "console.aws.amazon.com" in verdict.links["log"]
    hook.cancel(json.dumps({"id": client.list_builds()["ids"][0], "began": 0.0}))


def test_a_metric_gate_asks_with_parameters_that_the_sdk_accepts(session: Session) -> None:
    boto3.client("cloudwatch", region_name=REGION).put_metric_data(
        Namespace="Orders",
        MetricData=[
            {"MetricName": "Errors", "Value": 7.0, "Timestamp": datetime.fromtimestamp(session.clock.now() - 30, UTC)}
        ],
    )
    metrics = {"errors": {"namespace": "Orders", "metric": "Errors"}}
    gate = session.gate(GateSpec("errors", "metric", {"metrics": metrics, "max": 5, "period": "60s"}), {})
    reading = gate.check(Watch())
    assert (reading.state, reading.detail) == ("firing", "Errors is 7, allowed is at most 5")
