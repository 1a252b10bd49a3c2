"""What Envoy counted → CloudWatch's AWS/ApplicationELB, once a second.

As on AWS, counters that are zero are not reported, host counts always are. RequestCount is of requests a
target was chosen for. Source: "CloudWatch metrics for your Application Load Balancer", ELB user guide.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from bluegreen.clock import Clock
from bluegreen.sandbox.balancer.cloudwatch import (
    Bins,
    Dimensions,
    HistogramDatum,
    backend_of,
    count_datum,
    prune,
)
from bluegreen.sandbox.balancer.model import Snapshot
from bluegreen.sandbox.balancer.resources import REQUESTS_STAT, STAT_PREFIX, TIME_STAT

_SECOND = 1.0
_PRUNE_SECONDS = 10.0
_PATTERN = (
    rf"^{STAT_PREFIX}\.({REQUESTS_STAT}|{TIME_STAT})\.".replace("|", "%7C").replace("\\", "%5C").replace("^", "%5E")
)
_REQUESTS = re.compile(rf"{STAT_PREFIX}\.{REQUESTS_STAT}\.lb\.(.+?)\.tg\.(.*?)\.code\.(\d+)\.details\.(.*)", re.DOTALL)
_TIME = re.compile(rf"{STAT_PREFIX}\.{TIME_STAT}\.lb\.(.+?)\.tg\.(.*)")
_MICRO = 1e-6

_Name = TypeVar("_Name", bound=Hashable)


class StatsSource(Protocol):
    def stats(self, pattern: str) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """Totals since Envoy started. ``requests`` by (load balancer, target group, status, details) and
    ``times`` by (load balancer, target group, seconds)."""

    requests: Counter[tuple[str, str, int, str]] = field(default_factory=Counter)
    times: Counter[tuple[str, str, float]] = field(default_factory=Counter)


class Meter:
    """One thread calls ``tick``."""

    def __init__(self, region: str, clock: Clock) -> None:
        self._region = region
        self._clock = clock
        self._before = Seen()
        self._due = 0.0
        self._prune_due = 0.0

    def tick(self, proxy: StatsSource, snapshot: Snapshot, hosts: Mapping[str, tuple[int, int]]) -> None:
        """Publishes when a second has passed since the last time. ``hosts``: (healthy, unhealthy) by ARN."""
        now = self._clock.now()
        if now < self._due:
            return
        self._due = now + _SECOND
        seen = parse(proxy.stats(_PATTERN))
        passed = Seen(_grown(self._before.requests, seen.requests), _grown(self._before.times, seen.times))
        self._before = seen
        backend = backend_of(self._region)
        for name, value, dimensions in (*request_counts(passed), *host_counts(snapshot, hosts)):
            backend.metric_data.append(count_datum(name, value, dimensions, now))
        for dimensions, bins in response_times(passed):
            backend.metric_data.append(HistogramDatum("TargetResponseTime", bins, dimensions, now, "Seconds"))
        if now >= self._prune_due:
            self._prune_due = now + _PRUNE_SECONDS
            prune(backend, now)


def parse(stats: Mapping[str, Any]) -> Seen:
    """Envoy's admin answer to ``/stats?format=json&histogram_buckets=detailed``."""
    seen = Seen()
    for each in stats.get("stats", []):
        if "histograms" in each:
            for histogram in each["histograms"].get("details", []):
                _read_histogram(histogram, seen)
        elif found := _REQUESTS.fullmatch(each["name"]):
            balancer, group, status, details = found.groups()
            seen.requests[balancer, group, int(status), details] += int(each["value"])
    return seen


def request_counts(passed: Seen) -> list[tuple[str, float, Dimensions]]:
    """(metric, value, dimensions) of all that is not zero."""
    counts: Counter[tuple[str, Dimensions]] = Counter()
    for (balancer, group, status, details), number in passed.requests.items():
        for name, dimensions in _counted_as(balancer, group, status, details):
            counts[name, dimensions] += number
    return [(name, float(number), dimensions) for (name, dimensions), number in counts.items() if number]


def host_counts(snapshot: Snapshot, hosts: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, float, Dimensions]]:
    in_use = snapshot.in_use()
    for group in snapshot.target_groups:
        if group.arn in hosts and group.arn in in_use:
            dimensions = _of_group(in_use[group.arn].key, group.key)
            yield "HealthyHostCount", float(hosts[group.arn][0]), dimensions
            yield "UnHealthyHostCount", float(hosts[group.arn][1]), dimensions


def response_times(passed: Seen) -> Iterator[tuple[Dimensions, Bins]]:
    found: dict[Dimensions, Counter[float]] = {}
    for (balancer, group, seconds), number in passed.times.items():
        for dimensions in _all_dimensions(balancer, group):
            found.setdefault(dimensions, Counter())[seconds] += number
    for dimensions, counter in found.items():
        yield dimensions, tuple(sorted(counter.items()))


def _counted_as(balancer: str, group: str, status: int, details: str) -> Iterator[tuple[str, Dimensions]]:
    family = f"{status // 100}XX_Count"
    if details == "via_upstream":
        for dimensions in _all_dimensions(balancer, group):
            yield "RequestCount", dimensions
            yield f"HTTPCode_Target_{family}", dimensions
        return
    if group and status in (502, 504):
        yield from (("RequestCount", dimensions) for dimensions in _all_dimensions(balancer, group))
        if "connection_failure" in details:
            yield from (("TargetConnectionErrorCount", dimensions) for dimensions in _all_dimensions(balancer, group))
    alone = _of_balancer(balancer)
    if details == "direct_response" and status != 503:
        if status // 100 == 3:
            yield "HTTP_Redirect_Count", alone
        else:
            yield "HTTP_Fixed_Response_Count", alone
        return
    if status >= 400:
        yield f"HTTPCode_ELB_{family}", alone
    if status in (500, 502, 503, 504):
        yield f"HTTPCode_ELB_{status}_Count", alone


def _all_dimensions(balancer: str, group: str) -> tuple[Dimensions, ...]:
    if not group:
        return (_of_balancer(balancer),)
    alone = (("TargetGroup", f"targetgroup/{group}"),)
    return _of_balancer(balancer), _of_group(balancer, group), alone


def _of_balancer(balancer: str) -> Dimensions:
    return (("LoadBalancer", balancer),)


def _of_group(balancer: str, group: str) -> Dimensions:
    return (("TargetGroup", f"targetgroup/{group}"), ("LoadBalancer", balancer))


def _read_histogram(histogram: Mapping[str, Any], seen: Seen) -> None:
    found = _TIME.fullmatch(histogram["name"])
    if found:
        for part in histogram.get("totals", []):
            seconds = (part["lower_bound"] + part["width"] / 2) * _MICRO
            seen.times[found[1], found[2], seconds] += int(part["count"])


def _grown(before: Counter[_Name], now: Counter[_Name]) -> Counter[_Name]:
    """What was added since. A total that shrank began anew: Envoy was restarted."""
    pairs = ((name, total - before[name] if total >= before[name] else total) for name, total in now.items())
    return Counter({name: number for name, number in pairs if number})
