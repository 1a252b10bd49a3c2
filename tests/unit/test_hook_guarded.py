"""A plug-in's hook that is broken at run time is a hook that could not be asked."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bluegreen.domain.spec import HookPoint
from bluegreen.errors import HookLostError, HookUnavailableError, RefusedError
from bluegreen.hooks.base import Failed, HookCall, Passed
from bluegreen.hooks.guarded import GuardedHook
from bluegreen.redact import Redactor

CALL = HookCall(HookPoint.TEST, "smoke", 1, 9.0)


class Plugged:
    """Answers, or raises, the same whatever it is asked."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def start(self, call: HookCall) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def poll(self, handle: str) -> Any:
        return self.start(CALL)

    def cancel(self, handle: str) -> None:
        self.start(CALL)


def guarded(answer: object) -> GuardedHook:
    return GuardedHook(
        cast(Any, Plugged(answer)), "hook smoke (test): the plug-in weekday", Redactor(["hunter2hunter2"])
    )


@pytest.mark.parametrize("ask", ["start", "poll", "cancel"])
@pytest.mark.parametrize("error", [KeyError("day"), RefusedError("no"), ZeroDivisionError("hunter2hunter2")])
def test_whatever_it_raises_is_unavailable_with_its_name_and_without_secrets(ask: str, error: Exception) -> None:
    hook = guarded(error)
    with pytest.raises(HookUnavailableError, match="the plug-in weekday is broken") as raised:
        getattr(hook, ask)(CALL if ask == "start" else "h")
    assert "hunter2" not in raised.value.message


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
