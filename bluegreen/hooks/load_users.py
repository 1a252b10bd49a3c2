"""What Locust runs for the ``load`` kind: users that ask the paths in turn, each at its own constant pace.

It reads ``BLUEGREEN_LOAD`` and writes JSON lines with the counts to ``BLUEGREEN_REPORT_FD``; imports no bluegreen.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from typing import Any

import gevent  # type: ignore[import-untyped]
from locust import HttpUser, constant_throughput, events, task
from locust.env import Environment

_TOLD: dict[str, Any] = json.loads(os.environ["BLUEGREEN_LOAD"])
_REPORT_FD = int(os.environ["BLUEGREEN_REPORT_FD"])
_EVERY = 1.0


class Visitor(HttpUser):
    wait_time = constant_throughput(_TOLD["pace"])
    paths = itertools.cycle(_TOLD["paths"])

    @task
    def ask(self) -> None:
        path = next(self.paths)
        with self.client.get(
            path, headers=_TOLD["headers"], catch_response=True, allow_redirects=False, timeout=10
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
        _tell(environment, time.monotonic() - began, final=True)
        # A release that fails its thresholds is bluegreen's to judge, not an error of locust's.
        environment.process_exit_code = 0
        if environment.runner is not None:
            environment.runner.quit()

    gevent.spawn(watch)


def _tell(environment: Environment, seconds: float, *, final: bool) -> None:
    total = environment.stats.total
    report: dict[str, Any] = {
        "requests": total.num_requests,
        "failures": total.num_failures,
        "seconds": seconds,
        "final": final,
    }
    if final:
        report["times"] = {str(int(latency)): count for latency, count in total.response_times.items()}
        report["errors"] = {_short(error): found.occurrences for error, found in _errors(environment)}
    os.write(_REPORT_FD, json.dumps(report).encode() + b"\n")


def _errors(environment: Environment) -> list[tuple[str, Any]]:
    return [(str(found.error), found) for found in environment.stats.errors.values()]


def _short(text: str) -> str:
    return text[:200]


events.test_start.add_listener(_end_in_time)  # type: ignore[no-untyped-call]
