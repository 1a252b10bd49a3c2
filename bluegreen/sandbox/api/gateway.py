"""One request, from the socket to the answer: limits, faults, the emulator, and the world made to follow.

A mutating call on services, listeners or stacks is answered only after the load balancer serves what it asked
for, so that the answer means traffic follows.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bluegreen.clock import Clock
from bluegreen.sandbox.api.answer import Answer, error_answer
from bluegreen.sandbox.api.authorize import Policies
from bluegreen.sandbox.api.calls import CallLog
from bluegreen.sandbox.api.faults import AnswerHistory, Fault, Faults
from bluegreen.sandbox.api.lambda_functions import LambdaFunctions
from bluegreen.sandbox.api.request import Call, Environ, read_call
from bluegreen.sandbox.api.throttle import Throttles, throttle_error

CONTROL_PATH = "/_sandbox/"
_MOVES_THE_WORLD = {"elbv2", "ecs", "cloudformation", "application-autoscaling", "secretsmanager", "ssm"}
_MOVES_TRAFFIC = {"elbv2", "cloudformation"}
_ERROR_CODE = re.compile(rb"<Code>([^<]+)</Code>|\"__type\": ?\"(?:[^\"#]*#)?([^\"]+)\"")
_log = logging.getLogger(__name__)

Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Gateway:
    """The WSGI application of the sandbox."""

    def __init__(
        self,
        *,
        emulator: Wsgi,
        control: Callable[[Environ], Answer],
        reconcile: Callable[[], None],
        wake: Callable[[], None],
        throttles: Throttles,
        faults: Faults,
        policies: Policies,
        calls: CallLog,
        clock: Clock,
        functions: LambdaFunctions | None = None,
    ) -> None:
        self._emulator = emulator
        self._control = control
        self._reconcile = reconcile
        self._wake = wake
        self._throttles = throttles
        self._faults = faults
        self._policies = policies
        self._calls = calls
        self._clock = clock
        self._functions = functions
        self._history = AnswerHistory(clock)
        # The emulator's backends are plain dicts: one call at a time inside them.
        self._one_at_a_time = threading.RLock()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ.setdefault("RAW_URI", environ.get("REQUEST_URI") or environ.get("PATH_INFO", "/"))
        if environ.get("PATH_INFO", "").startswith(CONTROL_PATH):
            return self._control(environ).send(start_response)
        started, begun = self._clock.now(), self._clock.monotonic()
        call = read_call(environ)
        answer = self._with_limits(call, environ)
        self._calls.record(
            call,
            status=answer.status,
            error=_error_code(answer),
            started=started,
            seconds=self._clock.monotonic() - begun,
        )
        return _named(answer, call).send(start_response)

    def forget(self) -> None:
        """Every token back, no call remembered; faults stay."""
        self._throttles.reset()
        self._calls.reset()
        self._history.clear()

    def _with_limits(self, call: Call, environ: Environ) -> Answer:
        if not self._throttles.admits(call):
            return error_answer(call, 400, throttle_error(call), "Rate exceeded")
        refusal = self._policies.refusal(call, environ)
        return refusal or self._with_faults(call, environ, self._faults.meet(call))

    def _with_faults(self, call: Call, environ: Environ, met: Sequence[Fault]) -> Answer:
        for fault in met:
            self._clock.sleep(fault.latency)
        for fault in met:
            if fault.error is not None and not fault.after:
                return error_answer(call, fault.status, fault.error, fault.message)
        answer = self._execute(call, environ)
        for fault in met:
            if fault.error is not None:
                return error_answer(call, fault.status, fault.error, fault.message)
        return self._aged(call, answer, met)

    def _aged(self, call: Call, answer: Answer, met: Sequence[Fault]) -> Answer:
        if not call.is_read:
            return answer
        stale = max((fault.stale for fault in met if fault.stale is not None), default=None)
        old = None if stale is None else self._history.as_of(call, stale)
        if stale is not None or self._faults.watches(call):
            self._history.remember(call, answer)
        return old or answer

    def _execute(self, call: Call, environ: Environ) -> Answer:
        try:
            if self._functions is not None and call.name == "lambda:Invoke":
                with self._one_at_a_time:
                    run = self._functions.plan(call, environ)
                return run()  # outside: a function may call this API itself
            with self._one_at_a_time:
                answer = _ask(self._emulator, environ)
            if answer.ok and not call.is_read:
                self._follow(call)
        except Exception:
            _log.exception("%s failed", call.name)
            return error_answer(call, 500, "InternalFailure", f"the sandbox failed in {call.name}; see its log")
        return answer

    def _follow(self, call: Call) -> None:
        if call.service in _MOVES_TRAFFIC:
            self._reconcile()
        if call.service in _MOVES_THE_WORLD:
            self._wake()


def _ask(emulator: Wsgi, environ: Environ) -> Answer:
    seen: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], None]:
        seen[:] = [int(status.split()[0]), tuple(headers)]
        return lambda _: None

    chunks = emulator(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return Answer(seen[0], seen[1], body)


def _named(answer: Answer, call: Call) -> Answer:
    """The answer under the call's own request id, so that the log and the caller name the same request."""
    kept = tuple(h for h in answer.headers if h[0].lower() not in {"x-amzn-requestid", "server", "date", "connection"})
    body = re.sub(rb"(?<=<[Rr]equestId>)[^<]*(?=</[Rr]equestId>)", call.request_id.encode(), answer.body, count=1)
    return Answer(answer.status, (*kept, ("x-amzn-RequestId", call.request_id)), body)


def _error_code(answer: Answer) -> str | None:
    if answer.ok:
        return None
    found = _ERROR_CODE.search(answer.body)
    if found is None:
        return dict(answer.headers).get("x-amzn-ErrorType", "Unknown")
    return (found.group(1) or found.group(2)).decode()
