"""A plug-in's hook that is broken at run time is a hook that could not be asked."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bluegreen.domain.spec import HookPoint
from bluegreen.errors import HookLostError, HookUnavailableError, RefusedError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending
from bluegreen.hooks.guarded import GuardedHook
from bluegreen.redact import Redactor

CALL = HookCall(HookPoint.TEST, "smoke", 1, 9.0)


class Plugged:
    """Answers, or raises, the same whatever it is asked."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def start(self, call: HookCall) -> Any:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer

    def poll(self, handle: str) -> Any:
        return self.start(CALL)

    def cancel(self, handle: str) -> None:
        self.start(CALL)

    def verify(self, call: HookCall) -> None:
        self.start(call)


def guarded(answer: object) -> GuardedHook:
    return GuardedHook(
        cast(Any, Plugged(answer)), "hook smoke (test): the plug-in weekday", Redactor(["hunter2hunter2"])
    )


@pytest.mark.parametrize("ask", ["start", "poll", "cancel", "verify"])
@pytest.mark.parametrize(
    "error", [KeyError("day"), RefusedError("no"), ZeroDivisionError("hunter2hunter2"), SystemExit(0)]
)
def test_whatever_it_raises_is_unavailable_with_its_name_and_without_secrets(ask: str, error: BaseException) -> None:
    hook = guarded(error)
    with pytest.raises(HookUnavailableError, match="the plug-in weekday is broken") as raised:
        getattr(hook, ask)(CALL if ask in ("start", "verify") else "h")
    assert "hunter2" not in raised.value.message


def test_one_that_cannot_be_looked_at_beforehand_is_not_held_against_it() -> None:
    class Older:
        start, poll, cancel = Plugged.start, Plugged.poll, Plugged.cancel

    GuardedHook(cast(Any, Older()), "hook smoke (test): the plug-in older", Redactor([])).verify(CALL)


def test_what_is_no_verdict_is_unavailable() -> None:
    for answer in (None, True, "passed"):
        with pytest.raises(HookUnavailableError, match="which is no verdict"):
            guarded(answer).start(CALL)


def test_its_verdicts_and_its_own_could_not_ask_pass_through() -> None:
    assert guarded(Passed("fine")).start(CALL) == Passed("fine")
    assert guarded(Failed("no")).poll("h") == Failed("no")
    with pytest.raises(HookLostError, match="ended"):
        guarded(HookLostError("it ended")).poll("h")


def test_one_that_answers_at_once_needs_neither_poll_nor_cancel() -> None:
    class Quick:
        def start(self, call: HookCall) -> Passed:
            return Passed("fine")

    hook = GuardedHook(cast(Any, Quick()), "the plug-in quick", Redactor())
    assert hook.start(CALL) == Passed("fine")
    with pytest.raises(HookUnavailableError, match="has no attribute 'poll'"):
        hook.poll("h")


SECRET = "it is hunter2hunter2"
CLEAN = "it is [redacted]"


def test_no_secret_of_the_environment_comes_through_in_what_it_says() -> None:
    shown: dict[str, Any] = {"output": (SECRET,), "links": {"log": "https://log.example/hunter2hunter2"}}
    kept: dict[str, Any] = {"output": (CLEAN,), "links": {"log": "https://log.example/[redacted]"}}
    assert guarded(Passed(SECRET, **shown)).start(CALL) == Passed(CLEAN, **kept)
    assert guarded(Failed(SECRET, **shown)).start(CALL) == Failed(CLEAN, **kept)
    assert guarded(Pending("h", 1.0, SECRET)).start(CALL) == Pending("h", 1.0, CLEAN)


@pytest.mark.parametrize(
    "verdict",
    [
        Passed(numbers=cast(Any, None)),
        Failed("no", output=cast(Any, 3)),
        Pending(cast(Any, 17)),
        Pending("h", again_in=cast(Any, "soon")),
    ],
)
def test_a_verdict_that_no_record_can_keep_is_unavailable(verdict: object) -> None:
    with pytest.raises(HookUnavailableError, match="its verdict cannot be kept"):
        guarded(verdict).start(CALL)
