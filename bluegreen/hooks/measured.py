"""A gate that is measured again and again: success, failure, inconclusive and error are four things.

A series begins when green gets its first traffic and when the bake begins, and anew when the gate was not looked at for
a while (the deployment stood still). What a series has to remember goes into the record as soon as it holds more than
successes, so that neither failures nor silence are forgotten with a driver that dies. No measurement that did not
measure counts as a success.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Reading, State, Watch
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.words import finite, shortened, took

if TYPE_CHECKING:
    from bluegreen.hooks.settings_gates import MeasuredSettings, SeriesSettings

_STALE = 60.0


class Outcome(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


_NO_DATA = {
    "hold": Outcome.INCONCLUSIVE,
    "ok": Outcome.SUCCESS,
    "fire": Outcome.FAILURE,
    "error": Outcome.ERROR,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One measurement. ``text`` goes on after the gate's title. ``empty``: there was no data."""

    outcome: Outcome
    text: str
    value: float | None = None
    empty: bool = False


Judge = Callable[[Watch], Judged]


def no_data(settings: SeriesSettings, text: str) -> Judged:
    return Judged(_NO_DATA[settings.no_data], text, empty=True)


class SeriesGate:
    """``judge`` measures once; HookUnavailableError is a measurement that failed."""

    def __init__(self, title: str, settings: SeriesSettings, judge: Judge, around: Surroundings) -> None:
        self._title = title
        self._settings = settings
        self._judge = judge
        self._around = around
        self._series: Series | None = None

    def check(self, watch: Watch) -> Reading:
        now = self._around.clock.now()
        series = self._series = self._current(watch, now)
        series.looked = now
        if now >= series.next_at and not self._over(series):
            series.next_at = now + self._settings.interval
            self._take(series, watch)
        return self._reading(series, now)

    # Private

    def _current(self, watch: Watch, now: float) -> Series:
        known = self._series or Series.remembered(watch.memory, self._settings.interval)
        stale = max(_STALE, 3 * max(self._settings.interval, watch.every))
        if known is not None and known.began >= (watch.since or 0.0) and now - known.looked <= stale:
            return known
        first = next((at for at in (watch.first, watch.since) if at is not None), now)
        return Series(now, max(now, first + self._settings.initial_delay))

    def _take(self, series: Series, watch: Watch) -> None:
        try:
            judged = self._judge(watch)
        except HookUnavailableError as error:
            judged = Judged(Outcome.ERROR, f"could not be measured: {error.message}")
            series.hint = error.hint
        # It is remembered in the record: what a query was told of the environment must not be.
        series.add(replace(judged, text=shortened(self._around.redactor().text(judged.text))))

    def _over(self, series: Series) -> bool:
        return bool(self._settings.count) and series.taken >= self._settings.count

    def _reading(self, series: Series, now: float) -> Reading:
        settings, last = self._settings, series.last
        if last is None:
            text = self._say(f"is measured first in {took(series.next_at - now)}")
            return Reading(State.NO_DATA, text, due=series.next_at)
        failures = series.counts[Outcome.FAILURE]
        if failures > settings.failure_limit:
            of = f" ({failures} of {series.taken} measurements failed)" if series.taken > 1 else ""
            return self._said(State.FIRING, series, f"{series.worst}{of}")
        often = f", {series.in_a_row} times in a row" if series.in_a_row > 1 else ""
        if last.outcome is Outcome.ERROR and series.in_a_row > settings.error_limit:
            raise HookUnavailableError(self._say(f"{last.text}{often}"), hint=series.hint)
        if last.outcome is Outcome.INCONCLUSIVE and series.in_a_row > settings.inconclusive_limit and series.has_data:
            return self._said(State.INCONCLUSIVE, series, f"{last.text}{often}")
        if self._over(series):
            return self._word(series, last)
        tolerated = f"; {failures} of {settings.failure_limit} tolerated failures" if failures else ""
        return self._said(_state(last), series, f"{last.text}{tolerated}")

    def _word(self, series: Series, last: Judged) -> Reading:
        """After the last measurement. Without one success there is nothing that could be called one."""
        told = ", ".join(f"{count} {outcome}" for outcome, count in series.counts.items() if count)
        if series.counts[Outcome.SUCCESS]:
            return self._said(State.OK, series, f"{last.text}; measured {series.taken} times: {told}")
        text = f"{last.text}; no measurement succeeded: {told}"
        if series.counts[Outcome.ERROR] == series.taken:
            raise HookUnavailableError(self._say(text), hint=series.hint)
        return self._said(State.INCONCLUSIVE, series, text)

    def _said(self, state: State, series: Series, text: str) -> Reading:
        value = series.last.value if series.last else None
        numbers = finite({"value": value})
        return Reading(state, self._say(text), numbers, series.memory(always=bool(self._settings.count)))

    def _say(self, text: str) -> str:
        return shortened(self._around.redactor().text(f"{self._title} {text}"))


