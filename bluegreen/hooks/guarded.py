"""A plug-in's hook among ours: whatever it raises means that it could not be asked, and never the driver's end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bluegreen.errors import BluegreenError, HookUnavailableError
from bluegreen.hooks.base import Failed, Hook, HookCall, Passed, Pending, Verdict
from bluegreen.hooks.words import shortened
from bluegreen.redact import Redactor

R = TypeVar("R")


class GuardedHook:
    """``title`` names the plug-in in what it could not do."""

    def __init__(self, inner: Hook, title: str, redactor: Redactor) -> None:
        self._inner = inner
        self._title = title
        self._redactor = redactor

    def start(self, call: HookCall) -> Verdict:
        return self._verdict(self._try(lambda: self._inner.start(call)))

    def poll(self, handle: str) -> Verdict:
        return self._verdict(self._try(lambda: self._inner.poll(handle)))

    def cancel(self, handle: str) -> None:
        self._try(lambda: self._inner.cancel(handle))

    def _try(self, ask: Callable[[], R]) -> R:
        try:
            return ask()
        except BluegreenError as error:
            if isinstance(error, HookUnavailableError):
                raise
            raise self._unavailable(error.message) from error
        except Exception as error:
            raise self._unavailable(f"{type(error).__name__}: {error}") from error

    def _verdict(self, answer: object) -> Verdict:
        if isinstance(answer, Passed | Failed | Pending):
            return answer
        raise self._unavailable(f"it answered {type(answer).__name__}, which is no verdict")

    def _unavailable(self, what: str) -> HookUnavailableError:
        return HookUnavailableError(shortened(self._redactor.text(f"{self._title} is broken: {what}")))
