"""The configuration as pydantic models: the shape, the defaults and the description of every key.

The JSON Schema, the reference and ``docs/configuration.md`` are made from or checked against it. Defaults are those
of ``domain.spec``. Hooks, gates and notifiers are in ``entries``; what stands behind a kind is its own (``kinds``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bluegreen.config.entries import GateEntry, HooksSection, NotifyEntry
from bluegreen.config.shift import ALL_AT_ONCE, Shift, word_or_mapping
from bluegreen.config.values import (
    Line,
    OneOrMore,
    Part,
    PositiveTime,
    SomePercent,
    Time,
    TimeOrNever,
    matching,
    said,
    whole,
)
from bluegreen.domain.spec import Deadlines, HealthSpec, Spec

_HEALTH, _DEADLINES = HealthSpec(), Deadlines()
_TOP: dict[str, Any] = {name: field.default for name, field in Spec.__dataclass_fields__.items()}
_AWS_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
_ECS_NAME = r"[A-Za-z0-9_-]{1,255}"
_ARN = r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener(?:-rule)?/(?:app|net)/[A-Za-z0-9/-]+"
_ECS_WORDS = "the name of an ECS service: letters, digits, - and _"

ServiceName = Annotated[str, *matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", "a name of letters, digits, ., - and _")]
Cluster = Annotated[
    str,
    *matching(
        rf"{_ECS_NAME}|arn:aws[A-Za-z0-9_-]*:ecs:[A-Za-z0-9_-]+:[0-9]{{12}}:cluster/{_ECS_NAME}",
        "a cluster's name or ARN",
    ),
]
TargetGroup = Annotated[str, *matching(_AWS_NAME, "a target group's name: up to 32 letters, digits and -")]
EcsService = Annotated[str, *matching(_ECS_NAME, _ECS_WORDS)]
LoadBalancer = Annotated[str, *matching(_AWS_NAME, "a load balancer's name: up to 32 letters, digits and -")]
RouteArn = Annotated[str, *matching(_ARN, "the ARN of a listener or of a listener rule")]
Region = Annotated[str, *matching(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}", "a region, as in eu-central-1")]
StoreUrl = Annotated[str, *matching(r"[a-z][a-z0-9+.-]*://\S+", "a URL, as in sqlite:///PATH or dynamodb://TABLE")]
BaseUrl = Annotated[
    str,
    *matching(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", "a URL as in http://host:8080, with no user, password or query"),
]
Uri = Annotated[str, *matching(r"[^\s]{1,1000}", "an image's URI without spaces, as in registry/orders:1.2")]
HeaderName = Annotated[str, *matching(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", "a header's name")]
ContainerName = Annotated[str, *matching(r"[A-Za-z0-9_-]{1,255}", "a container's name: letters, digits, - and _")]


class Slot(Part):
    """One of the two places that can take the service's traffic."""

    target_group: TargetGroup = Field(description="The target group's name; it is also the slot's name.")
    service: EcsService = Field(description="The name of the ECS service whose tasks are in that target group.")


class RuleHeader(Part):
    name: HeaderName = Field(description="The header's name.")
    values: OneOrMore = Field(description="The value or values the live rule has, * and ? as they stand there.")


class Rule(Part):
    """The conditions of the live rule, all of them. Where one is written as a list, its order is of no account."""

    path: OneOrMore | None = Field(default=None, description="Path pattern or patterns, as in /api/*.")
    host: OneOrMore | None = Field(default=None, description="Host name or names.")
    header: RuleHeader | None = Field(default=None, description="A header condition.")
    method: OneOrMore | None = Field(default=None, description="HTTP method or methods.")
    query: OneOrMore | None = Field(default=None, description="Query string or strings, as in version=2 or just 2.")
    source_ip: OneOrMore | None = Field(default=None, description="Source address range or ranges, as in 10.0.0.0/8.")
    priority: Annotated[int, *whole(1, 50000)] | None = Field(
        default=None, description="The rule's priority, 1 to 50000."
    )

    @model_validator(mode="after")
    def _names_something(self) -> Rule:
        if not any(getattr(self, name) is not None for name in type(self).model_fields):
            raise said("needs at least one condition, as in path: /api/*; without a rule the default action is meant")
        return self


