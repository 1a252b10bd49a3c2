"""moto's CloudWatch with what it gets wrong put right, as far as a deployment's gates would notice.

A metric is known by exactly its dimensions (moto also adds up those with more of them); percentiles and
metric math have values; a new alarm is INSUFFICIENT_DATA until it is evaluated; its state and its history
survive a PutMetricAlarm for the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch import urls as cloudwatch_urls
from moto.cloudwatch.models import Alarm, CloudWatchBackend, Statistics, cloudwatch_backends

from bluegreen.sandbox.balancer.cloudwatch import Dimensions, naive, same_metric, samples, statistic
from bluegreen.sandbox.balancer.expressions import evaluate
from bluegreen.sandbox.base import ACCOUNT

Points = dict[float, float]
Metric = tuple[str, str, Dimensions, int]
Windows = dict[float, list[Any]]


def install(region: str) -> None:
    """Put it where everything in the process looks for it; what the old one held goes along."""
    old = cloudwatch_backends[ACCOUNT][region]
    if not isinstance(old, MetricsBackend):
        new = MetricsBackend(region, ACCOUNT)
        new.__dict__.update(old.__dict__)
        cloudwatch_backends[ACCOUNT][region] = new


class MetricsBackend(CloudWatchBackend):
    @property
    def _url_module(self) -> Any:
        # moto derives it from the class's module, which is another one here.
        return cloudwatch_urls

    def put_metric_alarm(self, name: str, *args: Any, **kwargs: Any) -> Alarm:
        before = self.alarms.get(name)
        alarm = super().put_metric_alarm(name, *args, **kwargs)
        if before is None:
            alarm.state_value = "INSUFFICIENT_DATA"
            return alarm
        for kept in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
            setattr(alarm, kept, getattr(before, kept))
        return alarm

    def get_metric_statistics(
        self,
        namespace: str,
        metric_name: str,
        start_time: datetime,
        end_time: datetime,
        period: int,
        stats: list[str],
        dimensions: list[dict[str, str]],
        unit: str | None = None,
    ) -> list[Statistics]:
        wanted = tuple((each["Name"], each["Value"]) for each in dimensions or ())
        buckets: dict[float, Statistics] = {}
        for datum in list(self.metric_data):
            moment = _epoch(datum.timestamp)
            inside = _epoch(start_time) <= moment < _epoch(end_time) and (unit is None or datum.unit == unit)
            if inside and same_metric(datum, namespace, metric_name, wanted):
                start = moment // period * period
                bucket = buckets.setdefault(start, Statistics(stats, naive(start), datum.unit))
                bucket.metric_data.append(datum)
        return [buckets[start] for start in sorted(buckets)]

    def get_metric_data(
        self,
        queries: list[dict[str, Any]],
        start_time: datetime,
        end_time: datetime,
        scan_by: str = "TimestampAscending",
    ) -> list[dict[str, Any]]:
        fetched: dict[Metric, Windows] = {}
        insights = [each for each in queries if str(each.get("Expression", "")).startswith("SELECT")]
        found: dict[str, Points] = {}
        for query in queries:
            if "MetricStat" in query:
                found[query["Id"]] = self._metric(query["MetricStat"], _epoch(start_time), _epoch(end_time), fetched)
        for query in queries:
            if "Expression" in query and query not in insights:
                found[query["Id"]] = _computed(query["Expression"], found)
        answers = super().get_metric_data(insights, start_time, end_time, scan_by) if insights else []
        shown = [each for each in queries if each["Id"] in found and _true(each.get("ReturnData", True))]
        backwards = scan_by == "TimestampDescending"
        return [*(_answer(each, found[each["Id"]], backwards) for each in shown), *answers]

    def _metric(self, stat: Mapping[str, Any], start: float, end: float, fetched: dict[Metric, Windows]) -> Points:
        """``fetched``: what was found before: many queries of one call ask for other statistics of the same metric."""
        metric, period = stat["Metric"], int(stat["Period"])
        dimensions: Dimensions = tuple((each["Name"], each["Value"]) for each in metric.get("Dimensions") or ())
        key = (metric["Namespace"], metric["MetricName"], dimensions, period)
        if key not in fetched:
            windows = fetched[key] = {}
            for each in samples(self, metric["Namespace"], metric["MetricName"], dimensions, start // period * period):
                if each.timestamp < end:
                    windows.setdefault(each.timestamp // period * period, []).append(each)
        return dict(_values(stat["Stat"], fetched[key]))


def _values(stat: str, windows: Mapping[float, Sequence[Any]]) -> Iterator[tuple[float, float]]:
    for moment in sorted(windows):
        value = statistic(stat, windows[moment])
        if value is not None:
            yield moment, value


def _computed(expression: str, found: Mapping[str, Points]) -> Points:
    moments = sorted({moment for points in found.values() for moment in points})
    values = {
        moment: evaluate(expression, {name: points.get(moment) for name, points in found.items()}) for moment in moments
    }
    return {moment: value for moment, value in values.items() if value is not None}


def _answer(query: Mapping[str, Any], points: Points, backwards: bool) -> dict[str, Any]:
    moments = sorted(points, reverse=backwards)
    return {
        "id": query["Id"],
        "label": query.get("Label") or _label(query),
        "values": [points[moment] for moment in moments],
        "timestamps": [naive(moment) for moment in moments],
        "status_code": "Complete",
    }


def _label(query: Mapping[str, Any]) -> str:
    return str(query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"])


def _epoch(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _true(value: object) -> bool:
    return str(value).lower() != "false"
