"""What Locust runs for the ``load`` kind: users that ask the paths in turn, each at its own constant pace.

It reads ``BLUEGREEN_LOAD`` and writes JSON lines with the counts to ``BLUEGREEN_REPORT_FD``; imports no bluegreen.
Every request that began within the duration is counted: at its end those under way have the time that each request
has, and what is open then has failed.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections import Counter
from typing import Any, ClassVar

import gevent  # type: ignore[import-untyped]
from locust import HttpUser, constant_throughput, events, task
from locust.env import Environment

_TOLD: dict[str, Any] = json.loads(os.environ["BLUEGREEN_LOAD"])
_REPORT_FD = int(os.environ["BLUEGREEN_REPORT_FD"])
_EVERY = 1.0
_LOOK = 0.02

_NO_ANSWER = "no answer by the end"


class Visitor(HttpUser):
    wait_time = constant_throughput(_TOLD["pace"])
    paths = itertools.cycle(_TOLD["paths"])
    began: ClassVar[dict[int, float]] = {}
    is_over: ClassVar[bool] = False

    @task
    def ask(self) -> None:
        if Visitor.is_over:
            return
        self.began[id(self)] = time.monotonic()
        try:
            self._ask(next(self.paths))
        finally:
            del self.began[id(self)]

    def _ask(self, path: str) -> None:
        with self.client.get(
            path, headers=_TOLD["headers"], catch_response=True, allow_redirects=False, timeout=_TOLD["timeout"]
        ) as answer:
            if answer.status_code == 0:
                return  # locust counted the exception already
            if any(low <= answer.status_code <= high for low, high in _TOLD["status"]):
                answer.success()
            else:
                answer.failure(f"status {answer.status_code}")


def _end_in_time(environment: Environment, **_: Any) -> None:
    began = time.monotonic()

    def watch() -> None:
        while (passed := time.monotonic() - began) < _TOLD["duration"]:
            gevent.sleep(min(_EVERY, _TOLD["duration"] - passed))
            _tell(environment, time.monotonic() - began, final=False)
        Visitor.is_over = True
        ended = time.monotonic()
        while Visitor.began and time.monotonic() - ended < _TOLD["timeout"] + _EVERY:
            gevent.sleep(_LOOK)
        _tell(environment, ended - began, final=True)
        # A release that fails its thresholds is bluegreen's to judge, not an error of locust's.
        environment.process_exit_code = 0
        if environment.runner is not None:
            environment.runner.quit()

    gevent.spawn(watch)


def _tell(environment: Environment, seconds: float, *, final: bool) -> None:
    total = environment.stats.total
    now = time.monotonic()
    unanswered = [int((now - since) * 1000) for since in Visitor.began.values()] if final else []
    report: dict[str, Any] = {
        "requests": total.num_requests + len(unanswered),
        "failures": total.num_failures + len(unanswered),
        "seconds": seconds,
        "final": final,
    }
    if final:
        times = Counter({int(latency): count for latency, count in total.response_times.items()})
        times.update(unanswered)
        report["times"] = {str(latency): count for latency, count in times.items()}
        report["errors"] = {_short(error): found.occurrences for error, found in _errors(environment)}
        if unanswered:
            report["errors"][_NO_ANSWER] = len(unanswered)
    os.write(_REPORT_FD, json.dumps(report).encode() + b"\n")


def _errors(environment: Environment) -> list[tuple[str, Any]]:
    return [(str(found.error), found) for found in environment.stats.errors.values()]


def _short(text: str) -> str:
    return text[:200]


events.test_start.add_listener(_end_in_time)  # type: ignore[no-untyped-call]
