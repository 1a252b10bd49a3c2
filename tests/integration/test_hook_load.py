"""The ``load`` kind with a real Locust: the rate, the thresholds, and who is to blame when they do not hold."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.errors import HookLostError, HookUnavailableError
from bluegreen.hooks.base import Hook, Pending
from bluegreen.hooks.load import Counts
from bluegreen.hooks.settings_remote import LoadSettings
from tests.contract.hook_kit import PLANTED, Release, alive, ask, call, failed, hook, passed, serving, until, wait

pytestmark = pytest.mark.xdist_group("load")


@pytest.fixture
def release() -> Iterator[Release]:
    with serving(Release()) as release:
        release.answers["/slow"] = (200, "late")
        yield release


def load(folder: Path, **settings: object) -> Hook:
    return hook("load", {"path": "/health", "rate": 20, "duration": "2s", **settings}, folder)


def test_a_constant_rate_through_the_test_route_passes_with_its_numbers(tmp_path: Path, release: Release) -> None:
    release.answers["/api"] = (200, "{}")
    asked = load(tmp_path, path=["/health", "/api"], percentiles={"p99": "5s"}, headers={"X-Load": "1"})
    verdict = passed(ask(asked, call(release.url, facts={"test_header": "X-Test: green"})))
    assert verdict.numbers["failures"] == 0
    assert 18 <= verdict.numbers["rate"] <= 22
    assert len(release.seen) == verdict.numbers["requests"]
    assert {path for _, path, _, _ in release.seen} == {"/health", "/api"}
    assert all(headers.get("X-Test") == "green" and headers.get("X-Load") == "1" for _, _, headers, _ in release.seen)
    assert "p99" in verdict.detail


def test_failures_and_latencies_over_their_thresholds_fail_and_are_told_without_a_secret(
    tmp_path: Path, release: Release
) -> None:
    release.answers["/health"] = (500, f"token {PLANTED}")
    asked = load(tmp_path, failures="1%", duration="1s", percentiles={"p50": "0.1ms"})
    verdict = failed(ask(asked, call(release.url)))
    assert "100% failed, allowed are 1%: " in verdict.reason
    assert "status 500" in verdict.reason
    assert "p50 is" in verdict.reason
    assert PLANTED not in repr(verdict)


def test_a_release_that_never_answers_has_failed(tmp_path: Path, release: Release) -> None:
    asked = load(tmp_path, path="/silent", rate=4, duration="1s", timeout="500ms")
    verdict = failed(ask(asked, call(release.url)))
    assert "100% failed" in verdict.reason
    assert "timed out" in verdict.reason


@pytest.mark.parametrize("path", ["/silent", "/drip"])
def test_a_request_that_is_never_answered_is_counted_though_the_time_is_over_first(
    tmp_path: Path, release: Release, path: str
) -> None:
    paths = ["/health"] * 19 + [path]
    asked = load(tmp_path, path=paths, users=40, timeout="1s", percentiles={"p99": "900ms"})
    verdict = failed(ask(asked, call(release.url)))
    assert verdict.numbers["failures"] >= 2
    assert len(release.seen) == verdict.numbers["requests"]
    assert "p99 is" in verdict.reason


def test_a_slow_answer_that_was_under_way_at_the_end_is_no_failure(tmp_path: Path, release: Release) -> None:
    release.slow = 0.7
    asked = load(tmp_path, path="/late", rate=4, users=8, duration="1s")
    verdict = passed(ask(asked, call(release.url)))
    assert len(release.seen) == verdict.numbers["requests"]


def test_without_a_test_route_it_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(HookUnavailableError, match="no test route"):
        load(tmp_path).start(call(None))


def test_a_load_that_outlasts_its_timeout_is_ended_and_one_that_is_cancelled_too(
    tmp_path: Path, release: Release
) -> None:
    verdict = failed(ask(load(tmp_path, duration="60s"), call(release.url, timeout=1.5)))
    assert "no end after 1.5 s" in verdict.reason
    asked = load(tmp_path, duration="60s")
    pending: Any = asked.start(call(release.url))
    asked.cancel(pending.handle)
    assert "cancelled" in failed(wait(asked, pending)).reason
    with pytest.raises(HookLostError):
        load(tmp_path).poll(pending.handle)


def test_locust_dies_with_its_driver(tmp_path: Path, release: Release) -> None:
    driver = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", _DRIVER, release.url, str(tmp_path)])
    try:
        until(lambda: len(release.seen) > 3, 30)
        locusts = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _is_load_of(pid, release.url)]
        assert locusts
    finally:
        os.kill(driver, signal.SIGKILL)
        os.waitpid(driver, 0)
    until(lambda: not any(map(alive, locusts)))


_DRIVER = """
import sys, threading
from pathlib import Path
from tests.contract.hook_kit import call, hook
settings = {"path": "/health", "rate": 20, "duration": "60s"}
hook("load", settings, Path(sys.argv[2])).start(call(sys.argv[1], timeout=60))
threading.Event().wait(60)
"""


def _is_load_of(pid: int, url: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"locust" in words and url.encode() in words


def test_percentiles_are_of_the_counted_answers() -> None:
    counts = Counts(100, 3, 10.0, {10: 50, 20: 45, 100: 4, 900: 1}, {})
    assert [counts.percentile(percent) for percent in (50, 51, 95, 99, 100)] == [0.01, 0.02, 0.02, 0.1, 0.9]
    assert (counts.rate, counts.failed_percent) == (10.0, 3.0)
    assert Counts(0, 0, 0.0, {}, {}).percentile(99) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"failures": 1},
        {"failures": "101%"},
        {"percentiles": {"99": "1s"}},
        {"percentiles": {"p99": 1}},
        {"path": "health"},
        {"rate": 0},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        LoadSettings.model_validate({"path": "/", "rate": 1, **wrong})


def test_it_is_pending_with_its_counts_while_it_runs(tmp_path: Path, release: Release) -> None:
    asked = load(tmp_path, duration="3s")
    pending: Any = asked.start(call(release.url))
    seen: set[str] = set()

    def tell() -> bool:
        verdict = asked.poll(pending.handle)
        if isinstance(verdict, Pending):
            seen.add(verdict.progress)
        return "requests" in " ".join(seen)

    until(tell, 20)
    asked.cancel(pending.handle)
    failed(wait(asked, pending))
