"""Lambda in the sandbox: a function's own code runs, with its environment, its timeout and Lambda's errors."""

from __future__ import annotations

import base64
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen.aws.clients import Clients
from bluegreen.clock import SystemClock
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Failed, Hook, Passed
from bluegreen.hooks.registry import build_hook
from bluegreen.hooks.running import Links
from tests.contract.hook_kit import ask, call, failed, passed
from tests.sandbox.conftest import RunningSandbox, wait_for
from tests.sandbox.functions import CODEDEPLOY_HOOK, ECS_HOOK, create, zipped

pytestmark = pytest.mark.sandbox


def invoke(sandbox: RunningSandbox, name: str, event: object = None, **more: Any) -> tuple[str, Any, Any]:
    """FunctionError, the payload, and the whole answer."""
    answer = sandbox.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **more)
    raw = answer["Payload"].read()
    return str(answer.get("FunctionError", "")), json.loads(raw) if raw else None, answer


def test_a_function_gets_its_event_its_environment_and_its_context(sandbox: RunningSandbox) -> None:
    code = """
import os
def handler(event, context):
    print("seen", event)
    return {"event": event, "level": os.environ["LEVEL"], "name": context.function_name,
            "left": context.get_remaining_time_in_millis(), "region": os.environ["AWS_REGION"],
            "arn": context.invoked_function_arn, "inherited": os.environ.get("HOME", "none")}
"""
    arn = create(sandbox, "echo", code, variables={"LEVEL": "full"})
    error, payload, answer = invoke(sandbox, arn, {"orders": [7]}, LogType="Tail")
    assert error == ""
    assert payload["event"] == {"orders": [7]}
    assert (payload["level"], payload["name"], payload["region"]) == ("full", "echo", sandbox.region)
    assert 5_000 < payload["left"] <= 10_000
    assert payload["arn"] == arn
    assert payload["inherited"] == "none"
    assert b"seen {'orders': [7]}" in base64.b64decode(answer["LogResult"])


def test_what_a_function_raises_is_an_unhandled_error_as_lambda_tells_it(sandbox: RunningSandbox) -> None:
    create(sandbox, "raises", "def handler(event, context):\n    raise KeyError('orders')")
    error, payload, answer = invoke(sandbox, "raises")
    assert (error, answer["StatusCode"]) == ("Unhandled", 200)
    assert payload["errorType"] == "KeyError"
    assert "app.py" in payload["stackTrace"][0]


@pytest.mark.parametrize(
    ("handler", "code", "kind"),
    [
        ("nowhere.handler", "", "Runtime.ImportModuleError"),
        ("app.other", "", "Runtime.HandlerNotFound"),
        ("app.handler", "import os\ndef handler(e, c):\n    os._exit(3)", "Runtime.ExitError"),
    ],
)
def test_a_function_that_cannot_run_says_so_as_lambda_does(
    sandbox: RunningSandbox, handler: str, code: str, kind: str
) -> None:
    create(sandbox, "broken", code, handler)
    error, payload, _ = invoke(sandbox, "broken")
    assert error == "Unhandled"
    assert payload["errorType"] == kind


def test_a_function_is_cut_off_at_its_timeout_and_nothing_of_it_is_left(sandbox: RunningSandbox) -> None:
    code = """
import os, signal
def handler(event, context):
    open(event["file"], "w").write(str(os.getpid()))
    signal.pause()
"""
    create(sandbox, "hangs", code, timeout=1)
    file = sandbox.root / "hangs.pid"
    error, payload, _ = invoke(sandbox, "hangs", {"file": str(file)})
    assert error == "Unhandled"
    assert "Task timed out after 1.00 seconds" in payload["errorMessage"]
    wait_for(lambda: not Path(f"/proc/{file.read_text()}").exists())


def test_a_function_may_call_the_sandboxs_api_while_it_runs(sandbox: RunningSandbox) -> None:
    code = """
import boto3
def handler(event, context):
    return [arn.rsplit("/", 1)[-1] for arn in boto3.client("ecs").list_clusters()["clusterArns"]]
"""
    create(sandbox, "calls", code)
    assert invoke(sandbox, "calls")[1] == ["production"]


def test_changed_code_runs_from_the_next_invocation_on(sandbox: RunningSandbox) -> None:
    client = sandbox.client("lambda")
    create(sandbox, "changes", "def handler(e, c): return 1")
    assert invoke(sandbox, "changes")[1] == 1
    client.update_function_code(FunctionName="changes", ZipFile=zipped(app="def handler(e, c): return 2"))
    assert invoke(sandbox, "changes")[1] == 2


