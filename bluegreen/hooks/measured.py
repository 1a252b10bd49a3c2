"""A gate over a number that is measured again and again: success, failure, inconclusive and error are four things.

A series begins when the gate is first read, and anew when it was not read for a while (the deployment stood still). No
measurement that did not measure counts as a success: too many of them make the gate one that could not be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Reading
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.words import shortened, took

if TYPE_CHECKING:
    from bluegreen.hooks.settings_gates import MeasuredSettings

_STALE = 60.0


class Outcome(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class MeasuredGate:
    """``measure`` answers a number, or None for no data; HookUnavailableError is a measurement that failed."""

    def __init__(
        self, title: str, settings: MeasuredSettings, measure: Callable[[], float | None], around: Surroundings
    ) -> None:
        self._title = title
        self._settings = settings
        self._measure = measure
        self._around = around
        self._series: Series | None = None
        self._looked = 0.0

    def check(self) -> Reading:
        now = self._around.clock.monotonic()
        stale = max(_STALE, 3 * self._settings.interval)
        if self._series is None or now - self._looked > stale:
            self._series = Series(now + self._settings.initial_delay)
        self._looked = now
        series = self._series
        if now >= series.next_at and not self._over(series):
            series.next_at = now + self._settings.interval
            self._take(series)
        return self._reading(series, now)

    def _take(self, series: Series) -> None:
        try:
            value = self._measure()
        except HookUnavailableError as error:
            series.add(Outcome.ERROR, f"could not be measured: {error.message}")
            return
        series.add(*self._judged(value))

    def _judged(self, value: float | None) -> tuple[Outcome, str]:
        settings = self._settings
        if value is None or value != value:
            outcome = Outcome.SUCCESS if settings.no_data == "ok" else Outcome(settings.no_data)
            return outcome, "has no data"
        bounds = _bounds(settings)
        if _outside(value, settings.min, settings.max):
            return Outcome.FAILURE, f"is {value:.6g}, allowed is {bounds}"
        if _outside(value, settings.ok_min, settings.ok_max):
            return Outcome.INCONCLUSIVE, f"is {value:.6g}, neither good nor bad (allowed is {bounds})"
        return Outcome.SUCCESS, f"is {value:.6g}, allowed is {bounds}"

    def _over(self, series: Series) -> bool:
        return bool(self._settings.count) and series.taken >= self._settings.count

    def _reading(self, series: Series, now: float) -> Reading:
        settings = self._settings
        if series.last is None:
            return Reading("no_data", self._say(f"first measured in {took(series.next_at - now)}"))
        failures = series.counts[Outcome.FAILURE]
        if failures > settings.failure_limit:
            of = f" ({failures} of {series.taken} measurements failed)" if series.taken > 1 else ""
            return Reading("firing", self._say(f"{series.worst}{of}"))
        for outcome, limit in (
            (Outcome.ERROR, settings.error_limit),
            (Outcome.INCONCLUSIVE, settings.inconclusive_limit),
        ):
            if series.last is outcome and series.in_a_row > limit:
                raise HookUnavailableError(self._say(f"{series.text}, {series.in_a_row} times in a row ({outcome})"))
        if self._over(series):
            return self._word(series)
        tolerated = f"; {failures} of {settings.failure_limit} tolerated failures" if failures else ""
        measured = series.last in (Outcome.SUCCESS, Outcome.FAILURE)
        return Reading("ok" if measured else "no_data", self._say(f"{series.text}{tolerated}"))

    def _word(self, series: Series) -> Reading:
        """After the last measurement. Without one success there is nothing that could be called one."""
        told = ", ".join(f"{count} {outcome}" for outcome, count in series.counts.items() if count)
        if not series.counts[Outcome.SUCCESS]:
            raise HookUnavailableError(self._say(f"{series.text}; no measurement succeeded: {told}"))
        return Reading("ok", self._say(f"{series.text}; measured {series.taken} times: {told}"))

    def _say(self, text: str) -> str:
        return shortened(self._around.redactor().text(f"{self._title} {text}"))


class Series:
    """What was measured since the gate began to be watched."""

    def __init__(self, next_at: float) -> None:
        self.next_at = next_at
        self.counts = dict.fromkeys(Outcome, 0)
        self.last: Outcome | None = None
        self.in_a_row = 0
        self.text = ""
        self.worst = ""

    @property
    def taken(self) -> int:
        return sum(self.counts.values())

    def add(self, outcome: Outcome, text: str) -> None:
        self.in_a_row = self.in_a_row + 1 if outcome is self.last else 1
        self.last, self.text = outcome, text
        self.counts[outcome] += 1
        if outcome is Outcome.FAILURE:
            self.worst = text


def _outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)


def _bounds(settings: MeasuredSettings) -> str:
    low, high = settings.min, settings.max
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at most {high:g}" if high is not None else f"at least {low:g}"
