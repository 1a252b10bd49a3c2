"""Settings of the kinds that ask somebody elsewhere: AWS's services, a person, a load generator."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from bluegreen.hooks.fields import Duration, ProcessSettings, Settings, Statuses, Text, several

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


Stage = Literal[
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
]
"""ECS's lifecycle stages (botocore: ``DeploymentLifecycleHookStage``, and those that take no hook there)."""


class LambdaSettings(Settings):
    function: str = Field(min_length=1, max_length=256, description="the function's name or ARN, with its alias")
    contract: Literal["ecs", "codedeploy"] = Field(default="ecs", description="what the function was written for")
    stage: Stage | None = Field(
        default=None, description="ECS's lifecycleStage; without it the one that the hook point stands for"
    )
    details: dict[str, Any] = Field(default_factory=dict, description="ECS's hookDetails")
    receiver: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.-]+:\d{1,5}$",
        description="HOST:PORT where CodeDeploy's answer is taken; the function's AWS_ENDPOINT_URL_CODEDEPLOY",
    )

    @field_validator("receiver")
    @classmethod
    def _of_a_port(cls, place: str | None) -> str | None:
        if place is not None and not 1 <= int(place.rpartition(":")[2]) <= 65_535:
            raise ValueError("a port is between 1 and 65535")
        return place

    @model_validator(mode="after")
    def _of_one_contract(self) -> LambdaSettings:
        if self.contract == "ecs" and self.receiver:
            raise ValueError("receiver belongs to contract: codedeploy")
        if self.contract == "codedeploy" and (self.details or self.stage):
            raise ValueError("stage and details belong to contract: ecs")
        return self


class CodeBuildSettings(Settings):
    project: str = Field(min_length=2, max_length=150, description="the project's name")
    source_version: str | None = Field(default=None, description="a commit, branch or tag in place of the project's")
    buildspec: str | None = Field(default=None, description="a buildspec's path in the source, or its text")
    env: dict[str, Text] = Field(default_factory=dict, description="added to the build's environment")
    keep: Duration = Field(default=120.0, description="how long CodeBuild may give no answer while the build runs")


class StepFunctionsSettings(Settings):
    state_machine: str = Field(
        pattern=r"^arn:[\w-]+:states:[\w-]+:\d{12}:stateMachine:[^:\s]+$",
        description="the ARN of a standard state machine",
    )
    input: dict[str, Any] = Field(default_factory=dict, description="the execution's input, beside bluegreen's own")
    keep: Duration = Field(default=120.0, description="how long Step Functions may give no answer while it runs")


class ApprovalSettings(Settings):
    message: str = Field(default="", max_length=500, description="what the person is asked")
    deadline: Duration | None = Field(
        default=None, gt=0, description="how long to wait for a person; without it the hook's timeout"
    )
    otherwise: Literal["reject", "approve"] = Field(default="reject", description="what silence means at the deadline")


def _percent(written: object) -> object:
    matched = _PERCENT.fullmatch(written.strip()) if isinstance(written, str) else None
    if matched is None:
        raise ValueError("a share is written in per cent, as in 1% or 0.5%")
    return float(matched[1])


Percent = Annotated[
    float, BeforeValidator(_percent, json_schema_input_type=str), Field(ge=0, le=100, examples=["1%", "0.5%"])
]


class LoadSettings(ProcessSettings):
    """A constant rate for a time, through the test route."""

    path: Annotated[
        tuple[str, ...], BeforeValidator(several, json_schema_input_type=str | list[str]), Field(min_length=1)
    ] = Field(description="a path, or several that are asked in turn")
    rate: float = Field(gt=0, le=10_000, description="requests a second")
    duration: Duration = Field(default=30.0, ge=1, description="for how long")
    users: int | None = Field(
        default=None, ge=1, le=5_000, description="how many ask at the same time; without it as many as the rate"
    )
    timeout: Duration = Field(default=10.0, gt=0, description="for each request; one without an answer has failed")
    headers: dict[str, Text] = Field(default_factory=dict, description="headers to send")
    status: Statuses = Field(
        default=((200, 399),),
        description="what counts as answered: a number, a range, or several",
        json_schema_extra={"default": "200-399"},
    )
    failures: Percent = Field(
        default=0.0, description="the largest share of failed requests", json_schema_extra={"default": "0%"}
    )
    percentiles: dict[str, Duration] = Field(
        default_factory=dict, description="the longest each may be, as in p50: 100ms, p99: 1s"
    )
    reached: Percent = Field(
        default=90.0,
        description="the share of the rate that must have been reached",
        json_schema_extra={"default": "90%"},
    )

    @field_validator("path")
    @classmethod
    def _rooted(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if not path.startswith("/") or re.search(r"[\x00-\x20\x7f]", path):
                raise ValueError("a path starts with / and has neither spaces nor control characters")
        return paths

    @field_validator("percentiles")
    @classmethod
    def _named(cls, percentiles: dict[str, float]) -> dict[str, float]:
        for name in percentiles:
            if not _PERCENTILE.fullmatch(name):
                raise ValueError(f"{name!r} is no percentile; they are written p50, p95, p99.9")
        return percentiles
