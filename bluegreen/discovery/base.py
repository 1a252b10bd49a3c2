"""The seam to a live world that nothing is configured for yet, and the facts it answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """An ECS service. ``groups`` are the ARNs of its target groups; ``unfit`` says why it can be no slot, and
    ``way_out`` what would make it one (both empty where it can)."""

    name: str
    groups: tuple[str, ...] = ()
    desired: int = 0
    unfit: str = ""
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A target group, its health check, and the ARNs of the load balancers in front of it.

    ``version`` is ``HTTP1``, ``HTTP2`` or ``GRPC``, empty where it has none; ``health_port`` is a number or
    ``traffic-port``; ``health_codes`` is a matcher as ELBv2 has it: ``200``, ``200-299``, ``200,202``.
    """

    arn: str
    balancers: tuple[str, ...] = ()
    port: int = 0
    version: str = ""
    health_path: str = ""
    health_port: str = "traffic-port"
    health_codes: str = "200"


@dataclass(frozen=True, slots=True)
class BalancerFacts:
    """``kind`` is ``application``, ``network`` or ``gateway``."""

    arn: str
    name: str
    kind: str = "application"
    internal: bool = False


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """A listener's default action, or a rule, that forwards.

    ``rule`` has its conditions in the configuration's words, None for a default action. ``by_arn``: it is a rule whose
    conditions no configuration can name. ``weights``: target group ARN → weight.
    """

    balancer: BalancerFacts
    port: int
    protocol: str
    arn: str
    name: str
    weights: Mapping[str, int]
    rule: Mapping[str, object] | None = None
    by_arn: bool = False

    @property
    def secure(self) -> bool:
        return self.protocol in ("HTTPS", "TLS")

    @property
    def header(self) -> tuple[str, tuple[str, ...]] | None:
        """Name and values of the header condition, where it has one."""
        condition = (self.rule or {}).get("header")
        if not isinstance(condition, Mapping):
            return None
        return str(condition["name"]), texts(condition["values"])

    def condition(self, word: str) -> tuple[str, ...]:
        """The values of one condition; none where the route does not have it."""
        return texts((self.rule or {}).get(word, ()))


@dataclass(frozen=True, slots=True)
class AlarmFacts:
    """A CloudWatch alarm. ``dimensions``: of each of its metrics; ``children``: the alarms a composite one names."""

    name: str
    state: str = "OK"
    metrics: tuple[str, ...] = ()
    dimensions: tuple[Mapping[str, str], ...] = ()
    children: tuple[str, ...] = ()


class Source(Protocol):
    """Reads only. Raises the AwsError family."""

    @property
    def region(self) -> str: ...

    def clusters(self) -> Sequence[str]:
        """The names of the region's ECS clusters."""
        ...

    def services(self, cluster: str) -> Sequence[ServiceFacts]:
        """Raises NotFoundError when there is no such cluster."""
        ...

    def groups(self, arns: Sequence[str]) -> Sequence[GroupFacts]: ...

    def balancers(self, arns: Sequence[str]) -> Sequence[BalancerFacts]: ...

    def routes(self, balancer: BalancerFacts) -> Sequence[RouteFacts]:
        """Those that forward, in the order of listeners' ports and rules' priorities, default actions last."""
        ...

    def alarms(self) -> Sequence[AlarmFacts]: ...


def group_name(arn: str) -> str:
    """``orders-1`` of ``…:targetgroup/orders-1/0123456789abcdef``."""
    parts = arn.rsplit(":", 1)[-1].split("/")
    return parts[1] if len(parts) > 1 else parts[0]


def texts(value: object) -> tuple[str, ...]:
    """A condition's one value or several, as several."""
    return tuple(str(each) for each in value) if isinstance(value, list | tuple) else (str(value),)
