"""Where a comparison's numbers come from: the load balancer's own metrics in CloudWatch, or a Prometheus.

CloudWatch has no histograms to hand out, but counts what lies between bounds: ``TC(:0.05)``, a *trimmed count*, is how
many requests took at most 50 ms. One such query for each bucket and side makes the histogram, all in one GetMetricData.
Sources: "CloudWatch statistics definitions", CloudWatch user guide (lower bounds are exclusive, upper ones inclusive);
"CloudWatch metrics for your Application Load Balancer", ELB user guide (what is zero is not reported).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bluegreen.analysis import Histogram, Interval, Side
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.promql import Sample, instant, samples
from bluegreen.hooks.remote import answered
from bluegreen.hooks.running import Surroundings

if TYPE_CHECKING:
    from bluegreen.hooks.compare import Source
    from bluegreen.hooks.settings_compare import CompareSettings, PrometheusQueries

_NAMESPACE = "AWS/ApplicationELB"
_TIME = "TargetResponseTime"
_SIDES = ("green", "blue")
_NO_ANSWER = ("InternalError", "Forbidden")
_PAGES = 100

Points = dict[str, dict[float, float]]
"""Query id to what it answered, by the beginning of the period."""


def source_of(settings: CompareSettings, around: Surroundings) -> Source:
    if settings.prometheus is not None:
        return PrometheusSource(settings, settings.prometheus, around)
    return BalancerSource(settings, around)


class BalancerSource:
    """RequestCount, the error metrics and TargetResponseTime of both target groups."""

    def __init__(self, settings: CompareSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around

    def intervals(self, start: float, end: float) -> list[Interval]:
        points = self._points(start, end)
        period = self._settings.period
        moments = [start + index * period for index in range(round((end - start) / period))]
        return [Interval(*(self._side(points, side, moment) for side in _SIDES)) for moment in moments]

    # Private

    def _points(self, start: float, end: float) -> Points:
        points: Points = {}
        with answered("CloudWatch"):
            aws = self._around.aws()
            asked: dict[str, Any] = {
                "MetricDataQueries": list(self._queries()),
                "StartTime": datetime.fromtimestamp(start, UTC),
                "EndTime": datetime.fromtimestamp(end, UTC),
                "ScanBy": "TimestampAscending",
            }
            for _ in range(_PAGES):
                answer = aws.read(aws.cloudwatch.get_metric_data, **asked)
                _collect(answer["MetricDataResults"], points)
                if not answer.get("NextToken"):
                    return points
                asked["NextToken"] = answer["NextToken"]
        raise HookUnavailableError("CloudWatch's answer has no end")

    def _queries(self) -> Iterator[dict[str, Any]]:
        settings = self._settings
        for side in _SIDES:
            yield self._query(f"{side}_requests", side, "RequestCount", "Sum")
            if settings.errors:
                for index, metric in enumerate(settings.error_metrics):
                    yield self._query(f"{side}_errors_{index}", side, metric, "Sum")
            if settings.asks_latency:
                yield self._query(f"{side}_times", side, _TIME, "SampleCount")
                for index, bound in enumerate(settings.bounds):
                    yield self._query(f"{side}_within_{index}", side, _TIME, f"TC(:{bound:.10g})")

    def _query(self, name: str, side: str, metric: str, stat: str) -> dict[str, Any]:
        dimensions = {"TargetGroup": self._fact(f"{side}_target_group"), "LoadBalancer": self._fact("load_balancer")}
        named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        measured = {"Namespace": _NAMESPACE, "MetricName": metric, "Dimensions": named}
        return {
            "Id": name,
            "ReturnData": True,
            "MetricStat": {"Metric": measured, "Period": int(self._settings.period), "Stat": stat},
        }

    def _fact(self, name: str) -> str:
        value = self._around.facts.get(name)
        if value is None:
            raise HookUnavailableError(f"it is not known yet which slot is blue and which green ({name})")
        if value.startswith("net/"):
            raise HookUnavailableError(
                f"{value} is a network load balancer: it counts no requests", hint="compare: {prometheus: ...}"
            )
        return value

    def _side(self, points: Points, side: str, moment: float) -> Side:
        def told(name: str) -> int:
            return round(points.get(f"{side}_{name}", {}).get(moment, 0.0))

        settings = self._settings
        errors = sum(told(f"errors_{index}") for index in range(len(settings.error_metrics)))
        times = None
        if settings.asks_latency and told("times"):
            within = [told(f"within_{index}") for index in range(len(settings.bounds))]
            times = histogram(settings.bounds, within, told("times"))
        # An error may be counted in a later period than its request.
        return Side(max(told("requests"), errors), errors, times)


class PrometheusSource:
    """One instant query as of the end of each interval, for each side and each thing to be told."""

    def __init__(self, settings: CompareSettings, asked: PrometheusQueries, around: Surroundings) -> None:
        self._settings = settings
        self._asked = asked
        self._around = around

    def intervals(self, start: float, end: float) -> list[Interval]:
        period = self._settings.period
        ends = [start + (index + 1) * period for index in range(round((end - start) / period))]
        return [Interval(*(self._side(side, moment) for side in _SIDES)) for moment in ends]

    # Private

    def _side(self, side: str, end: float) -> Side:
        errors = 0
        if self._settings.errors and self._asked.errors:
            errors = self._count(self._asked.errors, side, end)
        times = None
        if self._settings.asks_latency and self._asked.latency:
            times = bucketed(self._ask(self._asked.latency, side, end))
        requests = self._count(self._asked.requests, side, end)
        return Side(max(requests, errors), errors, times)

    def _count(self, query: str, side: str, end: float) -> int:
        found = self._ask(query, side, end)
        if len(found) > 1:
            raise HookUnavailableError(f"the query answers {len(found)} series; aggregate them to one, as with sum()")
        return _whole(found[0][1]) if found else 0

    def _ask(self, query: str, side: str, end: float) -> list[Sample]:
        return samples(instant(self._asked, self._rendered(query, side), self._around.clock, end))

    def _rendered(self, query: str, side: str) -> str:
        facts = self._around.facts
        words = {
            "side": facts.get(side, ""),
            "side_service": facts.get(f"{side}_service", ""),
            "side_target_group": facts.get(f"{side}_target_group", ""),
            "period": f"{self._settings.period:.0f}s",
        }
        for name, value in words.items():
            query = query.replace(f"${{{name}}}", value)
        return query


def histogram(bounds: Sequence[float], within: Sequence[int], total: int) -> Histogram:
    """``within``: how many are not above each bound. What a source only estimates is made to ascend."""
    reached, counts = 0, []
    for count in within:
        counts.append(max(0, count - reached))
        reached = max(reached, count)
    return Histogram(tuple(bounds), (*counts, max(0, total - reached)))


def bucketed(found: Sequence[Sample]) -> Histogram | None:
    """Buckets of the same bound add up: instances that write it as ``1`` and as ``1.0`` are two series."""
    buckets: Counter[float] = Counter()
    try:
        for labels, value in found:
            buckets[float(labels["le"])] += _whole(value)
    except (KeyError, ValueError):
        raise HookUnavailableError("the latency query must answer buckets: sum by (le) (increase(…))") from None
    bounds = sorted(bound for bound in buckets if math.isfinite(bound))
    if not buckets:
        return None
    return histogram(bounds, [buckets[bound] for bound in bounds], buckets[max(buckets)])


# Private


def _collect(results: Sequence[Mapping[str, Any]], points: Points) -> None:
    for each in results:
        if each.get("StatusCode") in _NO_ANSWER:
            said = "; ".join(str(message.get("Value", "")) for message in each.get("Messages", []))
            raise HookUnavailableError(f"CloudWatch answered {each['StatusCode']}{': ' if said else ''}{said}")
        found = points.setdefault(each["Id"], {})
        for stamp, value in zip(each.get("Timestamps", []), each.get("Values", []), strict=True):
            found[stamp.timestamp()] = value


def _whole(value: float) -> int:
    """``increase()`` extrapolates to parts of a request; NaN is nothing."""
    if math.isinf(value):
        raise HookUnavailableError(f"the query answers {value:+}, which is no number of requests")
    return 0 if math.isnan(value) else max(0, round(value))
