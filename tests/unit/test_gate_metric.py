"""The ``metric`` gate: what it asks CloudWatch, and what its answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError

from bluegreen.clock import FakeClock
from bluegreen.domain.spec import GateSpec
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.alarm import AlarmBoard
from bluegreen.hooks.base import Gate, Watch
from bluegreen.hooks.registry import build_gate
from bluegreen.hooks.running import Links
from bluegreen.hooks.settings_gates import MetricSettings
from tests.contract.hook_aws import FakeAws, refused

ERRORS = {"namespace": "AWS/ApplicationELB", "metric": "Errors", "dimensions": {"LoadBalancer": "${LB}"}}
ALL = {"namespace": "AWS/ApplicationELB", "metric": "RequestCount"}


def gate_of(aws: FakeAws, **settings: object) -> Gate:
    clock = FakeClock()
    spec = GateSpec("rate", "metric", {"metrics": {"errors": ERRORS}, "max": 5, **settings})
    board = AlarmBoard(lambda: cast(Any, None), clock)
    return build_gate(spec, {"LB": "app/prod/50dc"}, Path("/"), board, clock, Links(cast(Any, lambda: aws)))


def answering(*answers: Any) -> FakeAws:
    aws = FakeAws()
    aws.cloudwatch.answers = list(answers)
    return aws


def test_it_asks_for_the_expression_over_its_metrics_within_the_window() -> None:
    aws = answering([2.5])
    settings = {"metrics": {"errors": ERRORS, "all": ALL}, "expression": "100 * errors / all", "period": "30s"}
    reading = gate_of(aws, **settings, window="2m").check(Watch())
    assert (reading.state, reading.detail) == ("ok", "100 * errors / all is 2.5, allowed is at most 5")
    (asked,) = aws.cloudwatch.asked
    first, _, answer = asked["MetricDataQueries"]
    assert first["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "LoadBalancer", "Value": "app/prod/50dc"}]
    assert (first["MetricStat"]["Period"], first["MetricStat"]["Stat"], first["ReturnData"]) == (30, "Sum", False)
    assert (answer["Expression"], answer["ReturnData"]) == ("100 * errors / all", True)
    assert (asked["EndTime"] - asked["StartTime"]).total_seconds() == 120
    assert asked["ScanBy"] == "TimestampDescending"


def test_the_newest_data_point_counts() -> None:
    assert gate_of(answering([9.0, 1.0])).check(Watch()).state == "firing"


def test_no_data_point_within_the_window_is_no_data() -> None:
    assert gate_of(answering([])).check(Watch()).state == "no_data"


@pytest.mark.parametrize(("ended", "state"), [(-1.0, "no_data"), (0.0, "no_data"), (1.0, "ok")])
def test_a_data_point_from_before_green_had_traffic_says_nothing_of_it(ended: float, state: str) -> None:
    since = FakeClock().now() - 30
    stamp = datetime.fromtimestamp(since + ended - 60, UTC)
    aws = answering({"Values": [1.0], "Timestamps": [stamp]})
    assert gate_of(aws).check(Watch(since)).state == state
    assert aws.cloudwatch.asked[0]["StartTime"].timestamp() == since - 60


@pytest.mark.parametrize(
    ("settings", "running", "ended", "said"),
    [
        ({"min": 50}, 3.0, 80.0, ("ok", 80.0)),
        ({"min": 50}, 80.0, 3.0, ("firing", 3.0)),
        ({"max": 5}, 6.0, 1.0, ("firing", 6.0)),
        ({"max": 5}, 1.0, 6.0, ("firing", 6.0)),
        ({"max": 5, "stat": "Average"}, 9.0, 1.0, ("ok", 1.0)),
        ({"max": 5, "expression": "errors * 2"}, 9.0, 1.0, ("ok", 1.0)),
        ({"max": 5}, 1.0, None, ("no_data", None)),
    ],
)
def test_a_period_that_still_runs_says_nothing_but_what_is_too_much_already(
    settings: dict[str, Any], running: float, ended: float | None, said: tuple[str, float | None]
) -> None:
    now = FakeClock().now()
    values, begins = [running, *([] if ended is None else [ended])], [now - 20, now - 80]
    stamps = [datetime.fromtimestamp(at, UTC) for at in begins[: len(values)]]
    stat = settings.pop("stat", "Sum")
    bounds = {"max": None, **settings}
    aws = answering({"Values": values, "Timestamps": stamps})
    reading = gate_of(aws, **bounds, metrics={"errors": {**ERRORS, "stat": stat}}).check(Watch(now - 300))
    assert (reading.state, reading.numbers.get("value")) == said


@pytest.mark.parametrize(
    "answer", [refused("GetMetricData", "Throttling"), {"Values": [1.0], "StatusCode": "InternalError"}]
)
def test_an_answer_that_is_none_is_an_error_and_not_ok(answer: Any) -> None:
    gate = gate_of(answering(answer), error_limit=0)
    with pytest.raises(HookUnavailableError, match="CloudWatch"):
        gate.check(Watch())


@pytest.mark.parametrize(
    "wrong",
    [
        {"metrics": {}},
        {"metrics": {"Errors": ERRORS}},
        {"metrics": {"a": ERRORS, "b": ALL}},
        {"metrics": {"a": {**ERRORS, "dimension": 1}}},
    ],
)
def test_wrong_metrics_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MetricSettings.model_validate({"max": 1, **wrong})
