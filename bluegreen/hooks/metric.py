"""``metric``: CloudWatch metrics, or an expression over them, against bounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.measured import MeasuredGate
from bluegreen.hooks.remote import answered
from bluegreen.hooks.running import Surroundings

if TYPE_CHECKING:
    from bluegreen.hooks.settings_gates import MetricSettings, OneMetric

_ANSWER = "bluegreen_answer"
_WITHOUT_ANSWER = ("InternalError", "Forbidden")


def metric_gate(settings: MetricSettings, around: Surroundings) -> MeasuredGate:
    title = settings.expression or next(iter(settings.metrics.values())).metric
    return MeasuredGate(title, settings, lambda: _newest(settings, around), around)


def _newest(settings: MetricSettings, around: Surroundings) -> float | None:
    """The newest data point; None where there is none within the window."""
    now = around.clock.now()
    with answered("CloudWatch"):
        aws = around.aws()
        answer = aws.read(
            aws.cloudwatch.get_metric_data,
            MetricDataQueries=_queries(settings),
            StartTime=datetime.fromtimestamp(now - settings.window, UTC),
            EndTime=datetime.fromtimestamp(now, UTC),
            ScanBy="TimestampDescending",
        )
    result: Mapping[str, Any] = next((each for each in answer["MetricDataResults"] if each["Id"] == _ANSWER), {})
    if result.get("StatusCode") in _WITHOUT_ANSWER:
        said = "; ".join(str(each.get("Value", "")) for each in result.get("Messages", []))
        raise HookUnavailableError(f"CloudWatch answered {result['StatusCode']}{': ' if said else ''}{said}")
    values = result.get("Values") or []
    return float(values[0]) if values else None


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
