"""``stepfunctions``: an execution of a standard state machine, started once and followed to its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bluegreen.errors import AwsError, NotFoundError
from bluegreen.hooks.base import Failed, HookCall, Verdict
from bluegreen.hooks.remote import RemoteHook, Started, links_of, passed_in, run_name
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.words import call_json, finite, took

if TYPE_CHECKING:
    from bluegreen.hooks.settings_remote import StepFunctionsSettings

_GOES_ON = ("RUNNING", "PENDING_REDRIVE")
_NOT_THERE = "ExecutionDoesNotExist"
_THERE_ALREADY = "ExecutionAlreadyExists"


class StepFunctionsHook(RemoteHook):
    def __init__(self, settings: StepFunctionsSettings, around: Surroundings) -> None:
        super().__init__(f"state machine {settings.state_machine.rpartition(':')[2]}", settings.keep, around)
        self._settings = settings

    def _find(self, call: HookCall, attempt: int) -> Started | None:
        if attempt == call.attempt:
            return None  # its start is idempotent: the same name is the same execution
        try:
            seen = self._describe(self._arn(call, attempt))
        except AwsError as error:
            if isinstance(error, NotFoundError) or error.code == _NOT_THERE:
                return None
            raise
        usable = seen["status"] in (*_GOES_ON, "SUCCEEDED")
        return Started(seen["executionArn"], _began(seen)) if usable else None

    def _start(self, call: HookCall) -> Started:
        aws = self._around.aws()
        told = {**self._settings.input, "bluegreen": json.loads(call_json(call))}
        try:
            aws.write(
                aws.stepfunctions.start_execution,
                stateMachineArn=self._settings.state_machine,
                name=run_name(call, call.attempt),
                input=json.dumps(told, sort_keys=True),
            )
        except AwsError as error:
            if error.code != _THERE_ALREADY:
                raise
        return Started(self._arn(call, call.attempt), self._around.clock.now())

    def _ask(self, started: Started) -> Verdict:
        seen = self._describe(started.id)
        ran = max(0.0, self._around.clock.now() - started.began)
        status = str(seen["status"])
        if status in _GOES_ON:
            said = f"{self._title} has run for {took(ran)}: {_name(started)}"
            return self._pending(started, said, self._links(started))
        if status == "SUCCEEDED":
            output = _document(seen.get("output"))
            said, redactor = self._say(f"{self._title} succeeded in {took(ran)}"), self._around.redactor()
            links = {name: redactor.text(place) for name, place in links_of(output).items()}
            return passed_in(said, ran, finite(output), {**links, **self._links(started)})
        cause = ": ".join(str(seen[key]) for key in ("error", "cause") if seen.get(key))
        reason = f"{self._title} ended {status}{': ' if cause else ''}{cause} ({_name(started)})"
        return Failed(self._say(reason), (), {"seconds": ran}, self._links(started))

    def _stop(self, started: Started) -> None:
        aws = self._around.aws()
        try:
            aws.write(
                aws.stepfunctions.stop_execution,
                executionArn=started.id,
                error="bluegreen",
                cause="the hook was cancelled",
            )
        except AwsError as error:
            if error.code != _NOT_THERE:
                raise

    def _describe(self, arn: str) -> Mapping[str, Any]:
        aws = self._around.aws()
        seen: Mapping[str, Any] = aws.read(aws.stepfunctions.describe_execution, executionArn=arn)
        return seen

    def _arn(self, call: HookCall, attempt: int) -> str:
        machine = self._settings.state_machine.replace(":stateMachine:", ":execution:")
        return f"{machine}:{run_name(call, attempt)}"

    def _links(self, started: Started) -> dict[str, str]:
        region = started.id.split(":")[3]
        console = f"https://{region}.console.aws.amazon.com/states/home?region={region}"
        return {"execution": f"{console}#/v2/executions/details/{started.id}"}


def _name(started: Started) -> str:
    return started.id.rpartition(":")[2]


def _began(seen: Mapping[str, Any]) -> float:
    return float(seen["startDate"].timestamp())


def _document(text: object) -> dict[str, object]:
    try:
        parsed = json.loads(str(text))
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
