"""Alarms of the in-process CloudWatch that change state by themselves.

Periods down to one second. Windows slide every second (AWS moves on every 10 s at best), and each window
ends a second ago, so that its data has arrived. Otherwise as AWS evaluates: a few periods more than asked
for are looked at, and missing ones are replaced by earlier data before ``TreatMissingData`` applies
(source: "Configuring how CloudWatch alarms treat missing data"). A state set by hand holds for one period.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bluegreen.clock import Clock
from bluegreen.sandbox.balancer.cloudwatch import backend_of, samples, statistic
from bluegreen.sandbox.balancer.expressions import composite, evaluate

_log = logging.getLogger(__name__)
_LAG_SECONDS = 1.2
_EXTRA_PERIODS = 2
_INITIAL = "Unchecked: Initial alarm creation"
_COMPARE: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (lambda value, limit: value > limit, "greater than"),
    "GreaterThanOrEqualToThreshold": (lambda value, limit: value >= limit, "greater than or equal to"),
    "LessThanThreshold": (lambda value, limit: value < limit, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, limit: value <= limit, "less than or equal to"),
}

Point = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """``period`` in seconds; ``needed`` of ``periods`` datapoints must breach."""

    operator: str
    threshold: float
    period: int
    periods: int
    needed: int
    missing: str = "missing"


@dataclass(frozen=True, slots=True)
class Verdict:
    state: str
    reason: str


def judge(rule: AlarmRule, points: Sequence[Point]) -> Verdict | None:
    """``points`` are (period's start, value or None), newest first, more than ``periods`` of them.

    None when the state stays what it is (missing data is to be ignored). Pure.
    """
    present = [(moment, value) for moment, value in points if value is not None]
    recent = points[: rule.periods]
    if len(present) >= rule.periods or all(value is not None for _, value in recent):
        return _verdict(rule, present[: rule.periods], 0)
    gaps = rule.periods - len(present)
    if rule.missing == "ignore" and not present:
        return None
    if rule.missing == "breaching":
        return _verdict(rule, present, gaps, breaching=True)
    if rule.missing == "notBreaching":
        return _verdict(rule, present, gaps)
    if not present:
        word = "datapoint was" if rule.periods == 1 else "datapoints were"
        return Verdict("INSUFFICIENT_DATA", f"Insufficient Data: {rule.periods} {word} unknown.")
    return _verdict(rule, present, 0)


def _verdict(rule: AlarmRule, found: Sequence[tuple[float, float]], gaps: int, *, breaching: bool = False) -> Verdict:
    breaches, words = _COMPARE[rule.operator]
    bad = [each for each in found if breaches(each[1], rule.threshold)]
    alarm = len(bad) + (gaps if breaching else 0) >= rule.needed
    if not found:
        treated = "Breaching" if breaching else "NonBreaching"
        text = f"no datapoints were received for {_periods(gaps)} and {_missing(gaps)} treated as [{treated}]."
        return Verdict("ALARM" if alarm else "OK", f"Threshold Crossed: {text}")
    shown = bad if alarm and bad else [each for each in found if each not in bad] or list(found)
    change = "OK -> ALARM" if alarm else "ALARM -> OK"
    many = "" if rule.periods == 1 else f" out of the last {rule.periods}"
    minimum = f" (minimum {rule.needed} {_datapoints(rule.needed)} for {change} transition)" if many else ""
    verb = ("was" if len(shown) == 1 else "were") + ("" if alarm else " not")
    listed = ", ".join(f"{value} ({_stamp(moment)})" for moment, value in shown)
    noun = _datapoints(rule.periods if many else len(shown))
    text = f"{len(shown)}{many} {noun} [{listed}] {verb} {words} the threshold ({rule.threshold})"
    return Verdict("ALARM" if alarm else "OK", f"Threshold Crossed: {text}{minimum}.")


def _datapoints(number: int) -> str:
    return "datapoint" if number == 1 else "datapoints"


def _periods(number: int) -> str:
    return f"{number} period" + ("" if number == 1 else "s")


def _missing(number: int) -> str:
    return f"{number} missing {_datapoints(number)} {'was' if number == 1 else 'were'}"


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d/%m/%y %H:%M:%S")


class AlarmClock:
    """One thread calls ``tick``."""

    def __init__(self, region: str, clock: Clock) -> None:
        self._region = region
        self._clock = clock
        self._ours: dict[str, object] = {}

    def tick(self) -> None:
        """Evaluates every alarm once."""
        backend = backend_of(self._region)
        alarms = list(backend.alarms.values())
        self._ours = {alarm.name: self._ours.get(alarm.name) for alarm in alarms}
        for alarm in sorted(alarms, key=lambda each: each.rule is not None):
            try:
                verdict = self._verdict(backend, alarm)
            except (KeyError, ValueError, SyntaxError, TypeError):
                _log.exception("alarm %s cannot be evaluated", alarm.name)
                continue
            if verdict and not self._held_by_hand(alarm):
                self._apply(alarm, verdict)

    def _verdict(self, backend: Any, alarm: Any) -> Verdict | None:
        if alarm.rule is not None:
            states = {each.name: each.state_value for each in backend.alarms.values()}
            state = "ALARM" if composite(alarm.rule, states) else "OK"
            return Verdict(state, f"{alarm.alarm_arn} was changed to {state} by its alarm rule: {alarm.rule}")
        rule = _rule(alarm)
        return judge(rule, self._points(backend, alarm, rule))

    def _points(self, backend: Any, alarm: Any, rule: AlarmRule) -> list[Point]:
        end = float(int(self._clock.now() - _LAG_SECONDS) + 1)
        starts = [end - rule.period * (index + 1) for index in range(rule.periods + _EXTRA_PERIODS)]
        series = _series(backend, alarm, starts, rule.period)
        return [(start, series[index]) for index, start in enumerate(starts)]

    def _held_by_hand(self, alarm: Any) -> bool:
        if alarm.state_reason == _INITIAL or alarm.state_updated_timestamp is self._ours.get(alarm.name):
            return False
        since = alarm.state_updated_timestamp.replace(tzinfo=UTC).timestamp()
        return bool(self._clock.now() - since < _period(alarm))

    def _apply(self, alarm: Any, verdict: Verdict) -> None:
        if alarm.state_value == verdict.state and alarm.state_reason != _INITIAL:
            return
        data = {"version": "1.0", "queryDate": f"{_stamp(self._clock.now())}", "threshold": alarm.threshold}
        alarm.update_state(verdict.reason, json.dumps(data), verdict.state)
        self._ours[alarm.name] = alarm.state_updated_timestamp


def _period(alarm: Any) -> int:
    if alarm.period:
        return int(alarm.period)
    periods = [query.metric_stat.period if query.metric_stat else query.period for query in alarm.metric_data_queries]
    return max((int(each) for each in periods if each), default=60)


def _rule(alarm: Any) -> AlarmRule:
    periods = int(alarm.evaluation_periods)
    return AlarmRule(
        operator=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        period=_period(alarm),
        periods=periods,
        needed=int(alarm.datapoints_to_alarm or periods),
        missing=alarm.treat_missing_data or "missing",
    )


def _series(backend: Any, alarm: Any, starts: Sequence[float], period: int) -> list[float | None]:
    """One value, or None, for each of ``starts``."""
    if not alarm.metric_data_queries:
        stat = alarm.statistic or alarm.extended_statistic
        return _metric(backend, (alarm.namespace, alarm.metric_name, alarm.dimensions, stat), starts, period)
    found: dict[str, list[float | None]] = {}
    queries = list(alarm.metric_data_queries)
    for query in queries:
        if query.metric_stat:
            stat = query.metric_stat
            metric = (stat.metric.namespace, stat.metric.metric_name, stat.metric.dimensions, stat.stat)
            found[query.id] = _metric(backend, metric, starts, int(stat.period))
    for query in queries:
        if query.expression:
            found[query.id] = [
                evaluate(query.expression, {name: values[index] for name, values in found.items()})
                for index in range(len(starts))
            ]
    shown = [query.id for query in queries if str(query.return_data).lower() != "false"]
    return found[shown[-1]]


def _metric(
    backend: Any, metric: tuple[str, str, Sequence[Any], str], starts: Sequence[float], period: int
) -> list[float | None]:
    namespace, name, raw, stat = metric
    dimensions = tuple((each.name, each.value) for each in raw)
    found = samples(backend, namespace, name, dimensions, min(starts))
    windows = ([each for each in found if start <= each.timestamp < start + period] for start in starts)
    return [statistic(stat, window) for window in windows]
