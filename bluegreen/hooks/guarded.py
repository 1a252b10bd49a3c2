"""A plug-in's hook among ours: whatever it raises means that it could not be asked, and never the driver's end.

It is called in a thread of its own. While a call has not come back the hook is pending, so its timeout holds, and what
is watched beside it is watched.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import TypeVar

from bluegreen.errors import BluegreenError, HookLostError, HookUnavailableError
from bluegreen.hooks.base import Failed, Hook, HookCall, Passed, Pending, Verdict, Verifiable
from bluegreen.hooks.errands import Errands
from bluegreen.hooks.words import finite, shortened
from bluegreen.redact import Redactor

R = TypeVar("R")

_LINES = 50
_OUTPUT_SIZE = 16 * 1024
"""Characters of output that the record keeps of a plug-in's hook."""

_LONGEST_PAUSE = 60.0


PATIENCE = 1.0
"""Seconds for which a tick waits until a plug-in's call has come back."""

_STARTS = "plug-in-starts:"


class GuardedHook:
    """``title`` names the plug-in in what it could not do."""

    def __init__(self, inner: Hook, title: str, redactor: Redactor, patience: float = PATIENCE) -> None:
        self._inner = inner
        self._title = title
        self._redactor = redactor
        self._patience = patience
        self._errands = Errands("hook-plug-in")
        self._open: dict[str, Future[Verdict]] = {}

    def verify(self, call: HookCall) -> None:
        inner = self._inner
        if isinstance(inner, Verifiable):
            self._try(lambda: inner.verify(call))

    def start(self, call: HookCall) -> Verdict:
        handle = f"{_STARTS}{uuid.uuid4().hex}"
        self._open[handle] = self._errands.run(lambda: self._inner.start(call))
        return self._heard(handle)

    def poll(self, handle: str) -> Verdict:
        if handle not in self._open:
            if handle.startswith(_STARTS):
                raise HookLostError("the process in which this hook was to start has ended")
            self._open[handle] = self._errands.run(lambda: self._inner.poll(handle))
        return self._heard(handle)

    def cancel(self, handle: str) -> None:
        """What has not even started is cancelled as soon as it has."""
        if handle.startswith(_STARTS):
            starting = self._open.get(handle)
            if starting is not None:
                self._errands.run(lambda: self._cancel_started(starting.result()))
            return
        cancelled = self._errands.run(lambda: self._inner.cancel(handle))
        if wait([cancelled], self._patience).done:
            self._try(cancelled.result)

    # Private

    def _heard(self, handle: str) -> Verdict:
        if not wait([self._open[handle]], self._patience).done:
            return Pending(handle, PATIENCE, "the plug-in has not come back yet")
        return self._verdict(self._try(self._open.pop(handle).result))

    def _cancel_started(self, answer: Verdict) -> None:
        if isinstance(answer, Pending):
            self._inner.cancel(answer.handle)

    def _try(self, ask: Callable[[], R]) -> R:
        try:
            return ask()
        except BluegreenError as error:
            if isinstance(error, HookUnavailableError):
                raise
            raise self._unavailable(error.message) from error
        except (Exception, SystemExit) as error:
            raise self._unavailable(f"{type(error).__name__}: {error}") from error

    def _verdict(self, answer: object) -> Verdict:
        if not isinstance(answer, Passed | Failed | Pending):
            raise self._unavailable(f"it answered {type(answer).__name__}, which is no verdict")
        try:
            return self._clean(answer)
        except (AttributeError, TypeError, ValueError) as error:
            raise self._unavailable(f"its verdict cannot be kept: {error}") from error

    def _clean(self, answer: Verdict) -> Verdict:
        """As the record can keep it, and without secrets: what our own hooks say has gone the same way."""
        links = {str(name): self._redactor.text(str(link)) for name, link in dict(answer.links).items()}
        if isinstance(answer, Pending):
            if not isinstance(answer.handle, str):
                raise TypeError("its handle is no text")
            progress = self._redactor.text(str(answer.progress))
            again_in = min(_LONGEST_PAUSE, max(0.0, float(answer.again_in)))
            return replace(answer, progress=progress, links=links, again_in=again_in, asks=bool(answer.asks))
        text = "\n".join(map(str, answer.output))
        output = self._redactor.tail(text, cut=False, lines=_LINES, size=_OUTPUT_SIZE)
        numbers = finite(answer.numbers)
        if isinstance(answer, Passed):
            return Passed(self._redactor.text(str(answer.detail)), output, numbers, links)
        return Failed(self._redactor.text(str(answer.reason)), output, numbers, links)

    def _unavailable(self, what: str) -> HookUnavailableError:
        return HookUnavailableError(shortened(self._redactor.text(f"{self._title} is broken: {what}")))
