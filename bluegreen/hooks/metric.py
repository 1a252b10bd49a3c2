"""``metric``: CloudWatch metrics, or an expression over them, against bounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Watch
from bluegreen.hooks.measured import MeasuredGate
from bluegreen.hooks.remote import answered
from bluegreen.hooks.running import Surroundings

if TYPE_CHECKING:
    from bluegreen.hooks.settings_gates import MetricSettings, OneMetric

_ANSWER = "bluegreen_answer"
_GROWING = ("Sum", "SampleCount", "Maximum")
"""Statistics that no later datum of the period can make smaller, where the metric counts something."""

_WITHOUT_ANSWER = ("InternalError", "Forbidden")


def metric_gate(settings: MetricSettings, around: Surroundings) -> MeasuredGate:
    title = settings.expression or next(iter(settings.metrics.values())).metric
    return MeasuredGate(title, settings, lambda watch: _newest(settings, around, watch), around)


def _newest(settings: MetricSettings, around: Surroundings, watch: Watch) -> float | None:
    """The newest data point of a period that has ended; None where there is none within the window.

    A point whose period ended before green had any traffic says nothing about it. One whose period still runs is told,
    too, and may become anything yet, but for what can only grow: that is too much as soon as it is.
    """
    now = around.clock.now()
    since = max(now - settings.window, (watch.since or 0.0) - settings.period)
    with answered("CloudWatch"):
        aws = around.aws()
        answer = aws.read(
            aws.cloudwatch.get_metric_data,
            MetricDataQueries=_queries(settings),
            StartTime=datetime.fromtimestamp(since, UTC),
            EndTime=datetime.fromtimestamp(now, UTC),
            ScanBy="TimestampDescending",
        )
    result: Mapping[str, Any] = next((each for each in answer["MetricDataResults"] if each["Id"] == _ANSWER), {})
    if result.get("StatusCode") in _WITHOUT_ANSWER:
        said = "; ".join(str(each.get("Value", "")) for each in result.get("Messages", []))
        raise HookUnavailableError(f"CloudWatch answered {result['StatusCode']}{': ' if said else ''}{said}")
    stamps = result.get("Timestamps") or []
    for stamp, value in zip(stamps, result.get("Values") or [], strict=True):
        ends = stamp.timestamp() + settings.period
        if ends <= (watch.since or 0.0):
            return None
        if ends <= now or _is_too_much_already(settings, value):
            return float(value)
    return None


def _is_too_much_already(settings: MetricSettings, value: float) -> bool:
    grows = settings.expression is None and all(each.stat in _GROWING for each in settings.metrics.values())
    return grows and settings.max is not None and value > settings.max


def _queries(settings: MetricSettings) -> list[Any]:
    if settings.expression is None:
        (metric,) = settings.metrics.values()
        return [_query(_ANSWER, metric, settings, answer=True)]
    queries = [_query(name, each, settings, answer=False) for name, each in settings.metrics.items()]
    period = {"Period": int(settings.period)}
    return [*queries, {"Id": _ANSWER, "Expression": settings.expression, "ReturnData": True, **period}]


def _query(name: str, metric: OneMetric, settings: MetricSettings, *, answer: bool) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in metric.dimensions.items()]
    return {
        "Id": name,
        "ReturnData": answer,
        "MetricStat": {
            "Metric": {"Namespace": metric.namespace, "MetricName": metric.metric, "Dimensions": dimensions},
            "Period": int(settings.period),
            "Stat": metric.stat,
        },
    }
