"""What a record can keep of what a hook or a gate says: around every kind that the registry hands out.

Green may answer anything, and so may a metrics server. A number that is none, a text that no UTF-8 can hold, an answer
that nobody thought of must not end the driver while users are on green.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from bluegreen.errors import BluegreenError, HookUnavailableError
from bluegreen.hooks.base import Failed, Gate, Hook, HookCall, Passed, Pending, Reading, Verdict, Verifiable, Watch
from bluegreen.hooks.words import finite, shortened
from bluegreen.redact import Redactor

R = TypeVar("R")


class KeptHook:
    """``title`` names the hook in what nobody expected of it."""

    def __init__(self, inner: Hook, title: str, redactor: Redactor) -> None:
        self._inner = inner
        self._title = title
        self._redactor = redactor

    def verify(self, call: HookCall) -> None:
        inner = self._inner
        if isinstance(inner, Verifiable):
            self._expected(lambda: inner.verify(call))

    def start(self, call: HookCall) -> Verdict:
        return self._expected(lambda: _verdict(self._inner.start(call)))

    def poll(self, handle: str) -> Verdict:
        return self._expected(lambda: _verdict(self._inner.poll(handle)))

    def cancel(self, handle: str) -> None:
        self._expected(lambda: self._inner.cancel(handle))

    def _expected(self, ask: Callable[[], R]) -> R:
        return _expected(ask, self._title, self._redactor)


class KeptGate:
    def __init__(self, inner: Gate, title: str, redactor: Redactor) -> None:
        self._inner = inner
        self._title = title
        self._redactor = redactor

    def check(self, watch: Watch) -> Reading:
        return _expected(lambda: _reading(self._inner.check(watch)), self._title, self._redactor)


# Private


def _expected(ask: Callable[[], R], title: str, redactor: Redactor) -> R:
    try:
        return ask()
    except HookUnavailableError as error:
        error.with_text(_text)
        raise
    except BluegreenError:
        raise
    except Exception as error:
        said = f"{title} could not make anything of what it met: {type(error).__name__}: {error}"
        raise HookUnavailableError(shortened(redactor.text(said))) from error


def _verdict(said: Verdict) -> Verdict:
    links = {_text(name): _text(link) for name, link in said.links.items()}
    if isinstance(said, Pending):
        said.handle.encode()  # one that cannot be kept finds nothing again
        return replace(said, links=links, progress=_text(said.progress))
    output, numbers = tuple(map(_text, said.output)), _numbers(said.numbers)
    if isinstance(said, Passed):
        return Passed(_text(said.detail), output, numbers, links)
    return Failed(_text(said.reason), output, numbers, links)


def _reading(said: Reading) -> Reading:
    memory: Mapping[str, Any] = said.memory
    if memory:
        memory = json.loads(_text(json.dumps(dict(memory), ensure_ascii=False, allow_nan=False)))
    return replace(said, detail=_text(said.detail), numbers=_numbers(said.numbers), memory=memory)


def _numbers(said: Mapping[str, object]) -> dict[str, float]:
    return {_text(name): number for name, number in finite(said).items()}


def _text(said: str) -> str:
    """JSON may hold half of a surrogate pair, and so then may a Python text; UTF-8 can not."""
    return said.encode("utf-8", "replace").decode()
