"""The same pair of services twice: in memory, and as moto imitates ECS (which starts no task by itself)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from bluegreen.compute.base import ComputeProvider
from bluegreen.compute.ecs_service_pair import EcsServicePair
from bluegreen.compute.fake import FakeCompute
from bluegreen.compute.task_definition import Definition
from bluegreen.domain.deployment import Slot
from bluegreen.domain.spec import SlotSpec, Spec
from tests.contract.traffic_worlds import MotoWorld, quick_moto

DEFINITION: Definition = {
    "family": "orders",
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {
            "name": "app",
            "image": "registry/orders:1",
            "essential": True,
            "portMappings": [{"containerPort": 8080}],
            "secrets": [{"name": "KEY", "valueFrom": "arn:aws:ssm:eu-central-1:123456789012:parameter/key"}],
        },
        {"name": "proxy", "image": "registry/proxy:7", "essential": False},
    ],
}

SPEC = Spec(
    service="orders",
    cluster="production",
    slots=(SlotSpec("orders-1", "orders-1"), SlotSpec("orders-2", "orders-2")),
    production=(),
)


class World(Protocol):
    compute: ComputeProvider

    def writes(self) -> int:
        """How many calls changed something so far."""
        ...

    def definition(self, arn: str) -> Definition: ...

    def deregister(self, arn: str) -> None: ...


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeCompute()
        self.compute: ComputeProvider = self.fake
        live = self.fake.register(DEFINITION)
        for slot, count in zip(SPEC.slots, (2, 0), strict=True):
            self.fake.add(slot, live, count=count, cluster="production")

    def writes(self) -> int:
        return len(self.fake.changes)

    def definition(self, arn: str) -> Definition:
        return self.fake.definitions[arn]

    def deregister(self, arn: str) -> None:
        self.fake.deregister(arn)


class MotoEcsWorld:
    """Only inside ``mock_aws``."""

    def __init__(self) -> None:
        self.network = MotoWorld()
        self.clients = self.network.clients
        self.compute: ComputeProvider = EcsServicePair(self.clients)
        self.ecs: Any = self.clients.ecs
        self.ecs.create_cluster(clusterName="production")
        self.ecs.register_task_definition(**DEFINITION, tags=[{"key": "team", "value": "orders"}])
        self.create_service("orders-1", self.network.blue.target_group_arn, 2)
        self.create_service("orders-2", self.network.green.target_group_arn, 0)

    def create_service(self, name: str, target_group_arn: str, count: int, **more: Any) -> None:
        balancer = {"targetGroupArn": target_group_arn, "containerName": "app", "containerPort": 8080}
        settings = {"launchType": "EC2"} | more
        self.ecs.create_service(
            cluster="production",
            serviceName=name,
            taskDefinition="orders:1",
            desiredCount=count,
            loadBalancers=[balancer],
            **settings,
        )

    def register_target(self, slot: Slot, address: str) -> None:
        self.clients.elbv2.register_targets(
            TargetGroupArn=slot.target_group_arn, Targets=[{"Id": address, "Port": 8080}]
        )

    def writes(self) -> int:
        counts = self.clients.calls.counts
        return counts["ecs:UpdateService"] + counts["ecs:RegisterTaskDefinition"]

    def definition(self, arn: str) -> Definition:
        described = self.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        return {**described["taskDefinition"], "tags": described["tags"]}

    def deregister(self, arn: str) -> None:
        self.ecs.deregister_task_definition(taskDefinition=arn)


@contextmanager
def moto_ecs_world() -> Iterator[MotoEcsWorld]:
    with quick_moto():
        yield MotoEcsWorld()
