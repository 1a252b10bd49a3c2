"""Settings of the comparison of green with blue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from bluegreen.domain.facts import SIDE_FACTS
from bluegreen.hooks.fields import Duration, Settings, Text
from bluegreen.hooks.settings_gates import PROMETHEUS_URL

_PER_CENT = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*%")
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?)")
_FINEST = (1, 5, 10, 30)
"""CloudWatch's periods below a minute; others are whole minutes."""

_BUCKETS = tuple(round(0.005 * 1.4**step, 4) for step in range(24))


def _share(written: object) -> object:
    matched = _PER_CENT.fullmatch(written.strip()) if isinstance(written, str) else None
    if matched is None:
        raise ValueError("a share is written in per cent, as in 1% or 0.5%")
    return float(matched[1]) / 100


def _quantile(written: object) -> object:
    matched = _QUANTILE.fullmatch(written) if isinstance(written, str) else None
    if matched is None:
        raise ValueError("a percentile is written p50, p95 or p99.9")
    return float(matched[1]) / 100


Share = Annotated[float, BeforeValidator(_share, json_schema_input_type=str), Field(ge=0, examples=["0.1%", "50%"])]
Quantile = Annotated[float, BeforeValidator(_quantile, json_schema_input_type=str), Field(gt=0, lt=1)]


class Tolerated(Settings):
    relative: Share = Field(default=0.0, description="in per cent of blue's rate", json_schema_extra={"default": "0%"})
    absolute: Share = Field(default=0.0, lt=1, description="in points", json_schema_extra={"default": "0%"})


class ErrorLimits(Settings):
    """Green is good enough up to blue's rate with ``relative`` and ``absolute`` on top; worse above ``tolerated``."""

    relative: Share = Field(
        default=0.5, description="the margin, in per cent of blue's rate", json_schema_extra={"default": "50%"}
    )
    absolute: Share = Field(
        default=0.001, lt=1, description="and this many points on top of it", json_schema_extra={"default": "0.1%"}
    )
    tolerated: Tolerated = Field(
        default_factory=Tolerated, description="up to where green is not called worse; within the margin"
    )

    @model_validator(mode="after")
    def _within(self) -> ErrorLimits:
        if self.tolerated.relative > self.relative or self.tolerated.absolute > self.absolute:
            raise ValueError("what is tolerated must lie within the margin")
        return self


class LatencyLimits(ErrorLimits):
    """The same for the share of requests that are slower than blue's usual ``quantile``."""

    quantile: Quantile = Field(
        default=0.99, description="blue's percentile: what is above it is slow", json_schema_extra={"default": "p99"}
    )
    relative: Share = Field(
        default=1.0, description="the margin, in per cent of blue's share", json_schema_extra={"default": "100%"}
    )
    absolute: Share = Field(
        default=0.005, lt=1, description="and this many points on top of it", json_schema_extra={"default": "0.5%"}
    )


def _or_not(written: object) -> object:
    if written is False:
        return None
    if not isinstance(written, Mapping):
        raise ValueError("must be a mapping of keys and values, or false")
    return written


Errors = Annotated[ErrorLimits | None, BeforeValidator(_or_not, json_schema_input_type=ErrorLimits | Literal[False])]
Latency = Annotated[
    LatencyLimits | None, BeforeValidator(_or_not, json_schema_input_type=LatencyLimits | Literal[False])
]


class PrometheusQueries(Settings):
    """Each query is asked for each side and interval, as of the interval's end."""

    url: str = Field(pattern=PROMETHEUS_URL, description="where Prometheus is, as in http://prometheus:9090")
    requests: str = Field(min_length=1, description="PromQL: how many requests a side had in ${period}")
    errors: str | None = Field(default=None, description="PromQL: how many of them failed")
    latency: str | None = Field(default=None, description="PromQL: a histogram of their seconds, cumulative, by le")
    headers: dict[str, Text] = Field(default_factory=dict, description="headers to send")
    timeout: Duration = Field(default=10.0, gt=0, description="for one query")
    verify: bool | str = Field(default=True, description="check the certificate; a path names a CA bundle")

    @model_validator(mode="after")
    def _told_apart(self) -> PrometheusQueries:
        sides = [f"${{{name}}}" for name in SIDE_FACTS if name != "period"]
        for name in ("requests", "errors", "latency"):
            query = getattr(self, name)
            if query is None:
                continue
            if "${period}" not in query:
                raise ValueError(f"{name} must count over ${{period}}, as in increase(x[${{period}}])")
            if not any(side in query for side in sides):
                raise ValueError(f"{name} must name the side: {', '.join(sides)}")
        return self


class CompareSettings(Settings):
    """Green against blue over the same time, without a threshold: blue is the threshold."""

    errors: Errors = Field(default_factory=ErrorLimits, description="error rates; false: not")
    latency: Latency = Field(default_factory=LatencyLimits, description="latency; false: not")
    alpha: Share = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="how often, at most, a green no worse than blue is ever called worse",
        json_schema_extra={"default": "1%"},
    )
    beta: Share = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="how often, at most, one beyond the margin is ever called good enough",
        json_schema_extra={"default": "5%"},
    )
    intervals: int | None = Field(
        default=None, ge=1, le=10, description="how many must speak against green; 2, below a period of 30s 3"
    )
    period: Duration = Field(default=60.0, ge=1, description="of one interval", json_schema_extra={"default": "1m"})
    delay: Duration = Field(
        default=60.0,
        description="how late an interval's numbers may still come in",
        json_schema_extra={"default": "1m"},
    )
    error_metrics: list[str] = Field(
        default=["HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount"],
        min_length=1,
        max_length=10,
        description="the load balancer's metrics that count a target group's errors",
    )
    buckets: tuple[Duration, ...] | None = Field(
        default=None, description="the latencies told apart; without them 24 from 5ms to 11s, each 1.4 times the last"
    )
    prometheus: PrometheusQueries | None = Field(
        default=None, description="in place of the load balancer's metrics, a Prometheus to ask"
    )

    @field_validator("buckets")
    @classmethod
    def _ascending(cls, buckets: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if buckets is not None and any(low >= high for low, high in pairwise(buckets)):
            raise ValueError("buckets must ascend")
        if buckets is not None and not 2 <= len(buckets) <= 100:
            raise ValueError("from 2 to 100 buckets can be told apart")
        return buckets

    @model_validator(mode="after")
    def _answerable(self) -> CompareSettings:
        if self.errors is None and self.latency is None:
            raise ValueError("there is nothing to compare: errors and latency are both false")
        if self.period % 1 or (self.prometheus is None and self.period % 60 and self.period not in _FINEST):
            raise ValueError("a period is 1s, 5s, 10s, 30s or whole minutes; AWS's load balancers report each 1m")
        asked = self.prometheus
        if asked is not None and self.errors is not None and asked.errors is None:
            raise ValueError("prometheus needs a query for errors, or errors: false")
        return self

    @property
    def bounds(self) -> tuple[float, ...]:
        """In seconds, ascending."""
        return self.buckets or _BUCKETS

    @property
    def asks_latency(self) -> bool:
        return self.latency is not None and (self.prometheus is None or self.prometheus.latency is not None)
