"""A plug-in's gate among ours: whatever it raises, and whatever it answers that is no reading, is no measurement."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future, wait
from typing import Any

from bluegreen.errors import BluegreenError, HookUnavailableError
from bluegreen.hooks.base import Gate, Reading, State, Watch
from bluegreen.hooks.errands import Errands
from bluegreen.hooks.words import finite, shortened
from bluegreen.redact import Redactor

LARGEST_MEMORY = 16_384
"""Bytes of JSON. The record is written whole, and kept small."""


PATIENCE = 5.0
"""Seconds for which a look waits for a plug-in's gate; the other gates are looked at beside it."""


class GuardedGate:
    """``title`` names the plug-in in what it could not do. It is called in a thread of its own."""

    def __init__(self, inner: Gate, title: str, redactor: Redactor, patience: float = PATIENCE) -> None:
        self._inner = inner
        self._title = title
        self._redactor = redactor
        self._patience = patience
        self._errands = Errands("gate-plug-in")
        self._last: Future[Reading] | None = None

    def check(self, watch: Watch) -> Reading:
        if self._last is not None and not self._last.done():
            raise self._broken("its last check has not come back yet")
        self._last = self._errands.run(lambda: self._inner.check(watch))
        if not wait([self._last], self._patience).done:
            raise self._broken(f"its check has not come back within {self._patience:g} s")
        return self._reading(self._last)

    # Private

    def _reading(self, checked: Future[Reading]) -> Reading:
        try:
            answer: object = checked.result()
        except HookUnavailableError:
            raise
        except BluegreenError as error:
            raise self._broken(error.message) from error
        except (Exception, SystemExit) as error:
            raise self._broken(f"{type(error).__name__}: {error}") from error
        if not isinstance(answer, Reading):
            raise self._broken(f"it answered {type(answer).__name__}, which is no reading")
        if answer.state not in list(State):
            raise self._broken(f"its state {answer.state!r} is none of {', '.join(State)}")
        detail = shortened(self._redactor.text(str(answer.detail)))
        try:
            numbers, due = finite(answer.numbers), _moment(answer.due)
        except (TypeError, ValueError) as error:
            raise self._broken(f"its numbers cannot be kept: {error}") from error
        return Reading(answer.state, detail, numbers, self._plain(answer.memory), bool(answer.done), due)

    def _plain(self, memory: Mapping[str, object]) -> dict[str, Any]:
        try:
            text = json.dumps(dict(memory), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise self._broken(f"its memory is no JSON: {error}") from error
        if len(text) > LARGEST_MEMORY:
            raise self._broken(f"its memory is {len(text)} bytes of JSON; {LARGEST_MEMORY} are kept")
        kept: dict[str, Any] = json.loads(text)
        return kept

    def _broken(self, what: str) -> HookUnavailableError:
        return HookUnavailableError(shortened(self._redactor.text(f"{self._title} is broken: {what}")))


def _moment(due: object) -> float | None:
    if due is None:
        return None
    if (moment := finite({"due": due}).get("due")) is not None:
        return moment
    raise TypeError(f"its due is {due!r}, which is no time")
