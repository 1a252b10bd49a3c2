"""What the kinds share that start something on AWS and follow it there: it outlives the driver that started it.

Its name is made from the deployment, the hook and the attempt, so that a driver which finds no handle in the record
finds what an earlier one started. A service that gives no answer while it runs is waited for before the hook is
called unavailable, for the next attempt would have to look for the same thing.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bluegreen.errors import BluegreenError, HookUnavailableError, LockedError
from bluegreen.hooks.base import HookCall, Passed, Pending, Verdict
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.words import shortened, took

_POLL = 5.0
_FIRST_POLL = 1.0


@dataclass(frozen=True, slots=True)
class Started:
    """``id`` is the service's own. ``began`` is epoch seconds, as the service or this process knows it."""

    id: str
    began: float

    def handle(self) -> str:
        return json.dumps({"id": self.id, "began": self.began})

    @staticmethod
    def of(handle: str) -> Started:
        """Raises HookUnavailableError for a handle that another kind made."""
        try:
            known = json.loads(handle)
            return Started(str(known["id"]), float(known["began"]))
        except (ValueError, TypeError, KeyError) as error:
            raise HookUnavailableError(f"the handle {shortened(handle, 60)} is none of this kind") from error


class RemoteHook(ABC):
    """Subclasses say how it is found, started, asked and stopped; they let AwsError through."""

    def __init__(self, title: str, keep: float, around: Surroundings) -> None:
        self._title = title
        self._keep = keep
        self._around = around
        self._silent_since: dict[str, float] = {}

    def start(self, call: HookCall) -> Verdict:
        with answered(self._title):
            earlier = next((one for one in (self._find(call, n) for n in _attempts(call)) if one), None)
            started = earlier or self._start(call)
        again = "found again: an earlier driver or attempt started it" if earlier else "started"
        return Pending(started.handle(), _FIRST_POLL, self._say(f"{self._title}: {again}"), self._links(started))

    def poll(self, handle: str) -> Verdict:
        started = Started.of(handle)
        try:
            with answered(self._title):
                verdict = self._ask(started)
        except HookUnavailableError as error:
            return self._silence(handle, error)
        self._silent_since.pop(handle, None)
        return verdict

    def cancel(self, handle: str) -> None:
        with answered(self._title):
            self._stop(Started.of(handle))

    @abstractmethod
    def _find(self, call: HookCall, attempt: int) -> Started | None:
        """What was started for that attempt and is not known to have failed."""
        ...

    @abstractmethod
    def _start(self, call: HookCall) -> Started: ...

    @abstractmethod
    def _ask(self, started: Started) -> Verdict: ...

    @abstractmethod
    def _stop(self, started: Started) -> None:
        """One that has ended already is no error."""
        ...

    def _links(self, started: Started) -> dict[str, str]:
        """Where a person follows it, as far as that is known from its id."""
        return {}

    def _pending(self, started: Started, progress: str, links: Mapping[str, str] | None = None) -> Pending:
        ran = self._around.clock.now() - started.began
        return Pending(started.handle(), min(_POLL, max(_FIRST_POLL, ran / 8)), self._say(progress), links or {})

    def _say(self, text: str) -> str:
        return shortened(self._around.redactor().text(text))

    def _silence(self, handle: str, error: HookUnavailableError) -> Pending:
        now = self._around.clock.monotonic()
        since = self._silent_since.setdefault(handle, now)
        if now - since > self._keep:
            raise error
        return Pending(handle, _POLL, self._say(f"{error.message}; asked again (for {took(now - since)} now)"))


@contextmanager
def answered(title: str) -> Iterator[None]:
    """Whatever AWS did not answer means that the hook could not be asked."""
    try:
        yield
    except (HookUnavailableError, LockedError):
        raise
    except BluegreenError as error:
        raise HookUnavailableError(f"{title}: {error.message}", hint=error.hint) from error


def run_name(call: HookCall, attempt: int) -> str:
    """The same for the same attempt of the same hook in the same deployment, whoever asks."""
    facts = call.facts
    parts = (facts.get("deployment", ""), str(call.point), facts.get("step", "0"), call.name)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]
    return f"bluegreen-{digest}-{attempt}"


def links_of(answer: Mapping[str, object]) -> dict[str, str]:
    """The URLs among what an execution answered."""
    return {
        str(key): value
        for key, value in answer.items()
        if isinstance(value, str) and value.startswith(("https://", "http://")) and " " not in value
    }


def passed_in(
    text: str, seconds: float, numbers: Mapping[str, float] | None = None, links: Mapping[str, str] | None = None
) -> Passed:
    return Passed(text, (), {"seconds": seconds, **(numbers or {})}, links or {})


def _attempts(call: HookCall) -> range:
    """The newest first. Its own attempt too: a driver may have died between the start and the record of it.

    None that was settled: one that was stopped at its timeout still runs for a while, and ends with no verdict.
    """
    return range(call.attempt, call.settled, -1)
