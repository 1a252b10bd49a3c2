"""A live world in memory, for whoever reads one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bluegreen.discovery.base import AlarmFacts, BalancerFacts, GroupFacts, RouteFacts, ServiceFacts
from bluegreen.errors import NotFoundError


@dataclass
class FakeSource:
    """A world in memory. ``failing``: method → what it raises."""

    region: str = "eu-central-1"
    all_services: dict[str, Sequence[ServiceFacts]] = field(default_factory=dict)
    all_groups: Sequence[GroupFacts] = ()
    all_balancers: Sequence[BalancerFacts] = ()
    all_routes: Sequence[RouteFacts] = ()
    all_alarms: Sequence[AlarmFacts] = ()
    failing: dict[str, Exception] = field(default_factory=dict)

    def clusters(self) -> Sequence[str]:
        self._fail("clusters")
        return list(self.all_services)

    def services(self, cluster: str) -> Sequence[ServiceFacts]:
        self._fail("services")
        if cluster not in self.all_services:
            raise NotFoundError("ecs:ListServices found nothing: Cluster not found.")
        return self.all_services[cluster]

    def groups(self, arns: Sequence[str]) -> Sequence[GroupFacts]:
        return [group for group in self.all_groups if group.arn in arns]

    def balancers(self, arns: Sequence[str]) -> Sequence[BalancerFacts]:
        return [balancer for balancer in self.all_balancers if balancer.arn in arns]

    def routes(self, balancer: BalancerFacts) -> Sequence[RouteFacts]:
        return [route for route in self.all_routes if route.balancer.arn == balancer.arn]

    def alarms(self) -> Sequence[AlarmFacts]:
        self._fail("alarms")
        return self.all_alarms

    def _fail(self, method: str) -> None:
        if method in self.failing:
            raise self.failing[method]
