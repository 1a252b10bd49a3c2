"""``lambda``: a function that was written as a hook for ECS's blue/green deployments, or for CodeDeploy's.

ECS (developer guide, "Lambda hooks for Amazon ECS service deployments"): the function's answer has a ``hookStatus``;
with IN_PROGRESS it is invoked again after ``callBackDelay`` seconds, and what it returns as ``hookDetails`` is handed
to it then. CodeDeploy: the function calls PutLifecycleEventHookExecutionStatus; see ``codedeploy.py``.
"""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bluegreen.errors import BluegreenError, HookLostError, HookUnavailableError, LockedError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Verdict
from bluegreen.hooks.codedeploy import Receiver, codedeploy_event, said_in
from bluegreen.hooks.lifecycle_event import EcsEvents
from bluegreen.hooks.remote import answered, run_name
from bluegreen.hooks.running import Surroundings, again_in
from bluegreen.hooks.words import shortened, took
from bluegreen.redact import Redactor

if TYPE_CHECKING:
    from bluegreen.hooks.settings_remote import LambdaSettings

CALL_BACK_SECONDS = 30.0
"""ECS's default between two invocations."""

LONGEST_FUNCTION = 900.0
_SPARE = 30.0
_OUTPUT_SIZE = 16 * 1024
_LINES = 50
_LARGEST_HANDLE = 8 * 1024


@dataclass(slots=True)
class Invocations:
    """One hook's calls of its function; ``event`` has what the function gave itself for the next one."""

    timeout: float
    event: dict[str, Any]
    redactor: Redactor
    began: float
    number: int = 0
    running: Invocation | None = None
    again_at: float | None = None
    cancelled: bool = False
    closed: Verdict | HookUnavailableError | None = None


@dataclass(slots=True)
class Invocation:
    """Filled in by the thread that waits for the function."""

    done: threading.Event = field(default_factory=threading.Event)
    payload: bytes = b""
    function_error: str = ""
    problem: BluegreenError | None = None


