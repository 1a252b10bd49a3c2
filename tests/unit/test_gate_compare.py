"""The ``compare`` gate: what it asks its sources, what it remembers, and what its verdicts mean."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError

from bluegreen.analysis import Histogram, Interval, Side
from bluegreen.clock import FakeClock
from bluegreen.domain.spec import GateSpec
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.alarm import AlarmBoard
from bluegreen.hooks.base import Gate, Reading, Watch
from bluegreen.hooks.compare import MOST, CompareGate, asked
from bluegreen.hooks.compare_sources import bucketed, histogram
from bluegreen.hooks.registry import build_gate
from bluegreen.hooks.running import Links, Surroundings
from bluegreen.hooks.settings_compare import CompareSettings
from tests.contract.hook_aws import FakeAws, refused

FACTS = {
    "blue_target_group": "targetgroup/orders-1/1",
    "green_target_group": "targetgroup/orders-2/2",
    "load_balancer": "app/prod/50dc",
    "blue": "orders-1",
    "green": "orders-2",
    "blue_service": "orders-1",
    "green_service": "orders-2",
}
HEALTHY = Interval(Side(500, 5), Side(9500, 95))
BAD = Interval(Side(500, 25), Side(9500, 95))
SILENT = Interval(Side(0), Side(0))


@dataclass
class Counted:
    """A source of the same interval for ever; ``ranges`` are the times it was asked for."""

    each: Interval | Callable[[float], Interval]
    period: float
    ranges: list[tuple[float, float]] = field(default_factory=list)
    down: bool = False

    def intervals(self, start: float, end: float) -> list[Interval]:
        if self.down:
            raise HookUnavailableError("no answer")
        self.ranges.append((start, end))
        moments = [start + n * self.period for n in range(round((end - start) / self.period))]
        return [self.each if isinstance(self.each, Interval) else self.each(moment) for moment in moments]


class Bench:
    """A comparison in the shift since now, looked at every ``look`` seconds by a driver of its own each time."""

    def __init__(self, each: Interval | Callable[[float], Interval], look: float = 20.0, **settings: Any) -> None:
        self.settings = CompareSettings.model_validate({"latency": False, **settings})
        self.source = Counted(each, self.settings.period)
        self.clock = FakeClock()
        self.look = look
        self.since = self.clock.now()
        self.memory: Mapping[str, object] = {}
        self.comparing = True

    def check(self) -> Reading:
        gate = CompareGate(self.settings, self.source, Surroundings({}, Path("/"), self.clock))
        reading = gate.check(Watch(self.since, self.comparing, self.memory))
        self.memory = json.loads(json.dumps(reading.memory))
        assert self.memory == reading.memory, "it is the same when it comes back: the record is not written for nothing"
        return reading

    def looks(self, number: int) -> list[Reading]:
        found = []
        for _ in range(number):
            found.append(self.check())
            self.clock.sleep(self.look)
        return found

    def states(self, number: int) -> list[str]:
        return list(dict.fromkeys(reading.state for reading in self.looks(number)))


def test_a_green_that_is_worse_fires_with_the_evidence() -> None:
    bench = Bench(BAD)
    assert bench.states(60) == ["no_data", "not_yet", "firing"]
    said = bench.check().detail
    assert said.startswith("errors: green 5%, blue 1%: green is worse than blue (")
    assert "p = " in said


def test_a_green_like_blue_is_ok_once_that_is_shown() -> None:
    bench = Bench(HEALTHY)
    assert bench.states(60) == ["no_data", "not_yet", "ok"]
    assert "not worse than blue by more than the margin" in bench.check().detail


def test_what_it_still_needs_is_told_in_requests_and_time() -> None:
    bench = Bench(Interval(Side(50, 0), Side(950, 10)))
    said = bench.looks(12)[-1].detail
    assert "neither is shown yet; needs about" in said
    assert "more requests on green, about" in said


def test_a_green_without_requests_is_never_ok() -> None:
    bench = Bench(SILENT)
    assert bench.states(60) == ["no_data", "not_yet"]
    assert bench.check().detail == "no data: green had no requests"


@pytest.mark.parametrize("look", [7.0, 20.0, 60.0, 250.0])
def test_intervals_follow_each_other_and_none_is_counted_twice(look: float) -> None:
    bench = Bench(SILENT, look=look)
    bench.looks(30)
    ranges = bench.source.ranges
    assert all(earlier[1] == later[0] for earlier, later in pairwise(ranges))
    assert ranges[0][0] == math.ceil(bench.since / 60) * 60, "the first whole minute in which green had traffic"
    assert all(start % 60 == 0 and end % 60 == 0 for start, end in ranges)


def test_an_interval_is_taken_once_its_numbers_are_in() -> None:
    bench = Bench(SILENT, look=1.0, delay="90s")
    bench.looks(600)
    assert bench.source.ranges[-1][1] <= bench.clock.now() - 1 - 90 + 1


def test_what_was_read_and_not_kept_is_read_again_and_counted_once() -> None:
    bench = Bench(HEALTHY)
    bench.looks(10)
    before = dict(bench.memory)
    bench.clock.sleep(60)
    lost = bench.check()
    bench.memory = before
    again = bench.check()
    assert (again.numbers, again.memory) == (lost.numbers, lost.memory)
    assert bench.source.ranges[-1] == bench.source.ranges[-2]


def test_a_source_that_gives_no_answer_loses_nothing() -> None:
    bench = Bench(HEALTHY)
    bench.looks(10)
    seen = bench.check().numbers["errors_green_of"]
    bench.source.down = True
    bench.clock.sleep(300)
    with pytest.raises(HookUnavailableError):
        bench.check()
    bench.source.down = False
    assert bench.check().numbers["errors_green_of"] == seen + 5 * 500


def test_what_came_from_the_environment_is_not_told_by_a_source_that_complains() -> None:
    class Complaining:
        def intervals(self, start: float, end: float) -> list[Interval]:
            raise HookUnavailableError("the query x{token='s3cr3t-planted'} was refused", hint="mend it")

    around = Surroundings({}, Path("/"), FakeClock(), {"API_TOKEN": "s3cr3t-planted"})
    with pytest.raises(HookUnavailableError, match=r"the query x\{.*\[redacted\]") as raised:
        CompareGate(CompareSettings(), Complaining(), around).check(Watch())
    assert "s3cr3t" not in raised.value.message
    assert raised.value.hint == "mend it"


def test_a_long_silence_is_caught_up_with_look_by_look() -> None:
    bench = Bench(HEALTHY, period="1s", delay="0s", look=1.0)
    bench.clock.sleep(MOST * 2.5)
    taken = [reading.numbers["intervals"] for reading in bench.looks(3)]
    assert taken == [MOST, 2 * MOST, MOST * 2.5 + 2]


def test_with_all_traffic_on_green_the_last_word_stands_and_nothing_is_asked() -> None:
    bench = Bench(HEALTHY)
    bench.looks(10)
    asked_so_far = len(bench.source.ranges)
    bench.comparing = False
    bench.clock.sleep(600)
    reading = bench.check()
    assert reading.done
    assert reading.state == "not_yet"
    assert len(bench.source.ranges) == asked_so_far
    bench.memory = {}
    assert bench.check().done, "a comparison that never compared is not waited for in the bake"


def test_before_green_has_traffic_it_only_tries_to_read() -> None:
    bench = Bench(HEALTHY)
    gate = CompareGate(bench.settings, bench.source, Surroundings({}, Path("/"), bench.clock))
    reading = gate.check(Watch())
    assert (reading.state, reading.memory, len(bench.source.ranges)) == ("no_data", {}, 1)
    bench.source.down = True
    with pytest.raises(HookUnavailableError):
        gate.check(Watch())


def test_a_memory_of_another_kind_begins_anew() -> None:
    bench = Bench(HEALTHY)
    bench.memory = {"counts": {"error": 3}}
    assert bench.check().state == "no_data"


def test_slow_requests_are_counted_above_blues_usual_percentile() -> None:
    def interval(slow_green: int) -> Interval:
        bounds = (0.1, 0.2, 0.4)
        green = Histogram(bounds, (500 - slow_green - 10, 10, slow_green, 0))
        return Interval(Side(500, 0, green), Side(9500, 0, Histogram(bounds, (9300, 105, 95, 0))))

    slow, fine = (Bench(interval(number), errors=False, latency={}) for number in (40, 5))
    assert slow.states(60)[-1] == "firing"
    assert "slower than blue's p99 (200 ms): green 8%, blue 1%" in slow.check().detail
    assert slow.check().numbers["slow_above"] == 0.2
    assert fine.states(60)[-1] == "ok"


def test_three_intervals_must_speak_where_looks_come_every_few_seconds() -> None:
    assert asked(CompareSettings()).levels.intervals == 2
    assert asked(CompareSettings.model_validate({"period": "5s"})).levels.intervals == 3
    assert asked(CompareSettings(intervals=1)).levels.intervals == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"errors": False, "latency": False},
        {"period": "90s"},
        {"period": "1500ms"},
        {"alpha": "0%"},
        {"alpha": 0.01},
        {"errors": {"tolerated": {"relative": "60%"}}},
        {"latency": {"quantile": "99"}},
        {"buckets": ["20ms", "10ms"]},
        {"prometheus": {"url": "http://p:9090", "requests": "sum(x)"}},
        {"prometheus": {"url": "http://p:9090", "requests": "sum(increase(x[${period}]))"}},
        {"prometheus": {"url": "http://p:9090", "requests": 'increase(x{s="${side}"}[${period}])'}},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CompareSettings.model_validate(wrong)


# From the load balancer


def from_balancer(aws: FakeAws, facts: Mapping[str, str] = FACTS, **settings: object) -> Gate:
    clock = FakeClock()
    board = AlarmBoard(lambda: cast(Any, None), clock)
    links = Links(cast(Any, lambda: aws))
    return build_gate(GateSpec("versus", "compare", {**settings}), {}, Path("/"), board, clock, links, facts)


class Balancers:
    """CloudWatch as it answers GetMetricData for both target groups: ``tell`` gives a value for one query."""

    def __init__(self, tell: Callable[[str, str, str], float | None], pages: int = 1) -> None:
        self.tell = tell
        self.pages = pages
        self.asked: list[dict[str, Any]] = []

    def get_metric_data(self, **query: Any) -> dict[str, Any]:
        self.asked.append(query)
        page = int(query.get("NextToken", 0))
        moments: list[datetime] = [query["StartTime"]]
        results = []
        for each in query["MetricDataQueries"][page :: self.pages]:
            stat = each["MetricStat"]
            named = {one["Name"]: one["Value"] for one in stat["Metric"]["Dimensions"]}
            assert named["LoadBalancer"] == "app/prod/50dc"
            value = self.tell(named["TargetGroup"].split("/")[1], stat["Metric"]["MetricName"], stat["Stat"])
            known = value is not None
            results.append({
                "Id": each["Id"], "StatusCode": "Complete",
                "Timestamps": moments if known else [], "Values": [value] if known else [],
            })  # fmt: skip
        more = {"NextToken": str(page + 1)} if page + 1 < self.pages else {}
        return {"MetricDataResults": results, **more}


def answering(balancers: Balancers) -> FakeAws:
    aws = FakeAws()
    aws.cloudwatch = cast(Any, balancers)
    return aws


def one_interval(gate: Gate, clock_now: float) -> Interval:
    start = math.floor(clock_now / 60) * 60 - 120
    (interval,) = cast(Any, gate)._inner._source.intervals(start, start + 60)
    return cast(Interval, interval)


@pytest.mark.parametrize("pages", [1, 3])
def test_a_period_is_counted_from_the_load_balancers_metrics_of_both_target_groups(pages: int) -> None:
    def tell(group: str, metric: str, stat: str) -> float | None:
        green = group == "orders-2"
        within = {"TC(:0.1)": 80.0, "TC(:0.2)": 95.0} if green else {"TC(:0.1)": 900.0, "TC(:0.2)": 990.0}
        known = {
            "RequestCount": 100.0 if green else 1000.0,
            "HTTPCode_Target_5XX_Count": 3.0 if green else None,
            "TargetConnectionErrorCount": 1.0 if green else None,
            "TargetResponseTime": within.get(stat, 100.0 if green else 1000.0),
        }
        return known[metric]

    balancers = Balancers(tell, pages)
    gate = from_balancer(answering(balancers), buckets=["100ms", "200ms"])
    interval = one_interval(gate, FakeClock().now())
    assert interval.green == Side(100, 4, Histogram((0.1, 0.2), (80, 15, 5)))
    assert interval.blue == Side(1000, 0, Histogram((0.1, 0.2), (900, 90, 10)))
    assert len(balancers.asked) == pages


def test_errors_that_are_counted_later_than_their_requests_are_not_more_than_these() -> None:
    told = {"HTTPCode_Target_5XX_Count": 3.0}
    gate = from_balancer(answering(Balancers(lambda group, metric, stat: told.get(metric))), latency=False)
    assert one_interval(gate, FakeClock().now()).green == Side(3, 3)


def test_a_bound_that_instances_write_in_two_ways_is_one_bucket() -> None:
    assert bucketed([({"le": "1"}, 5), ({"le": "1.0"}, 4), ({"le": "+Inf"}, 12)]) == Histogram((1.0,), (9, 3))


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_endless_count_is_no_count(value: float) -> None:
    with pytest.raises(HookUnavailableError, match="which is no number of requests"):
        bucketed([({"le": "1"}, value), ({"le": "+Inf"}, 12)])


@pytest.mark.parametrize("answer", [refused("GetMetricData", "Throttling"), {"Values": [], "StatusCode": "Forbidden"}])
def test_cloudwatch_that_does_not_answer_is_unavailable(answer: Any) -> None:
    aws = FakeAws()
    aws.cloudwatch.answers = [answer]
    with pytest.raises(HookUnavailableError, match="CloudWatch"):
        from_balancer(aws).check(Watch())


def test_without_the_slots_it_cannot_be_asked() -> None:
    with pytest.raises(HookUnavailableError, match="which slot is blue"):
        from_balancer(answering(Balancers(lambda *one: None)), {}).check(Watch())


def test_a_network_load_balancer_has_no_requests_to_count() -> None:
    facts = {**FACTS, "load_balancer": "net/prod/50dc"}
    with pytest.raises(HookUnavailableError, match="network load balancer") as raised:
        from_balancer(answering(Balancers(lambda *one: None)), facts).check(Watch())
    assert "prometheus" in (raised.value.hint or "")


def test_what_a_source_only_estimates_is_made_a_histogram_all_the_same() -> None:
    assert histogram((1.0, 2.0, 3.0), (5, 4, 9), 8) == Histogram((1.0, 2.0, 3.0), (5, 0, 4, 0))