class MeasuredGate(SeriesGate):
    """``measure`` answers a number, or None for no data."""

    def __init__(
        self, title: str, settings: MeasuredSettings, measure: Callable[[Watch], float | None], around: Surroundings
    ) -> None:
        super().__init__(title, settings, lambda watch: judged(settings, measure(watch)), around)


def judged(settings: MeasuredSettings, value: float | None) -> Judged:
    if value is None or value != value:
        return no_data(settings, "has no data")
    bounds = _bounds(settings)
    if _outside(value, settings.min, settings.max):
        return Judged(Outcome.FAILURE, f"is {value:.6g}, allowed is {bounds}", value)
    if _outside(value, settings.ok_min, settings.ok_max):
        return Judged(Outcome.INCONCLUSIVE, f"is {value:.6g}, neither good nor bad (allowed is {bounds})", value)
    return Judged(Outcome.SUCCESS, f"is {value:.6g}, allowed is {bounds}", value)


@dataclass(slots=True)
class Series:
    """What was measured since the gate began to be watched. Times are epoch seconds."""

    began: float
    next_at: float
    looked: float = 0.0
    measured_at: float = 0.0
    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    last: Judged | None = None
    in_a_row: int = 0
    has_data: bool = False
    worst: str = ""
    hint: str | None = None

    @property
    def taken(self) -> int:
        return sum(self.counts.values())

    def add(self, judged: Judged) -> None:
        same = self.last is not None and judged.outcome is self.last.outcome
        self.in_a_row = self.in_a_row + 1 if same else 1
        self.last = judged
        self.measured_at = self.looked
        self.has_data = self.has_data or not (judged.empty or judged.outcome is Outcome.ERROR)
        self.counts[judged.outcome] += 1
        if judged.outcome is Outcome.FAILURE:
            self.worst = judged.text

    def memory(self, *, always: bool) -> dict[str, object]:
        """Nothing while there are only successes, unless they are counted: the record is not written for them."""
        if self.last is None or (not always and self.counts[Outcome.SUCCESS] == self.taken):
            return {}
        return {
            "began": self.began,
            "measured_at": self.measured_at,
            "counts": {outcome.value: count for outcome, count in self.counts.items() if count},
            "last": self.last.outcome.value,
            "text": self.last.text,
            "empty": self.last.empty,
            "in_a_row": self.in_a_row,
            "has_data": self.has_data,
            "worst": self.worst,
        }

    @classmethod
    def remembered(cls, memory: Mapping[str, Any], interval: float) -> Series | None:
        """What an earlier driver left; None where that is nothing, or nothing of this kind."""
        try:
            at = float(memory["measured_at"])
            last = Judged(Outcome(memory["last"]), str(memory["text"]), empty=bool(memory["empty"]))
            counts = {outcome: int(memory["counts"].get(outcome.value, 0)) for outcome in Outcome}
            found = cls(float(memory["began"]), at + interval, at, at, counts, last, int(memory["in_a_row"]))
            found.has_data, found.worst = bool(memory["has_data"]), str(memory["worst"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        return found


# Private


def _state(last: Judged) -> State:
    if last.outcome in (Outcome.SUCCESS, Outcome.FAILURE):
        return State.OK
    return State.NO_DATA if last.empty or last.outcome is Outcome.ERROR else State.NOT_YET


def _outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)


def _bounds(settings: MeasuredSettings) -> str:
    low, high = settings.min, settings.max
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at most {high:g}" if high is not None else f"at least {low:g}"