class LambdaHook:
    def __init__(self, settings: LambdaSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around
        self._events = EcsEvents(settings, around)
        self._known: dict[str, Invocations] = {}
        self._client: Any = None
        place = settings.receiver
        self._receiver = around.links.receivers.setdefault(place, Receiver.at(place)) if place else None

    def start(self, call: HookCall) -> Verdict:
        is_ecs = self._settings.contract == "ecs"
        # The same for the same attempt, so that a function knows it again; for CodeDeploy one that nobody can guess.
        execution = str(uuid.uuid5(uuid.NAMESPACE_URL, run_name(call, call.attempt)) if is_ecs else uuid.uuid4())
        with answered(self._title):
            event = self._events.event(call, execution) if is_ecs else codedeploy_event(call, execution)
        if self._receiver is not None:
            self._receiver.expect(execution)
        run = Invocations(call.timeout, event, self._around.redactor(call), self._around.clock.monotonic())
        self._known[execution] = run
        self._invoke(run)
        return self._pending(execution, run)

    def poll(self, handle: str) -> Verdict:
        execution = _state_of(handle)["execution"]
        run = self._known.get(execution) or self._taken_over(handle)
        if run.closed is None:
            run.closed = self._look(execution, run)
        if run.closed is None:
            return self._pending(execution, run)
        self._forget(execution)
        if isinstance(run.closed, HookUnavailableError):
            raise run.closed
        return run.closed

    def cancel(self, handle: str) -> None:
        """Nothing can stop a function that runs; it is not invoked again and its answer is not waited for."""
        execution = str(_state_of(handle)["execution"])
        run = self._known.get(execution)
        if run is not None:
            run.cancelled = True
        self._forget(execution)

    @property
    def _title(self) -> str:
        return f"function {self._settings.function.rpartition('function:')[2]}"

    def _look(self, execution: str, run: Invocations) -> Verdict | HookUnavailableError | None:
        elapsed = self._around.clock.monotonic() - run.began
        if run.cancelled:
            return Failed(f"cancelled after {took(elapsed)}")
        if self._receiver is not None and (told := self._receiver.status_of(execution)):
            return self._settled(run, told, "told bluegreen's receiver")
        if run.running is not None and run.running.done.is_set():
            invocation, run.running = run.running, None
            verdict = self._judge(run, invocation)
            if verdict is not None:
                return verdict
        if elapsed > run.timeout:
            return Failed(run.redactor.text(f"{self._title} gave no verdict: no end after {took(run.timeout)}"))
        if run.running is None and run.again_at is not None and self._around.clock.now() >= run.again_at:
            self._invoke(run)
        return None

    def _judge(self, run: Invocations, ended: Invocation) -> Verdict | HookUnavailableError | None:
        if isinstance(ended.problem, LockedError):
            raise ended.problem
        if ended.problem is not None:
            return HookUnavailableError(
                self._say(run, f"{self._title}: {ended.problem.message}"), hint=ended.problem.hint
            )
        if ended.function_error:
            return self._failed(run, ended, f"{self._title} failed ({ended.function_error}): {_error_in(ended)}")
        if self._settings.contract == "ecs":
            return self._ecs_answer(run, ended)
        return self._codedeploy_answer(run, ended)

    def _ecs_answer(self, run: Invocations, ended: Invocation) -> Verdict | None:
        answer = _mapping(ended.payload)
        status = answer.get("hookStatus")
        if status == "SUCCEEDED":
            return self._settled(run, "Succeeded", "answered SUCCEEDED")
        if status == "FAILED":
            return self._failed(run, ended, f"{self._title} answered FAILED: {_text(ended)}")
        delay = _delay(answer.get("callBackDelay"))
        if status != "IN_PROGRESS" or delay is None:
            return self._failed(run, ended, f"{self._title} gave no valid hookStatus: {_text(ended)}")
        if isinstance(answer.get("hookDetails"), dict):
            run.event = {**run.event, "hookDetails": answer["hookDetails"]}
        run.again_at = self._around.clock.now() + delay
        return None

    def _codedeploy_answer(self, run: Invocations, ended: Invocation) -> Verdict | None:
        """Its verdict is the call it made; without a receiver only what it returned can be known."""
        told = said_in(ended.payload)
        if told is not None:
            return self._settled(run, told, "returned its status", ended)
        if self._receiver is not None:
            return None
        return self._failed(
            run,
            ended,
            f"{self._title} returned neither Succeeded nor Failed, and no receiver takes the call it makes: "
            f"{_text(ended)}",
        )

    def _settled(self, run: Invocations, status: str, how: str, ended: Invocation | None = None) -> Verdict:
        seconds = self._around.clock.monotonic() - run.began
        times = f" at invocation {run.number}" if run.number > 1 else ""
        text = self._say(run, f"{self._title} {how}: {status} after {took(seconds)}{times}")
        numbers = {"seconds": seconds, "invocations": float(run.number)}
        if status == "Succeeded":
            return Passed(text, (), numbers)
        return Failed(text, self._output(run, ended) if ended else (), numbers)

    def _failed(self, run: Invocations, ended: Invocation, reason: str) -> Failed:
        seconds = self._around.clock.monotonic() - run.began
        numbers = {"seconds": seconds, "invocations": float(run.number)}
        return Failed(self._say(run, reason), self._output(run, ended), numbers)

    def _output(self, run: Invocations, ended: Invocation) -> tuple[str, ...]:
        return run.redactor.tail(_pretty(ended.payload), cut=False, lines=_LINES, size=_OUTPUT_SIZE)

    def _say(self, run: Invocations, text: str) -> str:
        return shortened(run.redactor.text(text))

    def _invoke(self, run: Invocations) -> None:
        run.number += 1
        run.again_at = None
        run.running = Invocation()
        # A daemon: a function that runs for its fifteen minutes must not keep this program from ending.
        threading.Thread(
            target=self._wait_for_function, args=(run.event, run.running), name="hook-lambda", daemon=True
        ).start()

    def _wait_for_function(self, event: dict[str, Any], into: Invocation) -> None:
        try:
            aws = self._around.aws()
            if self._client is None:
                self._client = aws.functions(LONGEST_FUNCTION + _SPARE)
            answer = aws.write(
                self._client.invoke,
                FunctionName=self._settings.function,
                InvocationType="RequestResponse",
                Payload=json.dumps(event).encode(),
            )
            into.payload = answer["Payload"].read()
            into.function_error = str(answer.get("FunctionError", ""))
        except BluegreenError as error:
            into.problem = error
        except Exception as error:  # a thread that ends in silence would leave the hook pending for ever
            into.problem = HookUnavailableError(f"{type(error).__name__}: {error}")
        finally:
            into.done.set()

    def _pending(self, execution: str, run: Invocations) -> Pending:
        waits = run.running is None and run.again_at is not None
        state = {"execution": execution, "number": run.number, "again_at": run.again_at if waits else None}
        if waits and run.again_at is not None:
            left = max(0.0, run.again_at - self._around.clock.now())
            handle = json.dumps({**state, "event": run.event, "timeout": run.timeout})
            if len(handle) > _LARGEST_HANDLE or run.redactor.text(handle) != handle:
                handle = json.dumps(state)  # the record keeps no secret: another driver begins anew
            return Pending(handle, min(left, 5.0) + 0.05, f"IN_PROGRESS, invoked again in {took(left)}")
        elapsed = self._around.clock.monotonic() - run.began
        return Pending(json.dumps(state), again_in(elapsed), f"{self._title}, invocation {run.number}")

    def _taken_over(self, handle: str) -> Invocations:
        """Between two invocations another driver may go on; one that was running has answered nobody."""
        state = _state_of(handle)
        if state.get("again_at") is None or "event" not in state:
            raise HookLostError(f"the process that invoked {self._title} has ended, and its answer with it")
        began, redactor = self._around.clock.monotonic(), self._around.redactor()
        run = Invocations(float(state["timeout"]), state["event"], redactor, began, int(state["number"]))
        run.again_at = float(state["again_at"])
        self._known[str(state["execution"])] = run
        return run

    def _forget(self, execution: str) -> None:
        if self._receiver is not None:
            self._receiver.forget(execution)


def _state_of(handle: str) -> dict[str, Any]:
    try:
        state = json.loads(handle)
    except ValueError:
        state = None
    if not isinstance(state, dict) or "execution" not in state:
        raise HookLostError("the process that ran this hook has ended, and the hook with it")
    return state


def _mapping(payload: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(payload)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _delay(written: object) -> float | None:
    """None for what is no delay: ECS would not know what to do with it either."""
    if written is None:
        return CALL_BACK_SECONDS
    try:
        delay = float(written)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return delay if 0 <= delay < float("inf") and not isinstance(written, bool) else None


def _error_in(ended: Invocation) -> str:
    answer = _mapping(ended.payload)
    said = ": ".join(str(answer[key]) for key in ("errorType", "errorMessage") if answer.get(key))
    return said or _text(ended)


def _text(ended: Invocation) -> str:
    return ended.payload.decode("utf-8", "replace") or "an empty answer"


def _pretty(payload: bytes) -> str:
    try:
        return json.dumps(json.loads(payload), indent=1)
    except ValueError:
        return payload.decode("utf-8", "replace")
