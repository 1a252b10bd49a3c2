"""``load``: a constant rate of requests through the test route, by Locust, with thresholds on what came back.

Locust is a closed model: a user asks, waits for the answer and then for its next turn. With as many users as requests
a second the rate holds while answers take less than a second; whether it held is one of the thresholds.
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import HookCall, Verdict
from bluegreen.hooks.process import Ended
from bluegreen.hooks.running import ProcessHook, Run, Surroundings, how_it_ended
from bluegreen.hooks.words import route_header, took

if TYPE_CHECKING:
    from bluegreen.hooks.settings_remote import LoadSettings

_USERS = Path(__file__).with_name("load_users.py")
_MOST_USERS = 500
_ALWAYS = {"p50": 50.0, "p95": 95.0, "p99": 99.0}


@dataclass(slots=True)
class LoadRun(Run):
    """``reports`` are the lines that the users' file writes, the last one with all counts."""

    reports: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Counts:
    """``times`` counts answers by their latency in milliseconds, ``errors`` failures by their text."""

    requests: int
    failures: int
    seconds: float
    times: Mapping[int, int]
    errors: Mapping[str, int]

    @staticmethod
    def of(report: Mapping[str, Any]) -> Counts:
        times = {int(key): int(count) for key, count in report["times"].items()}
        return Counts(report["requests"], report["failures"], report["seconds"], times, Counter(report["errors"]))

    @property
    def rate(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def failed_percent(self) -> float:
        return 100.0 * self.failures / self.requests if self.requests else 0.0

    def percentile(self, percent: float) -> float:
        """Seconds; the smallest latency that so many of the requests did not exceed."""
        wanted, seen = percent / 100.0 * sum(self.times.values()), 0
        for latency in sorted(self.times):
            seen += self.times[latency]
            if seen >= wanted:
                return latency / 1000.0
        return 0.0


class LoadHook(ProcessHook):
    def __init__(self, settings: LoadSettings, around: Surroundings) -> None:
        super().__init__(settings, around)
        self._load = settings

    def _needs(self, call: HookCall, env: dict[str, str], cwd: Path) -> None:
        if importlib.util.find_spec("locust") is None:
            raise HookUnavailableError("locust is not installed beside bluegreen", hint="pip install 'bluegreen[load]'")
        if call.base_url is None:
            raise HookUnavailableError("there is no test route to put load on", hint="configure test:")

    def _launch(self, call: HookCall, env: dict[str, str], cwd: Path) -> Run:
        header = route_header(call.facts)
        headers = {**({header[0]: header[1]} if header else {}), **self._load.headers}
        users = self._load.users or min(_MOST_USERS, max(1, math.ceil(self._load.rate)))
        told = {
            "paths": self._load.path,
            "headers": headers,
            "status": self._load.status,
            "pace": self._load.rate / users,
            "duration": self._load.duration,
            "timeout": self._load.timeout,
        }
        reports: list[Mapping[str, Any]] = []
        argv = [sys.executable, "-m", "locust", "-f", str(_USERS), "--headless", "--skip-log", "--only-summary"]
        argv += ["--host", call.base_url or "", "-u", str(users), "-r", str(users), "--stop-timeout", "1"]
        env = {**env, "BLUEGREEN_LOAD": json.dumps(told)}
        process = self._process(argv, call, env, cwd, lambda line: reports.append(json.loads(line)))
        redactor = self._around.redactor(call, {**self._load.env, **self._load.headers})
        return LoadRun(call, process, redactor, self._load.output_lines, reports)

    def _judge(self, run: Run, ended: Ended) -> Verdict:
        assert isinstance(run, LoadRun)
        final = next((report for report in reversed(run.reports) if report.get("final")), None)
        if final is None:
            return run.failed(f"locust ended early: {how_it_ended(run, ended)}", {"seconds": ended.seconds})
        counts = Counts.of(final)
        numbers = _numbers(counts)
        summary = f"{counts.requests} requests, {counts.rate:.1f}/s, {_percentiles(counts)}"
        problems = self._problems(counts)
        if problems:
            return run.failed(f"{'; '.join(problems)} ({summary})", numbers)
        return run.passed(f"{summary}, {counts.failed_percent:.2g}% failed", numbers)

    def _progress(self, run: Run) -> str:
        assert isinstance(run, LoadRun)
        if not run.reports:
            return "locust starts"
        last = run.reports[-1]
        return f"{last['requests']} requests, {last['failures']} failed, {last['seconds']:.0f} s"

    def _problems(self, counts: Counts) -> list[str]:
        if not counts.requests:
            return ["no request was answered"]
        problems = []
        if counts.failed_percent > self._load.failures:
            worst = max(counts.errors, key=lambda error: counts.errors[error], default="")
            what = f": {worst} ({counts.errors[worst]} times)" if worst else ""
            problems.append(f"{counts.failed_percent:.3g}% failed, allowed are {self._load.failures:g}%{what}")
        for name, longest in self._load.percentiles.items():
            found = counts.percentile(float(name[1:]))
            if found > longest:
                problems.append(f"{name} is {took(found)}, allowed are {took(longest)}")
        least = self._load.rate * self._load.reached / 100.0
        if counts.rate < least:
            problems.append(f"{counts.rate:.1f} requests a second, {self._load.rate:g} were wanted")
        return problems


def _numbers(counts: Counts) -> dict[str, float]:
    numbers = {
        "requests": float(counts.requests),
        "failures": float(counts.failures),
        "rate": counts.rate,
        "seconds": counts.seconds,
    }
    return numbers | {f"{name}_ms": counts.percentile(percent) * 1000 for name, percent in _ALWAYS.items()}


def _percentiles(counts: Counts) -> str:
    return ", ".join(f"{name} {took(counts.percentile(percent))}" for name, percent in _ALWAYS.items())
