"""Clients are bounded, never repeat a write, and speak our own errors."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

import bluegreen
from bluegreen.aws.calls import READ_PAUSES, Calls
from bluegreen.aws.clients import SERVICES, WRITE_DEADLINE_SECONDS, Clients
from bluegreen.aws.errors import translate
from bluegreen.clock import FakeClock
from bluegreen.errors import (
    AccessDeniedError,
    AwsError,
    BluegreenError,
    ConfigurationError,
    CredentialsError,
    NotFoundError,
    PreemptedError,
    RefusedError,
    ThrottledError,
    UnreachableError,
)


def answered(code: str, message: str = "", status: int = 400) -> ClientError:
    metadata: Any = {"RequestId": "r-1", "HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "ModifyRule")


def translated(error: Exception, *, mutating: bool = True) -> BluegreenError:
    return translate(error, operation="elasticloadbalancing:ModifyRule", mutating=mutating)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answered("Throttling"), ThrottledError),
        (answered("ClientException", "Too many concurrent attempts to create a new revision"), ThrottledError),
        (answered("AccessDenied"), AccessDeniedError),
        (answered("ExpiredToken"), CredentialsError),
        (answered("InvalidClientTokenId"), CredentialsError),
        (NoCredentialsError(), CredentialsError),
        (answered("RuleNotFound"), NotFoundError),
        (answered("ClusterNotFoundException"), NotFoundError),
        (answered("ResourceNotFound"), NotFoundError),
        (answered("ClientException", "Unable to describe task definition."), NotFoundError),
        (answered("InternalFailure", status=500), UnreachableError),
        (ReadTimeoutError(endpoint_url="http://elb"), UnreachableError),
        (ParamValidationError(report="Missing family"), RefusedError),
        (answered("SomethingElse"), AwsError),
    ],
)
def test_error_has_its_place_in_our_tree(error: Exception, kind: type[BluegreenError]) -> None:
    assert type(translated(error)) is kind


def test_denied_call_names_action_and_resource() -> None:
    said = (
        "User: arn:aws:iam::1:user/x is not authorized to perform: elasticloadbalancing:ModifyRule on resource: "
        "arn:aws:elasticloadbalancing:eu-central-1:1:listener-rule/app/prod/1/2/3 because no identity-based policy"
    )
    error = translated(answered("AccessDenied", said, 403))
    assert error.message == (
        "not allowed: elasticloadbalancing:ModifyRule on "
        "arn:aws:elasticloadbalancing:eu-central-1:1:listener-rule/app/prod/1/2/3"
    )


def test_error_keeps_code_and_request_id_for_the_log() -> None:
    error = translated(answered("RuleNotFound", "gone"))
    assert isinstance(error, AwsError)
    assert (error.code, error.request_id, error.operation) == (
        "RuleNotFound",
        "r-1",
        "elasticloadbalancing:ModifyRule",
    )


@pytest.mark.parametrize(
    ("error", "mutating", "says", "silent"),
    [
        (ReadTimeoutError(endpoint_url="http://elb"), True, "may have taken effect", "nothing was sent"),
        (ConnectTimeoutError(endpoint_url="http://elb"), True, "nothing was sent", "taken effect"),
        (ReadTimeoutError(endpoint_url="http://elb"), False, "no answer", "taken effect"),
        (answered("ServiceUnavailable", status=503), True, "may have taken effect", "nothing was sent"),
    ],
)
def test_lost_answer_says_whether_the_change_may_have_happened(
    error: Exception, mutating: bool, says: str, silent: str
) -> None:
    message = translated(error, mutating=mutating).message
    assert says in message
    assert silent not in message


def test_region_missing_is_a_configuration_error_that_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ConfigurationError) as raised:
        Clients(environment={})
    assert "AWS_REGION" in str(raised.value.hint)


def test_unknown_profile_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ConfigurationError, match="absent"):
        Clients(profile="absent")


def test_region_comes_from_the_standard_variables() -> None:
    assert Clients(environment={"AWS_REGION": "eu-north-1"}).region == "eu-north-1"


def test_every_client_is_bounded_and_never_repeats_a_call_by_itself(credentials: None) -> None:
    clients = Clients("eu-central-1")
    for client in (clients.ecs, clients.elbv2, clients.cloudwatch, clients.dynamodb, clients.autoscaling):
        config: Any = client.meta.config
        assert config.retries["total_max_attempts"] == 1
        assert config.connect_timeout + config.read_timeout == WRITE_DEADLINE_SECONDS
        assert config.user_agent_extra == f"bluegreen/{bluegreen.__version__}"


def test_one_client_of_a_service_is_made_once(credentials: None) -> None:
    clients = Clients("eu-central-1")
    assert clients.ecs is clients.ecs
    assert {"ecs", "elbv2", "sts", "logs"} <= set(SERVICES)


def test_endpoint_nobody_listens_at_is_unreachable_and_nothing_was_sent(credentials: None) -> None:
    clients = Clients("eu-central-1", endpoint="http://127.0.0.1:1", clock=FakeClock())
    with pytest.raises(UnreachableError, match="nothing was sent"):
        clients.write(clients.elbv2.modify_rule, RuleArn="arn", Actions=[])
    with pytest.raises(UnreachableError):
        clients.read(clients.elbv2.describe_rules, RuleArns=["arn"])
    assert clients.calls.counts["elasticloadbalancing:ModifyRule"] == 1
    assert clients.calls.counts["elasticloadbalancing:DescribeRules"] == len(READ_PAUSES) + 1


def test_log_names_the_call_and_never_its_parameters(caplog: pytest.LogCaptureFixture) -> None:
    def describe(**parameters: str) -> dict[str, Any]:
        return {"ResponseMetadata": {"RequestId": "r-7"}}

    with caplog.at_level(logging.DEBUG, logger="bluegreen.aws"):
        Calls(FakeClock()).read(describe, Secret="hunter2")
    assert "describe ok" in caplog.text
    assert "r-7" in caplog.text
    assert "hunter2" not in caplog.text


def test_version_is_that_of_the_package() -> None:
    project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())["project"]
    assert bluegreen.__version__ == project["version"]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def test_a_write_signed_after_the_lease_ended_is_not_sent_and_a_read_still_is() -> None:
    clock = FakeClock()
    calls = Calls(clock)
    calls.write_only_before(clock.now() + 30)
    sent: list[str] = []

    def call(name: str) -> None:
        calls.check_before_send()
        sent.append(name)

    calls.write(call, "in time")
    clock.sleep(31)
    with pytest.raises(PreemptedError, match="not sent"):
        calls.write(call, "late")
    calls.read(call, "look")
    assert sent == ["in time", "look"]