class Route(Part):
    """A listener's default action, or one rule: by load balancer and port, or by ARN."""

    load_balancer: LoadBalancer | None = Field(default=None, description="The load balancer's name.")
    port: Annotated[int, *whole(1, 65535)] | None = Field(default=None, description="The listener's port.")
    arn: RouteArn | None = Field(
        default=None, description="The ARN of a listener or of a rule, instead of the other keys."
    )
    rule: Rule | None = Field(
        default=None, description="The conditions of one rule; without it the default action is meant."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Route:
        named = (self.load_balancer, self.port, self.rule)
        if self.arn is not None and any(value is not None for value in named):
            raise said("has arn together with load_balancer, port or rule; keep the ARN or the others")
        if self.arn is None and (self.load_balancer is None or self.port is None):
            raise said("needs load_balancer and port, or arn")
        return self


class RequestHeader(Part):
    name: HeaderName = Field(description="The header's name.")
    value: Annotated[Line, *matching(r".*\S.*", "one line of text")] = Field(description="The value to send.")


class TestRoute(Route):
    """The route that carries test traffic to green, and how hooks reach it."""

    __test__ = False

    base_url: BaseUrl | None = Field(
        default=None, description="Where hooks send their requests. Default: the load balancer's DNS name and the port."
    )
    header: RequestHeader | None = Field(
        default=None, description="What a request must carry. Default: the rule's header where it has one plain value."
    )


class ReleaseSection(Part):
    """What to deploy where the command line does not say it."""

    image: Uri | None = Field(default=None, description="The image for the only essential container.")
    images: dict[ContainerName, Uri] | None = Field(
        default=None, description="Container to image; all else stays as it is."
    )
    task_definition: Line | None = Field(
        default=None,
        description="A RegisterTaskDefinition file (JSON or YAML, beside this file), an ARN or family:revision.",
    )
    commit: Line | None = Field(default=None, description="The commit the release was built from, for the history.")
    reason: Line | None = Field(default=None, description="Why it is deployed, for the history.")

    @model_validator(mode="after")
    def _one_base(self) -> ReleaseSection:
        if self.image is not None and self.images is not None:
            raise said("has image and images; keep images and name the container there")
        if self.images is not None and not self.images:
            raise said("has no container in images; name one, as in app: registry/orders:1.2")
        return self


class Bake(Part):
    time: Time = Field(default=_TOP["bake"], description="How long green carries everything while blue stays warm.")


class Health(Part):
    """When green counts as launched."""

    percent: SomePercent = Field(
        default=_HEALTH.percent, description="Share of green's targets that must be healthy, in %."
    )
    settle: Time = Field(default=_HEALTH.settle, description="How long they must stay healthy without a break.")


class DeadlinesSection(Part):
    """The longest a phase may take beyond its own waits, and what follows when one passes."""

    launch: PositiveTime = Field(default=_DEADLINES.launch, description="Until green is healthy.")
    test: PositiveTime = Field(default=_DEADLINES.test, description="Until the tests have passed.")
    shift: PositiveTime = Field(
        default=_DEADLINES.shift,
        description="Until green has all traffic, the steps' waits not counted; and as long beyond the bake.",
    )
    teardown: PositiveTime = Field(
        default=_DEADLINES.teardown, description="Until blue is scaled in; it holds when that passes."
    )
    rollback: TimeOrNever = Field(
        default=_DEADLINES.rollback,
        description="Until blue has all traffic again, or never; it holds when that passes.",
    )
    on_deadline: Literal["rollback", "hold"] = Field(
        default=_DEADLINES.on_deadline.value, description="What follows when launch, test, shift or bake pass theirs."
    )
    blind: PositiveTime = Field(default=_DEADLINES.blind, description="How long a gate may be impossible to read.")
    no_data: PositiveTime = Field(
        default=_DEADLINES.no_data,
        description="How long the first step and the bake wait beyond their time for a gate without data.",
    )
    hold: TimeOrNever = Field(
        default=_DEADLINES.hold, description="How long a held deployment waits for a person, or never."
    )
    on_hold: Literal["rollback", "hold"] = Field(
        default=_DEADLINES.on_hold.value,
        description="What follows when nobody answers, or a gate fires meanwhile; a teardown or a rollback holds on.",
    )


ShiftWay = Annotated[Shift, BeforeValidator(word_or_mapping, json_schema_input_type=Literal["all-at-once"] | Shift)]


def _two_places(slots: list[Slot]) -> list[Slot]:
    if len(slots) != 2:
        raise said(
            f"has {len(slots)}; a blue/green service has exactly two: "
            "{target_group: NAME-1, service: NAME-1} and {target_group: NAME-2, service: NAME-2}"
        )
    if slots[0].target_group == slots[1].target_group:
        raise said("name the same target group twice; each slot needs its own")
    if slots[0].service == slots[1].service:
        raise said("name the same ECS service twice; each slot needs its own")
    return slots


def _some_routes(routes: list[Route]) -> list[Route]:
    if not routes:
        raise said("needs at least one route, as in {load_balancer: NAME, port: 443}")
    return routes


class Configuration(Part):
    """How a service is deployed by bluegreen."""

    service: ServiceName = Field(description="The service's name in bluegreen: its lock, its history, its reports.")
    cluster: Cluster = Field(description="The ECS cluster's name or ARN.")
    region: Region | None = Field(
        default=None, description="The AWS region. Default: that of the AWS environment or profile."
    )
    store: StoreUrl | None = Field(
        default=None,
        description="Where records are kept: sqlite:///PATH or dynamodb://TABLE. --store and BLUEGREEN_STORE win.",
    )
    slots: Annotated[list[Slot], AfterValidator(_two_places)] = Field(
        description="Exactly two: the two places that can take the service's traffic."
    )
    production: Annotated[list[Route], AfterValidator(_some_routes)] = Field(
        description="The routes that carry users' traffic; they are shifted together."
    )
    test: TestRoute | None = Field(default=None, description="The route that carries test traffic to green.")
    release: ReleaseSection | None = Field(
        default=None, description="What to deploy where the command line does not say it."
    )
    shift: ShiftWay = Field(
        default=ALL_AT_ONCE,
        description="How traffic goes over to green: all-at-once, canary, until_verdict, linear or steps.",
    )
    bake: Bake = Field(default_factory=Bake, description="The rollback window after the shift.")
    health: Health = Field(default_factory=Health, description="When green counts as launched.")
    settle: Time = Field(
        default=_TOP["settle"], description="How long after its last write a split is trusted everywhere."
    )
    gates: list[GateEntry] = Field(default_factory=list, description="Conditions watched while traffic is on green.")
    gate_interval: PositiveTime = Field(default=_TOP["gate_interval"], description="How often the gates are read.")
    hooks: HooksSection = Field(
        default_factory=HooksSection, description="Tests and actions at the points of a deployment."
    )
    deadlines: DeadlinesSection = Field(default_factory=DeadlinesSection, description="How long each phase may take.")
    notify: list[NotifyEntry] = Field(
        default_factory=list, description="Who is told, beside the deployment and never in its way."
    )
