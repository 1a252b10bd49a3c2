"""The ``wait_for`` kind: what is not yet, what is no, and what could not be asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.errors import HookLostError, HookUnavailableError
from bluegreen.hooks.base import Hook, Pending
from tests.contract.hook_kit import PLANTED, Release, ask, call, failed, hook, passed, serving, until, wait


@pytest.fixture
def release() -> Iterator[Release]:
    with serving(Release()) as release:
        yield release


def waiting(**settings: object) -> Hook:
    return hook("wait_for", {"path": "/ready", "interval": "20ms", **settings}, Path("/"))


def test_it_waits_through_wrong_answers_until_the_right_one_and_tells_how_many(release: Release) -> None:
    release.answers["/ready"] = (503, "warming")
    asked = waiting(json={"$.warm": True})
    pending = asked.start(call(release.url))
    until(lambda: "503" in progress(asked, pending))
    release.answers["/ready"] = (200, '{"warm": false}')
    until(lambda: "$.warm is false" in progress(asked, pending))
    release.answers["/ready"] = (200, '{"warm": true}')
    verdict = passed(wait(asked, pending))
    assert verdict.numbers["requests"] >= 3


def progress(asked: Hook, pending: Any) -> str:
    verdict = asked.poll(pending.handle)
    assert isinstance(verdict, Pending), verdict
    return verdict.progress


def test_nobody_listening_yet_is_not_yet(release: Release) -> None:
    url, port = release.url, int(release.url.rpartition(":")[2])
    asked = waiting(path=None, url=f"http://127.0.0.1:{port + 1 if port < 65535 else port - 1}/", timeout="200ms")
    verdict = failed(ask(asked, call(url, timeout=0.3)))
    assert "no end after 300 ms" in verdict.reason
    assert "refused" in verdict.reason


def test_an_answer_that_must_never_come_ends_the_waiting_with_no(release: Release) -> None:
    release.answers["/ready"] = (200, json.dumps({"state": "failed", "token": PLANTED}))
    verdict = failed(ask(waiting(json={"$.state": "done"}, never={"$.state": "failed"}), call(release.url)))
    assert '$.state is "failed"' in verdict.reason
    assert PLANTED not in repr(verdict)
    assert "[redacted]" in repr(verdict.output)


def test_a_silent_or_broken_other_side_fails_at_the_timeout(release: Release) -> None:
    for path in ("/silent", "/broken"):
        verdict = failed(ask(waiting(path=path, timeout="100ms"), call(release.url, timeout=0.35)))
        assert "no end" in verdict.reason


def test_who_could_never_be_asked_is_unavailable_at_the_end_and_no_earlier() -> None:
    asked = waiting(path=None, url="http://no-such-host.invalid/")
    pending = asked.start(call(timeout=0.4))
    assert isinstance(asked.poll(pending.handle), Pending)  # type: ignore[union-attr]
    with pytest.raises(HookUnavailableError, match="does not resolve"):
        wait(asked, pending)


def test_no_test_route_is_unavailable_at_once() -> None:
    with pytest.raises(HookUnavailableError, match="no test route"):
        waiting().start(call(None))


def test_a_cancelled_one_asks_no_more(release: Release) -> None:
    asked = waiting()
    pending: Any = asked.start(call(release.url))
    until(lambda: len(release.seen) > 2)
    asked.cancel(pending.handle)
    assert "cancelled" in failed(asked.poll(pending.handle)).reason
    until(lambda: not any(thread.name == "hook-wait-for" for thread in threading.enumerate()))


def test_another_process_does_not_know_it_and_begins_anew(release: Release) -> None:
    before = waiting()
    pending: Any = before.start(call(release.url))
    with pytest.raises(HookLostError):
        waiting().poll(pending.handle)
    before.cancel(pending.handle)
