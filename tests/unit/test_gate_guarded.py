"""Whatever a plug-in's gate does, the driver goes on, and what is no measurement is none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from bluegreen.errors import HookUnavailableError, RefusedError
from bluegreen.hooks.base import Reading, Watch
from bluegreen.hooks.guarded_gate import LARGEST_MEMORY, GuardedGate
from bluegreen.redact import Redactor
from tests.contract.hook_kit import until

SECRET = "s3cr3t-planted-9f27"


class Foreign:
    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def check(self, watch: Watch) -> Any:
        return self._answer()


def raising(error: BaseException) -> Callable[[], Any]:
    def raise_it() -> Any:
        raise error

    return raise_it


def check(answer: Callable[[], Any]) -> Reading:
    return GuardedGate(Foreign(answer), "gate g: the plug-in x", Redactor([SECRET])).check(Watch())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (raising(KeyError("price")), "KeyError: 'price'"),
        (raising(RefusedError("not on a Friday")), "not on a Friday"),
        (raising(TypeError(f"no {SECRET}")), r"TypeError: no \[redacted\]"),
        (raising(SystemExit(0)), "SystemExit: 0"),
        (lambda: Reading("ok", "x", numbers=None), "its numbers cannot be kept"),  # type: ignore[arg-type]
        (lambda: Reading("ok", "x", due="soon"), "its due is 'soon', which is no time"),  # type: ignore[arg-type]
        (lambda: None, "it answered NoneType, which is no reading"),
        (lambda: "ok", "it answered str"),
        (lambda: Reading("fine", "x"), "its state 'fine' is none of ok, firing, no_data, not_yet, inconclusive"),
        (lambda: Reading("ok", "x", memory={"seen": {1, 2}}), "its memory is no JSON"),
        (lambda: Reading("ok", "x", memory={"rate": float("nan")}), "its memory is no JSON"),
        (lambda: Reading("ok", "x", memory={"all": "x" * LARGEST_MEMORY}), "bytes of JSON"),
    ],
)
def test_what_is_no_reading_could_not_be_asked(answer: Callable[[], Any], said: str) -> None:
    with pytest.raises(HookUnavailableError, match=said) as raised:
        check(answer)
    assert raised.value.message.startswith("gate g: the plug-in x is broken: ")
    assert SECRET not in raised.value.message


def test_what_could_not_be_asked_by_its_own_word_stays_that() -> None:
    with pytest.raises(HookUnavailableError, match=r"^no such host$"):
        check(raising(HookUnavailableError("no such host")))


def test_a_reading_comes_through_as_a_record_can_keep_it() -> None:
    told = Reading("ok", f"is 3\nfor {SECRET}", {"value": 3, "bad": float("inf"), "word": "x"}, {"seen": (1, 2)})  # type: ignore[dict-item]
    found = check(lambda: told)
    assert found == Reading("ok", "is 3 for [redacted]", {"value": 3.0}, {"seen": [1, 2]})


def test_a_check_that_does_not_come_back_could_not_be_asked_and_is_not_asked_twice_at_once() -> None:
    back, asked = threading.Event(), []

    def slow() -> Reading:
        asked.append(1)
        back.wait(20)
        return Reading("ok", "fine")

    gate = GuardedGate(Foreign(slow), "gate g: the plug-in x", Redactor(), 0.01)
    with pytest.raises(HookUnavailableError, match=r"its check has not come back within 0.01 s"):
        gate.check(Watch())
    with pytest.raises(HookUnavailableError, match="its last check has not come back yet"):
        gate.check(Watch())
    assert len(asked) == 1
    back.set()

    def answers() -> bool:
        try:
            return gate.check(Watch()).state == "ok"
        except HookUnavailableError:
            return False

    until(answers)
