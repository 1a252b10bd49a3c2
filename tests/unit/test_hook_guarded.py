"""A plug-in's hook that is broken at run time is a hook that could not be asked."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, cast

import pytest

from bluegreen.domain.spec import GateSpec, HookPoint, HookSpec
from bluegreen.drivers.foreground import deploy
from bluegreen.errors import HookLostError, HookUnavailableError, RefusedError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Reading, Verdict
from bluegreen.hooks.guarded import GuardedHook
from bluegreen.redact import Redactor
from tests.contract.hook_kit import until
from tests.stage import NEW, SPEC, ScriptedGate, Stage

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


class Slow:
    """Each call of it comes back when ``back`` is set; ``called`` tells which were made, and whether in one thread."""

    def __init__(self) -> None:
        self.back = threading.Event()
        self.called: list[str] = []
        self.threads: set[int] = set()

    def start(self, call: HookCall) -> Verdict:
        return self._come_back("start", Pending("mine", 2.0, "runs"))

    def poll(self, handle: str) -> Verdict:
        return self._come_back(f"poll {handle}", Passed("fine"))

    def cancel(self, handle: str) -> None:
        self._come_back(f"cancel {handle}", Passed())

    def _come_back(self, name: str, answer: Verdict) -> Verdict:
        self.called.append(name)
        self.threads.add(threading.get_ident())
        self.back.wait(20)
        return answer


def patient(slow: Slow, patience: float) -> GuardedHook:
    return GuardedHook(slow, "the plug-in slow", Redactor(), patience)


def pending(verdict: Verdict) -> Pending:
    assert isinstance(verdict, Pending), verdict
    return verdict


def test_a_call_that_does_not_come_back_leaves_the_hook_pending_and_is_made_once() -> None:
    slow = Slow()
    hook = patient(slow, 0.01)
    begun = pending(hook.start(CALL))
    assert pending(hook.poll(begun.handle)).handle == begun.handle
    slow.back.set()
    until(lambda: pending(hook.poll(begun.handle)).handle == "mine")
    until(lambda: hook.poll("mine") == Passed("fine"))
    assert slow.called == ["start", "poll mine"]
    assert len(slow.threads) == 1
    assert slow.threads != {threading.get_ident()}


def test_what_has_not_started_yet_is_cancelled_once_it_has() -> None:
    slow = Slow()
    hook = patient(slow, 0.0)
    hook.cancel(pending(hook.start(CALL)).handle)
    assert slow.called in ([], ["start"])
    slow.back.set()
    until(lambda: slow.called == ["start", "cancel mine"])


def test_a_start_that_another_process_waited_for_is_lost_with_it() -> None:
    begun = pending(patient(Slow(), 0.0).start(CALL))
    with pytest.raises(HookLostError):
        patient(Slow(), 0.0).poll(begun.handle)


def test_a_plug_in_that_never_comes_back_has_its_timeout_and_the_gates_are_looked_at_meanwhile() -> None:
    gates = (GateSpec("errors", "metric"),)
    stage = Stage(replace(SPEC, gates=gates, hooks=(HookSpec(HookPoint.AFTER_STEP, "slow", "slow", timeout=120.0),)))
    slow: Any = Slow()
    stage.hooks["slow"] = cast(Any, patient(slow, 0.0))
    gate = stage.gates["errors"] = ScriptedGate(lambda: Reading("ok", "fine"))
    ended = deploy(stage.session(), stage.spec, NEW, stage.recorder)
    slow.back.set()
    assert ended.rollback is not None
    assert ended.rollback.reason == "hook slow (after_step) failed: no answer within 120 s"
    assert stage.weights() == {"orders-1": 100}
    assert len(gate.told) > 120 / SPEC.gate_interval
