"""A plug-in's hook among ours: whatever it raises means that it could not be asked, and never the driver's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from bluegreen.errors import BluegreenError, HookUnavailableError
from bluegreen.hooks.base import Failed, Hook, HookCall, Passed, Pending, Verdict, Verifiable
from bluegreen.hooks.words import finite, shortened
from bluegreen.redact import Redactor

R = TypeVar("R")

_LINES = 50
_OUTPUT_SIZE = 16 * 1024
"""Characters of output that the record keeps of a plug-in's hook."""

_LONGEST_PAUSE = 60.0


class GuardedHook:
    """``title`` names the plug-in in what it could not do."""

    def __init__(self, inner: Hook, title: str, redactor: Redactor) -> None:
        self._inner = inner
        self._title = title
        self._redactor = redactor

    def verify(self, call: HookCall) -> None:
        inner = self._inner
        if isinstance(inner, Verifiable):
            self._try(lambda: inner.verify(call))

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
