"""Metric data in moto's in-process CloudWatch backend: put in, read back by the alarms, kept bounded."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.backends import get_backend
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum

from bluegreen.sandbox.base import ACCOUNT

NAMESPACE = "AWS/ApplicationELB"
_KEPT_SECONDS = 1200
_KEPT_AT_MOST = 200_000
_TRIMMED_COUNT = re.compile(r"TC\((\d+(?:\.\d+)?)?:(\d+(?:\.\d+)?)?\)")

Dimensions = tuple[tuple[str, str], ...]
Bins = tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one datum stands for: ``count`` values with this ``total``; ``bins`` are (value, how many)."""

    timestamp: float
    total: float
    count: float
    low: float
    high: float
    bins: Bins


class HistogramDatum(MetricAggregatedDatum):
    """Statistics with the values behind them, so that percentiles can be told. ``bins`` as in Sample."""

    def __init__(self, name: str, bins: Bins, dimensions: Dimensions, moment: float, unit: str) -> None:
        values = [value for value, _ in bins]
        super().__init__(
            namespace=NAMESPACE,
            name=name,
            min_stat=min(values),
            max_stat=max(values),
            sample_count=float(sum(count for _, count in bins)),
            sum_stat=sum(value * count for value, count in bins),
            dimensions=_named(dimensions),
            timestamp=naive(moment),
            unit=unit,
        )
        self.bins = bins


class OurDatum(MetricDatum):
    """A value the balancer itself put in."""


def backend_of(region: str) -> Any:
    return get_backend("cloudwatch")[ACCOUNT][region]


def naive(moment: float) -> datetime:
    """moto keeps its times in UTC without saying so."""
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)


def count_datum(name: str, value: float, dimensions: Dimensions, moment: float) -> OurDatum:
    return OurDatum(NAMESPACE, name, value, _named(dimensions), naive(moment), "Count")


def prune(backend: Any, now: float) -> None:
    """Forgets what is older than 20 minutes, and the oldest beyond 200,000.

    Only a prefix goes, in one step: the API's threads append to the same list meanwhile.
    """
    data = list(backend.metric_data)
    young = (index for index, each in enumerate(data) if _moment(each) >= now - _KEPT_SECONDS)
    del backend.metric_data[: max(next(young, len(data)), len(data) - _KEPT_AT_MOST)]


def samples(backend: Any, namespace: str, name: str, dimensions: Dimensions, since: float) -> list[Sample]:
    """A metric's data from ``since`` on, newest first. The dimensions must be exactly these, as on CloudWatch."""
    return [
        _sample(each)
        for each in _appended_since(backend.metric_data, since)
        if same_metric(each, namespace, name, dimensions) and _moment(each) >= since
    ]


def _appended_since(data: Iterable[Any], since: float) -> Iterator[Any]:
    """Newest first. Ours is put in as time passes, so nothing before one of ours that is too old can be young."""
    for each in reversed(list(data)):
        if isinstance(each, HistogramDatum | OurDatum) and _moment(each) < since:
            return
        yield each


def same_metric(datum: Any, namespace: str, name: str, dimensions: Dimensions) -> bool:
    if datum.name != name or datum.namespace != namespace:
        return False
    return sorted((each.name, each.value) for each in datum.dimensions) == sorted(dimensions)


def statistic(name: str, found: Sequence[Sample]) -> float | None:
    """``name`` is a CloudWatch statistic: Sum, Average, Minimum, Maximum, SampleCount, a percentile as p99.9, or a
    trimmed count between absolute bounds as TC(0.005:0.03), TC(:0.03) or TC(0.005:)."""
    count = sum(each.count for each in found)
    if not count:
        return None
    if name.startswith("p"):
        return percentile(float(name[1:]), [pair for each in found for pair in each.bins])
    if name.startswith("TC("):
        return trimmed_count(name, [pair for each in found for pair in each.bins])
    total = sum(each.total for each in found)
    values: Mapping[str, float] = {
        "Sum": total,
        "SampleCount": count,
        "Average": total / count,
        "Minimum": min(each.low for each in found),
        "Maximum": max(each.high for each in found),
    }
    return values[name]


def trimmed_count(name: str, bins: Iterable[tuple[float, int]]) -> float:
    """How many values are above the lower bound and not above the upper one ("CloudWatch statistics definitions")."""
    matched = _TRIMMED_COUNT.fullmatch(name)
    if matched is None:
        raise ValueError(f"a trimmed count the sandbox does not speak: {name}")
    low, high = (float(bound) if bound else None for bound in matched.groups())
    return float(
        sum(count for value, count in bins if (low is None or value > low) and (high is None or value <= high))
    )


def percentile(rank: float, bins: Iterable[tuple[float, int]]) -> float:
    ordered = sorted(bins)
    needed = max(1, math.ceil(rank / 100 * sum(count for _, count in ordered)))
    for value, count in ordered:
        needed -= count
        if needed <= 0:
            return value
    return ordered[-1][0]


def _named(dimensions: Dimensions) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions]


def _moment(datum: Any) -> float:
    stamp: datetime = datum.timestamp
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()


def _sample(datum: Any) -> Sample:
    if isinstance(datum, HistogramDatum):
        return Sample(_moment(datum), datum.sum, datum.sample_count, datum.min, datum.max, datum.bins)
    if isinstance(datum, MetricAggregatedDatum):
        bins = ((datum.sum / (datum.sample_count or 1), int(datum.sample_count)),)
        return Sample(_moment(datum), datum.sum, datum.sample_count, datum.min, datum.max, bins)
    return Sample(_moment(datum), datum.value, 1, datum.value, datum.value, ((datum.value, 1),))
