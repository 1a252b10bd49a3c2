"""Settings of the gates: an alarm, or a number that is measured again and again."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from bluegreen.hooks.fields import Duration, Settings, Text

_ID = re.compile(r"[a-z][A-Za-z0-9_]*")
PROMETHEUS_URL = r"^https?://[^/\s?#]+(?:/[^\s?#]*)?$"


NoData = Literal["hold", "ok", "fire", "error"]


class SeriesSettings(Settings):
    """How often a gate is measured, and what its measurements add up to."""

    interval: Duration = Field(default=10.0, gt=0, description="between two measurements")
    initial_delay: Duration = Field(default=0.0, description="after green's first traffic, before it is measured")
    count: int = Field(default=0, ge=0, description="measure so often and let the word stand; 0: as long as watched")
    failure_limit: int = Field(default=0, ge=0, description="how many failed measurements are let pass")
    inconclusive_limit: int = Field(default=4, ge=0, description="how many inconclusive ones in a row are let pass")
    error_limit: int = Field(default=4, ge=0, description="how many in a row may be impossible to measure")
    no_data: NoData = Field(default="hold", description="what no data means: wait for some, ok, a failure, an error")


class AlarmSettings(SeriesSettings):
    """Looked at as often as gates are; CloudWatch has judged already, so one look at ALARM is enough."""

    alarm: str = Field(
        min_length=1,
        max_length=255,
        description="the name of a metric alarm (also of an anomaly), or of a composite alarm",
    )
    interval: Duration = Field(
        default=0.0, description="between two looks; 0: whenever gates are read", json_schema_extra={"default": "0s"}
    )
    inconclusive_limit: int = Field(default=60, ge=0, description="how many looks in a row without data are let pass")
    error_limit: int = Field(default=0, ge=0, description="how many looks in a row may get no answer")
    no_data: NoData = Field(default="ok", description="what INSUFFICIENT_DATA means")

    @field_validator("alarm")
    @classmethod
    def _name(cls, alarm: str) -> str:
        if alarm.startswith("arn:"):
            raise ValueError("an alarm is given by its name, not by its ARN")
        return alarm


class MeasuredSettings(SeriesSettings):
    """Within ``ok_min``…``ok_max`` a number is a success, outside ``min``…``max`` a failure, between inconclusive."""

    max: float | None = Field(default=None, description="above it, a measurement has failed")
    min: float | None = Field(default=None, description="below it, a measurement has failed")
    ok_max: float | None = Field(default=None, description="above it and up to max, it is inconclusive")
    ok_min: float | None = Field(default=None, description="below it and down to min, it is inconclusive")

    @model_validator(mode="after")
    def _bounds(self) -> MeasuredSettings:
        if self.max is None and self.min is None:
            raise ValueError("give max, min, or both: the bounds of a failure")
        order = [bound for bound in (self.min, self.ok_min, self.ok_max, self.max) if bound is not None]
        if order != sorted(order):
            raise ValueError("the bounds must be in the order min, ok_min, ok_max, max")
        return self


class OneMetric(Settings):
    namespace: str = Field(min_length=1, description="as AWS/ApplicationELB")
    metric: str = Field(min_length=1, description="the metric's name")
    dimensions: dict[str, Text] = Field(default_factory=dict, description="name and value")
    stat: str = Field(default="Sum", description="Sum, Average, Maximum, p99, …")


class MetricSettings(MeasuredSettings):
    metrics: dict[str, OneMetric] = Field(min_length=1, max_length=20, description="by the id the expression knows")
    expression: str | None = Field(default=None, description="metric math; without it there is one metric, itself")
    period: Duration = Field(default=60.0, ge=1, description="of one data point")
    window: Duration = Field(default=300.0, ge=1, description="how old the newest data point may be")

    @field_validator("metrics")
    @classmethod
    def _ids(cls, metrics: dict[str, OneMetric]) -> dict[str, OneMetric]:
        for name in metrics:
            if not _ID.fullmatch(name):
                raise ValueError(f"{name!r} is no id of metric math: a small letter, then letters, digits and _")
        return metrics

    @model_validator(mode="after")
    def _one_answer(self) -> MetricSettings:
        if self.expression is None and len(self.metrics) > 1:
            raise ValueError("several metrics need an expression that makes one number of them")
        return self


class PrometheusSettings(MeasuredSettings):
    url: str = Field(pattern=PROMETHEUS_URL, description="where Prometheus is, as in http://prometheus:9090")
    query: str = Field(min_length=1, description="PromQL that answers one number")
    headers: dict[str, Text] = Field(default_factory=dict, description="headers to send")
    timeout: Duration = Field(default=10.0, gt=0, description="for one query")
    verify: bool | str = Field(default=True, description="check the certificate; a path names a CA bundle")
