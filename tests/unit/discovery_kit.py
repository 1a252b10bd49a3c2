"""A live world in memory: two ECS services behind a load balancer, and ways to change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.config.load import load
from bluegreen.discovery.base import AlarmFacts, BalancerFacts, GroupFacts, RouteFacts, ServiceFacts, Source
from bluegreen.discovery.discover import discover
from bluegreen.discovery.draft import draft
from bluegreen.discovery.fake import FakeSource
from bluegreen.discovery.found import Found, Wanted
from bluegreen.domain.spec import Spec
from bluegreen.wiring import Session, known_kinds

ELB = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"
PROD = BalancerFacts(f"{ELB}loadbalancer/app/prod/50dc6c495c0c9188", "prod")


def group_arn(name: str) -> str:
    return f"{ELB}targetgroup/{name}/73e2d6bc24d8a067"


def service(name: str, *groups: str, desired: int = 0, **more: Any) -> ServiceFacts:
    return ServiceFacts(name, tuple(group_arn(group) for group in groups), desired, **more)


def group(name: str, **more: Any) -> GroupFacts:
    facts: dict[str, Any] = {"balancers": (PROD.arn,), "port": 8080, "version": "HTTP1", "health_path": "/health"}
    return GroupFacts(group_arn(name), **(facts | more))


def route(
    port: int,
    weights: Mapping[str, int],
    rule: Mapping[str, object] | None = None,
    *,
    protocol: str = "HTTP",
    balancer: BalancerFacts = PROD,
    by_arn: bool = False,
) -> RouteFacts:
    kind = "listener-rule" if rule is not None or by_arn else "listener"
    path = balancer.arn.split("loadbalancer/")[1]
    arn = f"{ELB}{kind}/{path}/f2f7dc8efc522ab{port}" + ("/9683b2d02a6cabee" if kind == "listener-rule" else "")
    name = f"{balancer.name}:{port}" + (" rule" if rule is not None or by_arn else "")
    by_group = {group_arn(name): weight for name, weight in weights.items()}
    return RouteFacts(balancer, port, protocol, arn, name, by_group, rule, by_arn)


def alarm(name: str, *groups: str, metric: str = "HTTPCode_Target_5XX_Count", **more: Any) -> AlarmFacts:
    """Of target groups; of the load balancer as a whole without any."""
    front = {"LoadBalancer": PROD.arn.split("loadbalancer/")[1]}
    of_groups = tuple(front | {"TargetGroup": group_arn(each).rsplit(":", 1)[-1]} for each in groups)
    return AlarmFacts(name, metrics=(metric,), dimensions=of_groups or (front,), **more)


LIVE = {"orders-1": 100, "orders-2": 0}
IDLE = {"orders-1": 0, "orders-2": 100}


def world(*routes: RouteFacts, **changes: Any) -> FakeSource:
    """orders-1 runs two tasks, orders-2 stands idle; users on 80, tests on 8080."""
    facts: dict[str, Any] = {
        "all_services": {"production": [service("orders-1", "orders-1", desired=2), service("orders-2", "orders-2")]},
        "all_groups": [group("orders-1"), group("orders-2")],
        "all_balancers": [PROD],
        "all_routes": list(routes) or [route(80, LIVE), route(8080, LIVE)],
    }
    return FakeSource(**(facts | changes))


def with_services(*services: ServiceFacts, **changes: Any) -> FakeSource:
    return world(all_services={"production": list(services)}, **changes)


def find(source: Source, name: str | None = "orders", **wanted: Any) -> Found:
    return discover(source, Wanted(name, **wanted))


def spec_of(folder: Path, found: Found) -> Spec:
    """What the written file says to every other command."""
    file = folder / "bluegreen.yaml"
    file.write_text(draft(found), encoding="utf-8")
    return load(file, {}, known_kinds()).spec


@dataclass
class SourcedSession(Session):
    """A session whose live world is in memory."""

    live: Source | None = None

    @property
    def source(self) -> Source:
        assert self.live is not None
        return self.live
