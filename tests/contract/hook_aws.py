"""AWS as far as hooks speak to it, in memory: what was started stays, whoever asks. Errors are botocore's own."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from bluegreen.aws.calls import Calls
from bluegreen.clock import Clock, FakeClock
from bluegreen.domain.approval import Decision
from bluegreen.errors import StoreUnavailableError

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:verify"
SERVICE_ARN = "arn:aws:ecs:eu-west-1:123456789012:service/production/"


def refused(operation: str, code: str, message: str = "", status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


@dataclass
class FakeStates:
    """Step Functions: executions by ARN. ``down`` makes every call fail, ``lost`` the next answer to a start.

    ``slow_to_stop``: what was stopped runs on for a while.
    """

    down: bool = False
    lost: bool = False
    slow_to_stop: bool = False
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:
        self._answer("StartExecution")
        arn = f"{stateMachineArn.replace(':stateMachine:', ':execution:')}:{name}"
        found = self.executions.get(arn)
        if found is not None and (found["status"] != "RUNNING" or found["input"] != input):
            raise refused("StartExecution", "ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        began = datetime.fromtimestamp(1_700_000_000, UTC)
        self.executions.setdefault(arn, {"executionArn": arn, "status": "RUNNING", "input": input, "startDate": began})
        if self.lost:
            self.lost = False
            raise refused("StartExecution", "InternalFailure", "no answer", 500)
        return {"executionArn": arn}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        self._answer("DescribeExecution")
        if executionArn not in self.executions:
            raise refused("DescribeExecution", "ExecutionDoesNotExist", "Execution Does Not Exist")
        return self.executions[executionArn]

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> None:
        self._answer("StopExecution")
        self.stopped.append(executionArn)
        if not self.slow_to_stop:
            self.executions[executionArn] |= {"status": "ABORTED", "error": error, "cause": cause}

    def end(self, status: str, **more: str) -> None:
        for execution in self.executions.values():
            if execution["status"] == "RUNNING":
                execution |= {"status": status, **more}

    def _answer(self, operation: str) -> None:
        if self.down:
            raise refused(operation, "ThrottlingException", "Rate exceeded")


@dataclass
class FakeBuilds:
    """CodeBuild. ``forgets``: idempotency tokens have expired, as after five minutes.

    ``slow_to_stop``: StopBuild answers at once, and the build is IN_PROGRESS for some seconds more, as on AWS.
    """

    down: bool = False
    lost: bool = False
    forgets: bool = False
    slow_to_stop: bool = False
    builds: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)

    def start_build(
        self, *, projectName: str, idempotencyToken: str, environmentVariablesOverride: Any, **_more: Any
    ) -> dict[str, Any]:
        self._answer("StartBuild")
        if projectName == "none":
            raise refused("StartBuild", "ResourceNotFoundException", "Project cannot be found")
        known = None if self.forgets else self.tokens.get(idempotencyToken)
        build_id = known or f"{projectName}:{len(self.builds) + 1}"
        self.tokens[idempotencyToken] = build_id
        self.builds.setdefault(
            build_id,
            {
                "id": build_id,
                "buildStatus": "IN_PROGRESS",
                "currentPhase": "BUILD",
                "startTime": datetime.fromtimestamp(1_700_000_000, UTC),
                "environment": {"environmentVariables": environmentVariablesOverride},
                "logs": {"deepLink": f"https://console.example/{build_id}"},
                "phases": [],
            },
        )
        if self.lost:
            self.lost = False
            raise refused("StartBuild", "InternalFailure", "no answer", 500)
        return {"build": self.builds[build_id]}

    def batch_get_builds(self, *, ids: list[str]) -> dict[str, Any]:
        self._answer("BatchGetBuilds")
        return {"builds": [self.builds[each] for each in ids if each in self.builds]}

    def list_builds_for_project(self, *, projectName: str, sortOrder: str) -> dict[str, Any]:
        self._answer("ListBuildsForProject")
        return {"ids": [each for each in reversed(self.builds) if each.startswith(f"{projectName}:")]}

    def stop_build(self, *, id: str) -> None:
        self._answer("StopBuild")
        self.stopped.append(id)
        if not self.slow_to_stop:
            self.builds[id]["buildStatus"] = "STOPPED"

    def end(self, status: str, why: str = "") -> None:
        for build in self.builds.values():
            if build["buildStatus"] == "IN_PROGRESS":
                build["buildStatus"] = status
                if why:
                    contexts = [{"message": why}]
                    build["phases"] = [{"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": contexts}]

    def _answer(self, operation: str) -> None:
        if self.down:
            raise refused(operation, "ThrottlingException", "Rate exceeded")


@dataclass
class FakeFunctions:
    """Lambda: one function, written as a Python callable; what it raises is a function error."""

    function: Callable[[dict[str, Any]], Any] = lambda event: {"hookStatus": "SUCCEEDED"}
    refusal: ClientError | None = None
    hang: threading.Event | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:
        if self.refusal is not None:
            raise self.refusal
        event = json.loads(Payload)
        self.events.append(event)
        if self.hang is not None:
            self.hang.wait(30)
        try:
            answer = self.function(event)
        except Exception as error:
            told = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {"Payload": io.BytesIO(json.dumps(told).encode()), "FunctionError": "Unhandled"}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@dataclass
class FakeEcs:
    revisions: dict[str, str] = field(default_factory=dict)

    def describe_services(self, *, cluster: str, services: list[str]) -> dict[str, Any]:
        found = [{"serviceName": name, "serviceArn": SERVICE_ARN + name} for name in services]
        for each in found:
            if each["serviceName"] in self.revisions:
                each["currentServiceRevisions"] = [{"arn": self.revisions[each["serviceName"]]}]  # type: ignore[assignment]
        return {"services": found}


@dataclass
class FakeCloudWatch:
    """Answers each GetMetricData by the next of ``answers``, the last for ever; an exception is raised."""

    answers: list[Any] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def get_metric_data(self, **query: Any) -> dict[str, Any]:
        self.asked.append(query)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        result = answer if isinstance(answer, dict) else {"Values": answer, "Timestamps": _ended(query, len(answer))}
        return {"MetricDataResults": [{"Id": "bluegreen_answer", "StatusCode": "Complete", **result}]}


def _ended(query: Mapping[str, Any], number: int) -> list[datetime]:
    """When the newest periods that have ended began."""
    asked = query["MetricDataQueries"][-1]
    period = asked["Period"] if "Period" in asked else asked["MetricStat"]["Period"]
    return [query["EndTime"] - timedelta(seconds=period * (index + 1)) for index in range(number)]


@dataclass
class FakeAws:
    """Stands for Clients. Reads and writes go through the real Calls, with a clock on which pauses cost nothing."""

    stepfunctions: FakeStates = field(default_factory=FakeStates)
    codebuild: FakeBuilds = field(default_factory=FakeBuilds)
    lambdas: FakeFunctions = field(default_factory=FakeFunctions)
    ecs: FakeEcs = field(default_factory=FakeEcs)
    cloudwatch: FakeCloudWatch = field(default_factory=FakeCloudWatch)
    clock: Clock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        calls = Calls(self.clock)
        self.read, self.write = calls.read, calls.write

    def functions(self, read_seconds: float) -> FakeFunctions:
        return self.lambdas


@dataclass
class FakeApprovals:
    down: bool = False
    decisions: dict[tuple[str, str], Decision] = field(default_factory=dict)

    def decision(self, deployment_id: str, key: str) -> Decision | None:
        if self.down:
            raise StoreUnavailableError("the table gives no answer")
        return self.decisions.get((deployment_id, key))
