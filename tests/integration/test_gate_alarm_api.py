"""The alarm gate over a real boto3 client: the call's shape is checked by botocore, its meaning by an emulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from bluegreen.clock import FakeClock
from bluegreen.domain.spec import GateSpec
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.alarm import AlarmBoard
from bluegreen.hooks.base import Gate, Watch
from bluegreen.hooks.registry import build_gate

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudWatchClient]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("cloudwatch", region_name="eu-west-1")


def gate(cloudwatch: CloudWatchClient, name: str) -> Gate:
    board = AlarmBoard(lambda: cloudwatch, FakeClock())
    return build_gate(GateSpec(name, "alarm", {"alarm": name}), {}, Path(), board)


def test_state_of_an_alarm_is_read_as_cloudwatch_tells_it(cloudwatch: CloudWatchClient) -> None:
    cloudwatch.put_metric_alarm(
        AlarmName="orders-5xx",
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName="orders-5xx", StateValue="ALARM", StateReason="7 errors in a minute")
    reading = gate(cloudwatch, "orders-5xx").check(Watch())
    assert (reading.state, reading.detail) == ("firing", "orders-5xx is ALARM: 7 errors in a minute")
    cloudwatch.set_alarm_state(AlarmName="orders-5xx", StateValue="OK", StateReason="calm")
    assert gate(cloudwatch, "orders-5xx").check(Watch()).state == "ok"


def test_an_alarm_of_an_anomaly_is_an_alarm_too(cloudwatch: CloudWatchClient) -> None:
    cloudwatch.put_metric_alarm(
        AlarmName="unusual",
        Metrics=[
            {
                "Id": "time",
                "MetricStat": {
                    "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": "TargetResponseTime"},
                    "Period": 60,
                    "Stat": "p99",
                },
            },
            {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(time, 2)"},
        ],
        ThresholdMetricId="band",
        EvaluationPeriods=2,
        ComparisonOperator="GreaterThanUpperThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName="unusual", StateValue="ALARM", StateReason="above the band")
    assert gate(cloudwatch, "unusual").check(Watch()).state == "firing"


def test_alarm_that_cloudwatch_does_not_know_is_unavailable(cloudwatch: CloudWatchClient) -> None:
    with pytest.raises(HookUnavailableError, match="no alarm named ghost"):
        gate(cloudwatch, "ghost").check(Watch())
