"""When an alarm changes, and what it says; pure, and over moto's metric data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bluegreen.clock import FakeClock
from bluegreen.sandbox.balancer.alarms import AlarmClock, AlarmRule, Point, judge
from bluegreen.sandbox.balancer.cloudwatch import (
    Bins,
    HistogramDatum,
    backend_of,
    count_datum,
    percentile,
    prune,
)
from bluegreen.sandbox.balancer.cloudwatch_backend import install
from bluegreen.sandbox.balancer.expressions import composite, evaluate

REGION = "eu-west-1"
NOON = 1_700_000_000.0
STAMP = "14/11/23 22:13:20"
DIMENSIONS = (("TargetGroup", "targetgroup/g/1"), ("LoadBalancer", "app/lb/1"))


def rule(**more: Any) -> AlarmRule:
    given: dict[str, Any] = {
        "operator": "GreaterThanThreshold",
        "threshold": 1.0,
        "period": 60,
        "periods": 1,
        "needed": 1,
    }
    return AlarmRule(**{**given, **more})


def points(*values: float | None) -> list[Point]:
    """Newest first."""
    return [(NOON - 60 * index, value) for index, value in enumerate(values)]


def state(alarm: AlarmRule, *values: float | None) -> str | None:
    verdict = judge(alarm, points(*values))
    return verdict.state if verdict else None


def test_one_breaching_datapoint_reads_as_on_aws() -> None:
    verdict = judge(rule(), points(5.0, None, None))
    text = f"Threshold Crossed: 1 datapoint [5.0 ({STAMP})] was greater than the threshold (1.0)."
    assert verdict is not None
    assert (verdict.state, verdict.reason) == ("ALARM", text)


def test_ok_datapoint_reads_as_on_aws() -> None:
    verdict = judge(rule(operator="GreaterThanOrEqualToThreshold"), points(0.5, None, None))
    text = f"Threshold Crossed: 1 datapoint [0.5 ({STAMP})] was not greater than or equal to the threshold (1.0)."
    assert verdict is not None
    assert (verdict.state, verdict.reason) == ("OK", text)


def test_two_of_three_alarms_and_names_them() -> None:
    verdict = judge(rule(periods=3, needed=2), points(5.0, 0.0, 3.0, 0.0, 0.0))
    assert verdict is not None
    assert verdict.state == "ALARM"
    assert verdict.reason.startswith("Threshold Crossed: 2 out of the last 3 datapoints [5.0 (")
    assert verdict.reason.endswith("(minimum 2 datapoints for OK -> ALARM transition).")


def test_one_of_three_does_not_alarm_when_two_are_needed() -> None:
    assert state(rule(periods=3, needed=2), 5.0, 0.0, 0.0, 9.0, 9.0) == "OK"


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("missing", "INSUFFICIENT_DATA"), ("ignore", None), ("breaching", "ALARM"), ("notBreaching", "OK")],
)
def test_no_data_is_treated_as_asked(missing: str, expected: str | None) -> None:
    assert state(rule(missing=missing), None, None, None) == expected


def test_missing_period_is_replaced_by_an_earlier_datapoint() -> None:
    assert state(rule(missing="notBreaching"), None, 5.0, None) == "ALARM"


def test_gaps_that_count_as_breaching_complete_an_alarm() -> None:
    assert state(rule(periods=3, needed=3, missing="breaching"), 5.0, None, None, None, None) == "ALARM"
    assert state(rule(periods=3, needed=3, missing="notBreaching"), 5.0, None, None, None, None) == "OK"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("100 * errors / requests", 25.0),
        ("errors / nothing", None),
        ("FILL(nothing, 0) + 1", 1.0),
        ("IF(requests > 10, errors, 0)", 5.0),
        ("SUM([errors, requests])", 25.0),
        ("MAX([errors, nothing])", 5.0),
        ("errors / 0", None),
    ],
)
def test_metric_math_computes(expression: str, expected: float | None) -> None:
    assert evaluate(expression, {"errors": 5.0, "requests": 20.0, "nothing": None}) == expected


@pytest.mark.parametrize("expression", ["SEARCH('x', 'Sum')", "__import__('os')", "errors.real", "unknown + 1"])
def test_metric_math_it_does_not_speak_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="does not speak"):
        evaluate(expression, {"errors": 1.0})


def test_composite_rule_combines_other_alarms() -> None:
    states = {"a": "ALARM", "b": "OK"}
    assert composite('ALARM("a") AND NOT ALARM(b)', states)
    assert not composite("ALARM(b) OR (OK(a) AND TRUE)", states)
    assert composite("INSUFFICIENT_DATA(c)", states)


def test_percentile_counts_every_value() -> None:
    bins: Bins = ((0.1, 98), (2.0, 1), (5.0, 1))
    assert [percentile(rank, bins) for rank in (50, 99, 99.9)] == [0.1, 2.0, 5.0]


@pytest.fixture
def cloudwatch() -> Iterator[Any]:
    with mock_aws():
        install(REGION)
        yield boto3.client("cloudwatch", region_name=REGION)


def put(name: str, value: float, moment: float, dimensions: tuple[tuple[str, str], ...] = DIMENSIONS) -> None:
    backend_of(REGION).metric_data.append(count_datum(name, value, dimensions, moment))


def make_alarm(cloudwatch: Any, **more: Any) -> None:
    given = {
        "AlarmName": "errors",
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "HTTPCode_Target_5XX_Count",
        "Dimensions": [{"Name": name, "Value": value} for name, value in DIMENSIONS],
        "Statistic": "Sum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    cloudwatch.put_metric_alarm(**{name: value for name, value in {**given, **more}.items() if value is not None})


def current(cloudwatch: Any) -> str:
    return str(cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]["StateValue"])


def test_new_alarm_has_insufficient_data_until_it_is_evaluated(cloudwatch: Any) -> None:
    make_alarm(cloudwatch)
    assert current(cloudwatch) == "INSUFFICIENT_DATA"
    AlarmClock(REGION, FakeClock(NOON)).tick()
    assert current(cloudwatch) == "OK"


def test_alarm_adds_up_its_period_and_only_its_own_dimensions(cloudwatch: Any) -> None:
    make_alarm(cloudwatch)
    alarms, clock = AlarmClock(REGION, FakeClock(NOON + 2)), "HTTPCode_Target_5XX_Count"
    put(clock, 9, NOON - 3, (DIMENSIONS[1],))
    put(clock, 1, NOON - 3)
    alarms.tick()
    assert current(cloudwatch) == "OK"
    put(clock, 1, NOON - 5)
    alarms.tick()
    assert current(cloudwatch) == "ALARM"


def test_state_set_by_hand_holds_for_one_period(cloudwatch: Any) -> None:
    make_alarm(cloudwatch)
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="drill")
    clock = FakeClock(backend_of(REGION).alarms["errors"].state_updated_timestamp.replace(tzinfo=UTC).timestamp())
    alarms = AlarmClock(REGION, clock)
    clock.sleep(9)
    alarms.tick()
    assert current(cloudwatch) == "ALARM"
    clock.sleep(2)
    alarms.tick()
    assert current(cloudwatch) == "OK"


def test_alarm_on_an_error_rate_computes_its_expression(cloudwatch: Any) -> None:
    def metric(name: str, key: str) -> dict[str, Any]:
        dimensions = [{"Name": name, "Value": value} for name, value in DIMENSIONS]
        described = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions}
        return {"Id": key, "MetricStat": {"Metric": described, "Period": 10, "Stat": "Sum"}, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "100 * errors / requests", "ReturnData": True}
    metrics = [metric("HTTPCode_Target_5XX_Count", "errors"), metric("RequestCount", "requests"), rate]
    plain = dict.fromkeys(("Namespace", "MetricName", "Dimensions", "Statistic", "Period"))
    make_alarm(cloudwatch, Metrics=metrics, Threshold=5, **plain)
    put("HTTPCode_Target_5XX_Count", 6, NOON - 3)
    put("RequestCount", 100, NOON - 3)
    AlarmClock(REGION, FakeClock(NOON + 2)).tick()
    assert current(cloudwatch) == "ALARM"


def test_alarm_on_a_percentile_sees_the_slow_share(cloudwatch: Any) -> None:
    bins: Bins = ((0.01, 980), (3.0, 20))
    backend_of(REGION).metric_data.append(HistogramDatum("TargetResponseTime", bins, DIMENSIONS, NOON - 3, "Seconds"))
    make_alarm(cloudwatch, MetricName="TargetResponseTime", Statistic=None, ExtendedStatistic="p99")
    AlarmClock(REGION, FakeClock(NOON + 2)).tick()
    assert current(cloudwatch) == "ALARM"


def test_metric_data_is_of_exactly_the_dimensions_asked_for(cloudwatch: Any) -> None:
    now = NOON
    put("RequestCount", 5, now - 5)
    put("RequestCount", 7, now - 5, (DIMENSIONS[1],))
    dimensions = [{"Name": name, "Value": value} for name, value in reversed(DIMENSIONS)]
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Dimensions": dimensions}
    start = datetime.fromtimestamp(now, UTC) - timedelta(minutes=1)
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {"Id": "m", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}},
            {"Id": "double", "Expression": "m * 2"},
        ],
        StartTime=start,
        EndTime=start + timedelta(minutes=2),
    )
    assert {each["Id"]: each["Values"] for each in answer["MetricDataResults"]} == {"m": [5.0], "double": [10.0]}


def test_old_metric_data_is_forgotten(cloudwatch: Any) -> None:
    put("RequestCount", 1, NOON - 1300)
    put("RequestCount", 2, NOON - 5)
    prune(backend_of(REGION), NOON)
    assert [each.value for each in backend_of(REGION).metric_data] == [2]
