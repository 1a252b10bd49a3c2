"""The same world of listeners and rules twice: in memory, and as moto imitates ELBv2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from bluegreen.aws.clients import Clients
from bluegreen.clock import FakeClock
from bluegreen.domain.deployment import Route, Slot
from bluegreen.domain.spec import RouteSpec
from bluegreen.traffic.actions import Action
from bluegreen.traffic.alb import AlbRouter
from bluegreen.traffic.base import TrafficRouter
from bluegreen.traffic.fake import FakeRouter

REGION = "eu-central-1"

FIELDS = {"path": "path-pattern", "host": "host-header"}


class World(Protocol):
    router: TrafficRouter
    blue: Slot
    green: Slot
    stranger: str

    def listener(self, port: int, actions: list[Action]) -> RouteSpec: ...

    def rule(self, port: int, path: str, actions: list[Action]) -> RouteSpec: ...

    def actions(self, route: Route) -> list[Action]: ...

    def edit(self, route: Route, actions: list[Action]) -> None: ...

    def delete(self, route: Route) -> None: ...

    def modifications(self) -> int: ...


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeRouter()
        self.router: TrafficRouter = self.fake
        self.blue = Slot("orders-1", "arn:tg/orders-1", "orders-1", "production")
        self.green = Slot("orders-2", "arn:tg/orders-2", "orders-2", "production")
        self.stranger = "arn:tg/billing"

    def listener(self, port: int, actions: list[Action]) -> RouteSpec:
        return self.fake.add_actions(RouteSpec("prod", port), actions).spec

    def rule(self, port: int, path: str, actions: list[Action]) -> RouteSpec:
        return self.fake.add_actions(RouteSpec("prod", port, rule={"path": path}), actions).spec

    def actions(self, route: Route) -> list[Action]:
        return self.fake.routes[route.arn].actions

    def edit(self, route: Route, actions: list[Action]) -> None:
        self.fake.routes[route.arn].actions = actions

    def delete(self, route: Route) -> None:
        del self.fake.routes[route.arn]

    def modifications(self) -> int:
        return len(self.fake.writes)


class MotoWorld:
    """Only inside ``mock_aws``."""

    def __init__(self) -> None:
        self.clients = Clients(REGION, clock=FakeClock())
        self.elbv2: Any = self.clients.elbv2
        self.router: TrafficRouter = AlbRouter(self.clients, FakeClock())
        self._vpc, subnets = network()
        balancer = self.elbv2.create_load_balancer(Name="prod", Subnets=subnets)["LoadBalancers"][0]
        self.balancer_arn, self.dns = balancer["LoadBalancerArn"], balancer["DNSName"]
        self.blue = Slot("orders-1", self.target_group("orders-1"), "orders-1", "production")
        self.green = Slot("orders-2", self.target_group("orders-2"), "orders-2", "production")
        self.stranger = self.target_group("billing")
        self._listeners: dict[int, str] = {}

    def target_group(self, name: str) -> str:
        made = self.elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=self._vpc, TargetType="ip")
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def listener(self, port: int, actions: list[Action]) -> RouteSpec:
        made = self.elbv2.create_listener(
            LoadBalancerArn=self.balancer_arn, Port=port, Protocol="HTTP", DefaultActions=actions
        )
        self._listeners[port] = made["Listeners"][0]["ListenerArn"]
        return RouteSpec("prod", port)

    def rule(self, port: int, path: str, actions: list[Action]) -> RouteSpec:
        if port not in self._listeners:
            fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
            self.listener(port, [fixed])
        self.create_rule(port, [{"Field": "path-pattern", "Values": [path]}], actions)
        return RouteSpec("prod", port, rule={"path": path})

    def create_rule(self, port: int, conditions: list[Any], actions: list[Action]) -> str:
        listener = self._listeners[port]
        priority = len(self.elbv2.describe_rules(ListenerArn=listener)["Rules"])
        made = self.elbv2.create_rule(ListenerArn=listener, Priority=priority, Conditions=conditions, Actions=actions)
        return str(made["Rules"][0]["RuleArn"])

    def actions(self, route: Route) -> list[Action]:
        if route.kind == "rule":
            return list(self.elbv2.describe_rules(RuleArns=[route.arn])["Rules"][0]["Actions"])
        return list(self.elbv2.describe_listeners(ListenerArns=[route.arn])["Listeners"][0]["DefaultActions"])

    def edit(self, route: Route, actions: list[Action]) -> None:
        if route.kind == "rule":
            self.elbv2.modify_rule(RuleArn=route.arn, Actions=actions)
        else:
            self.elbv2.modify_listener(ListenerArn=route.arn, DefaultActions=actions)

    def delete(self, route: Route) -> None:
        if route.kind == "rule":
            self.elbv2.delete_rule(RuleArn=route.arn)
        else:
            self.elbv2.delete_listener(ListenerArn=route.arn)

    def modifications(self) -> int:
        counts = self.clients.calls.counts
        return counts["elasticloadbalancing:ModifyRule"] + counts["elasticloadbalancing:ModifyListener"]


def network() -> tuple[str, list[str]]:
    """moto's default VPC and two of its subnets; an EC2 client would cost more than the rest of a test."""
    ec2: Any = ec2_backends[DEFAULT_ACCOUNT_ID][REGION]
    vpc = ec2.get_default_vpc()
    return vpc.id, [subnet.id for subnet in ec2.describe_subnets(filters={"vpc-id": [vpc.id]})][:2]


@contextmanager
def quick_moto() -> Iterator[None]:
    """moto without the thousands of machine images it otherwise makes up for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        with mock_aws():
            yield


@contextmanager
def moto_world() -> Iterator[MotoWorld]:
    with quick_moto():
        yield MotoWorld()
