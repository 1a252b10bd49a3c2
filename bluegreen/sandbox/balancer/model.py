"""What the ELBv2 API was asked for, as frozen values: the only input of the translation to Envoy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """``interval`` and ``timeout`` in seconds; ``port`` None means the port of each target's own traffic.

    ``matcher`` is AWS's: "200", "200,302", "200-399" or a mix.
    """

    protocol: str = "HTTP"
    path: str = "/"
    port: int | None = None
    interval: float = 30.0
    timeout: float = 5.0
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    matcher: str = "200"
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """``deregistration_delay`` in seconds; ``cookie_seconds`` is the AWSALB cookie's life, None when not sticky."""

    arn: str
    name: str
    targets: tuple[Target, ...] = ()
    check: HealthCheck = HealthCheck()
    protocol: str = "HTTP"
    protocol_version: str = "HTTP1"
    algorithm: str = "round_robin"
    deregistration_delay: float = 300.0
    cookie_seconds: int | None = None

    @property
    def key(self) -> str:
        """``name/id``: Envoy's name for it and the tail of its CloudWatch dimension."""
        return self.arn.partition(":targetgroup/")[2]


@dataclass(frozen=True, slots=True)
class Weighted:
    target_group: str
    weight: int


@dataclass(frozen=True, slots=True)
class Forward:
    """``cookie_seconds`` is the life of the AWSALBTG cookie; None when the forward itself is not sticky."""

    groups: tuple[Weighted, ...]
    cookie_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class FixedResponse:
    status: int
    content_type: str = "text/plain"
    body: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    status: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


Action = Forward | FixedResponse | Redirect


@dataclass(frozen=True, slots=True)
class Condition:
    """``values`` are alternatives. ``name`` is the header of http-header; query-string uses ``pairs`` instead."""

    field: str
    values: tuple[str, ...] = ()
    name: str | None = None
    pairs: tuple[tuple[str | None, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    arn: str
    action: Action
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    """``rules`` in the order they are tried; the default rule is the last."""

    arn: str
    port: int
    protocol: str
    rules: tuple[Rule, ...]

    @property
    def key(self) -> str:
        return self.arn.partition(":listener/")[2]


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """``idle_timeout`` in seconds."""

    arn: str
    name: str
    listeners: tuple[Listener, ...] = ()
    idle_timeout: float = 60.0

    @property
    def key(self) -> str:
        """``app/name/id``: the CloudWatch dimension."""
        return self.arn.partition(":loadbalancer/")[2]


@dataclass(frozen=True, slots=True)
class Snapshot:
    load_balancers: tuple[LoadBalancer, ...] = ()
    target_groups: tuple[TargetGroup, ...] = ()

    def in_use(self) -> dict[str, LoadBalancer]:
        """Target groups that a rule names, at any weight, each with its load balancer."""
        return {weighted.target_group: balancer for balancer, weighted in self._forwards()}

    def _forwards(self) -> Iterator[tuple[LoadBalancer, Weighted]]:
        for balancer in self.load_balancers:
            for listener in balancer.listeners:
                for rule in listener.rules:
                    if isinstance(rule.action, Forward):
                        yield from ((balancer, weighted) for weighted in rule.action.groups)
