"""The fixtures that a smoke test needs, and the results of a run one by one.

The ``pytest`` kind loads it by itself. To try tests by hand:
``BLUEGREEN_BASE_URL=http://localhost:8080 pytest -p bluegreen.hooks.pytest_plugin tests/smoke``.
It runs in the interpreter of the tests and imports nothing of bluegreen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass(frozen=True)
class Deployment:
    """``headers`` are what a request needs to reach green; ``facts`` what the hook was told, as strings."""

    base_url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def images(self) -> dict[str, str]:
        """Container to image of the release under test."""
        return dict(json.loads(self.facts.get("images") or "{}"))


@pytest.fixture(scope="session")
def base_url() -> str:
    """Where green is reached: the test route, without a slash at its end."""
    url = os.environ.get("BLUEGREEN_BASE_URL")
    if not url:
        pytest.fail("there is no test route: BLUEGREEN_BASE_URL is not set", pytrace=False)
    return url.rstrip("/")


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    """What is being deployed."""
    told = json.loads(os.environ.get("BLUEGREEN_CALL", "{}"))
    facts = told.get("facts", {})
    name, colon, value = facts.get("test_header", "").partition(":")
    headers = {name.strip(): value.strip()} if colon else {}
    return Deployment(os.environ.get("BLUEGREEN_BASE_URL"), headers, facts)


def pytest_configure(config: pytest.Config) -> None:
    descriptor = os.environ.get("BLUEGREEN_REPORT_FD")
    # A worker of pytest-xdist inherits the variable but not the descriptor; its results come to the controller.
    if descriptor and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Reporter(int(descriptor)), "bluegreen-reporter")


class _Reporter:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._collected = 0
        self._outcomes: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._tell({"collected": len(session.items)})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._tell({"test": report.nodeid, "outcome": "error", "seconds": 0.0, "reason": _reason(report)})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = _outcome(report)
        known = self._outcomes.setdefault(report.nodeid, {"test": report.nodeid, "seconds": 0.0})
        known["seconds"] += report.duration
        if outcome and known.get("outcome") not in ("failed", "error"):
            known |= {"outcome": outcome, "reason": _reason(report) if outcome in ("failed", "error") else ""}
        if report.when == "teardown":
            self._tell(self._outcomes.pop(report.nodeid))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self._tell({"finished": True})

    def _tell(self, fact: dict[str, Any]) -> None:
        os.write(self._descriptor, json.dumps(fact).encode() + b"\n")


def _outcome(report: pytest.TestReport) -> str | None:
    if hasattr(report, "wasxfail"):
        return "xpassed" if report.passed else "xfailed" if report.skipped else None
    if report.when == "call" or report.skipped:
        return str(report.outcome)
    return "error" if report.failed else None


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if crash is None:
        # A collection error is a whole traceback as text: what is wrong stands at its end.
        lines = lines[-1:]
    return lines[0][:500] if lines else ""