def test_an_event_invocation_is_taken_at_once_and_a_dry_run_runs_nothing(sandbox: RunningSandbox) -> None:
    code = "def handler(event, context):\n    open(event['file'], 'w').write('ran')"
    create(sandbox, "later", code)
    file = sandbox.root / "later"
    assert invoke(sandbox, "later", {"file": str(file)}, InvocationType="DryRun")[2]["StatusCode"] == 204
    assert not file.exists()
    assert invoke(sandbox, "later", {"file": str(file)}, InvocationType="Event")[2]["StatusCode"] == 202
    wait_for(file.exists)


def test_unknown_other_and_throttled_functions_are_refused_with_lambdas_codes(sandbox: RunningSandbox) -> None:
    client = sandbox.client("lambda")
    create(sandbox, "reserved", "def handler(e, c): return 1")
    client.put_function_concurrency(FunctionName="reserved", ReservedConcurrentExecutions=0)
    create(sandbox, "javascript", "")
    client.update_function_configuration(FunctionName="javascript", Runtime="nodejs22.x")
    for name, code in (
        ("nobody", "ResourceNotFoundException"),
        ("reserved", "TooManyRequestsException"),
        ("javascript", "InvalidRuntimeException"),
    ):
        with pytest.raises(ClientError) as refused:
            invoke(sandbox, name)
        assert refused.value.response["Error"]["Code"] == code


# -- the hook kind over it


FACTS = {
    "blue_service": "orders-1",
    "green_service": "orders-2",
    "cluster": "production",
    "release": "orders:2",
    "green_percent": "0",
}


def hook_of(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, **settings: object) -> Hook:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sandbox")
    spec = HookSpec(HookPoint.TEST, "gate", "lambda", dict(settings))
    links = Links(lambda: Clients(sandbox.region, endpoint=sandbox.endpoint))
    return build_hook(spec, {}, Path("/"), SystemClock(), links)


@pytest.mark.parametrize(("expected", "verdict"), [("registry.example/orders:1.0.0", Passed), ("another", Failed)])
def test_a_function_for_ecs_runs_unchanged_and_is_called_back(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, expected: str, verdict: type
) -> None:
    url = sandbox.url(80)
    create(sandbox, "ecs-gate", ECS_HOOK, "app.lambda_handler", variables={"TEST_URL": url, "EXPECTED": expected})
    found = ask(hook_of(sandbox, monkeypatch, function="ecs-gate"), call(facts=FACTS))
    assert isinstance(found, verdict), found
    assert found.numbers["invocations"] == 2


@pytest.mark.parametrize(("result", "verdict"), [("Succeeded", Passed), ("Failed", Failed)])
def test_a_function_for_codedeploy_runs_unchanged_and_tells_the_receiver(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, result: str, verdict: type
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    variables = {"AWS_ENDPOINT_URL_CODEDEPLOY": f"http://{place}", "RESULT": result}
    create(sandbox, "codedeploy-gate", CODEDEPLOY_HOOK, variables=variables)
    hook = hook_of(sandbox, monkeypatch, function="codedeploy-gate", contract="codedeploy", receiver=place)
    assert isinstance(ask(hook, call(facts=FACTS)), verdict)


def test_a_function_that_fails_or_is_not_there_is_no_or_unavailable(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(sandbox, "bad", "def handler(e, c): return {'hookStatus': 'FAILED'}")
    assert "answered FAILED" in failed(ask(hook_of(sandbox, monkeypatch, function="bad"), call(facts=FACTS))).reason
    with pytest.raises(HookUnavailableError, match="Function not found"):
        ask(hook_of(sandbox, monkeypatch, function="nobody"), call(facts=FACTS))
    create(sandbox, "good", "def handler(e, c): return {'hookStatus': 'SUCCEEDED'}")
    passed(ask(hook_of(sandbox, monkeypatch, function="good"), call(facts=FACTS)))


def test_an_invocations_event_is_not_in_the_log_of_calls_and_its_function_is(sandbox: RunningSandbox) -> None:
    create(sandbox, "quiet", "def handler(e, c): return 1")
    invoke(sandbox, "quiet", {"note": "nobody's business"})
    logged = [call for call in sandbox.ask("GET", "calls") if call["operation"] == "Invoke"]
    assert {"FunctionName": "quiet"} in [call["parameters"] for call in logged]
    assert "nobody's business" not in repr(logged)
