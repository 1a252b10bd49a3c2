"""A hook and a gate that answer by script: for tests of whoever calls hooks."""

from __future__ import annotations

from collections.abc import Iterable

from bluegreen.errors import HookLostError
from bluegreen.hooks.base import HookCall, Passed, Pending, Reading, Verdict, Watch

NOTHING_KNOWN = Watch()


class FakeHook:
    """Gives its answers in order, the last one for ever; an exception among them is raised.

    The first answer of a run is ``start``'s; a Pending in it gets the run's own handle. ``calls`` and
    ``cancelled`` tell what was asked of it. A new instance does not know an old one's handles, as after a restart.
    """

    def __init__(self, *answers: Verdict | Exception) -> None:
        self._answers: list[Verdict | Exception] = list(answers) or [Passed()]
        self._known: set[str] = set()
        self.calls: list[HookCall] = []
        self.polls = 0
        self.cancelled: list[str] = []

    def start(self, call: HookCall) -> Verdict:
        self.calls.append(call)
        handle = f"{id(self):x}-{len(self.calls)}"
        self._known.add(handle)
        return self._next(handle)

    def poll(self, handle: str) -> Verdict:
        self.polls += 1
        if handle not in self._known:
            raise HookLostError("the process that ran this hook has ended, and the hook with it")
        return self._next(handle)

    def cancel(self, handle: str) -> None:
        self.cancelled.append(handle)

    def _next(self, handle: str) -> Verdict:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Pending(handle, answer.again_in, answer.progress) if isinstance(answer, Pending) else answer


class FakeGate:
    """Gives its readings in order, the last one for ever; an exception among them is raised."""

    def __init__(self, *readings: Reading | str | Exception) -> None:
        self._readings: list[Reading | str | Exception] = list(readings) or ["ok"]
        self.checks = 0

    def then(self, readings: Iterable[Reading | str | Exception]) -> None:
        """From now on these."""
        self._readings = list(readings)

    def check(self, watch: Watch = NOTHING_KNOWN) -> Reading:
        self.checks += 1
        reading = self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]
        if isinstance(reading, Exception):
            raise reading
        return Reading(reading, f"scripted: {reading}") if isinstance(reading, str) else reading
